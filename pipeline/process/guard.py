"""The guard: before anything is read, see that Redis and the log belong together.

What a store holds is worth something only beside the log that it was folded from. The guard writes
down whose state it is and refuses, in one line, to go on where the two differ. Whether the log
still is the same at the very place reached, the state process sees by the last record it took.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from pipeline.domain.messages import Record
from pipeline.ports import Bounds, GuardLog, GuardStore
from pipeline.process.belonging import (
    Marks,
    Refused,
    beyond,
    same,
    same_count,
    some,
    within,
    within_published,
)
from pipeline.wire.records import Tick, UnreadableRecord, decode
from pipeline.wire.state import (
    VERSION,
    Identity,
    UnreadableState,
    decode_identity,
    encode_identity,
)

PATIENCE: Final = 5.0
"""Seconds that a log's end may need to come back up after an election."""
LEAVE_SECONDS: Final = 15.0
"""A worker that was killed is in its group until its session ends."""
_PAUSE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Remove the state and fold the log again; and what may be wrong with the result."""

    accept_loss: bool = False
    """The beginning of the log is gone, and all that only it told."""
    accept_repeats: bool = False
    """Nobody knows what was published, so that it is published again."""


class Guard:
    """Of one worker: `enter` before it reads, `check` whenever it takes partitions over."""

    def __init__(
        self,
        store: GuardStore,
        log: GuardLog,
        *,
        events: str,
        partitions: int,
        exactly_once: bool,
        lost: Callable[[], None] = lambda: None,
        patience: float = PATIENCE,
        leave: float = LEAVE_SECONDS,
    ) -> None:
        """`lost` is told when the state went away while the worker runs, and is made again."""
        self._store = store
        self._log = log
        self._events = events
        self._partitions = partitions
        self._exactly_once = exactly_once
        self._lost = lost
        self._patience = patience
        self._leave = leave
        self._known: Identity | None = None

    async def enter(self, rebuild: Rebuild | None = None, *, repeats: bool = False) -> None:
        """See that the worker may begin. Raises `Refused`.

        `repeats`: what is left in the outboxes may be published again.
        """
        same_count(self._events, len(await self._log.bounds()), self._partitions)
        # in this order: what others do meanwhile must not look like more than there is
        places = await self._log.places() if self._exactly_once else {}
        numbers = range(self._partitions)
        found = await asyncio.gather(*(self._store.watermark(n) for n in numbers))
        marks: Marks = dict(zip(numbers, found, strict=True))
        cluster, topic = await self._log.source()
        mine = Identity(
            VERSION,
            secrets.token_hex(8),
            self._events,
            self._partitions,
            cluster,
            topic,
            (0,) * self._partitions,
        )
        if rebuild is not None:
            bounds = await self._settled(places)
            within_published(self._events, places, bounds)
            self._known = await self._rebuild(rebuild, mine, bounds)
            return
        known = await self._stored() or await self._first(mine, marks)
        same(known, mine)
        self._known = await self._raised(known)
        await self.check(marks)
        if self._exactly_once and not places and not repeats:
            await self._nothing_left()
        within_published(self._events, places, await self._settled(places))

    async def check(self, marks: Marks) -> Mapping[int, int]:
        """See that partitions that stand there can go on. Returns where their logs begin.

        Raises `Refused`.
        """
        if self._known is None:
            raise Refused("the guard was not asked before the worker began")
        known = await self._stored()
        if known is None:
            await self._make_again(marks)
        else:
            same(known, self._known)
            self._known = known
        bounds = await self._settled(marks)
        within(self._events, marks, self._known.begin, bounds)
        return {number: bounds[number].start for number in marks}

    async def _settled(self, marks: Marks) -> Mapping[int, Bounds]:
        """Just after an election an end may lag behind for a moment."""
        until = asyncio.get_running_loop().time() + self._patience
        while True:
            bounds = await self._log.bounds()
            if not beyond(marks, bounds) or asyncio.get_running_loop().time() > until:
                return bounds
            await asyncio.sleep(_PAUSE)

    async def _stored(self) -> Identity | None:
        value = await self._store.identity()
        try:
            return None if value is None else decode_identity(value)
        except UnreadableState as error:
            raise Refused(
                f"Redis holds a state that this code can't go on with ({error}): run the version"
                " that wrote it, or a newer one"
            ) from error

    async def _first(self, mine: Identity, marks: Marks) -> Identity:
        """Nothing is written down: a new pipeline, or a Redis that is not the one it was."""
        if not any(marks.values()):
            bounds = await self._log.bounds()
            history = any(start < end for start, end in bounds.values())
            place = await self._log.first(_is_history) if history else None
            other = await self._stored()
            if other is not None:  # another worker began a moment ago
                return other
            if place is not None:
                raise Refused(
                    f"Redis has no state, but {self._events} has a history: Redis was emptied, or"
                    " REDIS_URL or its database number or PIPELINE_PREFIX is another one; beginning"
                    " here would forget who people are, what they opted in to and what they wait"
                    " for: give the right Redis, restore a backup, or run `pipeline worker"
                    " --rebuild` to fold the log again"
                )
            mine = msgspec.structs.replace(mine, begin=_starts(bounds))
        await self._store.identify(encode_identity(mine))
        return await self._stored() or mine

    async def _raised(self, known: Identity) -> Identity:
        """From now on a version that can't read what is written here refuses to begin."""
        if known.version == VERSION:
            return known
        raised = msgspec.structs.replace(known, version=VERSION)
        await self._store.identify(encode_identity(raised), replace=True)
        return raised

    async def _make_again(self, marks: Marks) -> None:
        """Redis lost everything under this worker.

        The log is folded again, marks come out as before, and what Kafka knows to be published is
        not published again. Where one of these can't be had, a person must decide.
        """
        assert self._known is not None
        if not all(marks.values()):
            bounds = await self._log.bounds()
            gone = [n for n, (start, _) in bounds.items() if start > self._known.begin[n]]
            if gone:
                raise Refused(
                    f"Redis has lost its state, and the log begins later by now in {some(gone)}:"
                    " folded again it would not be what it was: restore a backup of Redis, or see"
                    " `pipeline worker --rebuild`"
                )
            if not await self._knows_published():
                raise Refused(
                    "Redis has lost its state, and nothing tells what was published: folding the"
                    " log again would publish triggers twice: restore a backup of Redis, or run"
                    " `pipeline worker --rebuild --accept-repeats`"
                )
            self._lost()
        await self._store.identify(encode_identity(self._known))

    async def _nothing_left(self) -> None:
        """Kafka knows no place: where something was published it has forgotten them."""
        if not await self._log.published():
            return
        numbers = range(self._partitions)
        left = await asyncio.gather(
            *(self._store.outbox(n, internal=False, after=None, limit=1) for n in numbers)
        )
        if found := [n for n in numbers if left[n]]:
            raise Refused(
                "Kafka has forgotten how far outputs were published (no worker ran for longer than"
                f" offsets.retention.minutes), and Redis still holds some ({some(found)}) that may"
                " have gone out: `pipeline worker --accept-repeats` publishes them, perhaps again"
            )

    async def _knows_published(self) -> bool:
        if not self._exactly_once:
            return not await self._log.published()
        return bool(await self._log.places()) or not await self._log.published()

    async def _rebuild(
        self, rebuild: Rebuild, mine: Identity, bounds: Mapping[int, Bounds]
    ) -> Identity:
        await self._alone()
        gone = {n: start for n, (start, _) in bounds.items() if start}
        if gone and not rebuild.accept_loss:
            raise Refused(
                f"--rebuild: {sum(gone.values())} records are gone from the beginning of"
                f" {self._events} ({some(gone)}): opt-ins, opt-outs, links and waits that only"
                " they told would be missing: restore a backup of Redis, or add --accept-loss"
            )
        if not rebuild.accept_repeats and not await self._knows_published():
            raise Refused(
                "--rebuild: nothing tells what was published (delivery is at-least-once, or"
                " Kafka has forgotten the offsets of the relay's group): all triggers of the"
                " log would be published again: add --accept-repeats if that is right"
            )
        made = msgspec.structs.replace(mine, begin=_starts(bounds))
        under_way = msgspec.structs.replace(made, rebuilding=True)
        await self._store.identify(encode_identity(under_way), replace=True)
        for number in range(self._partitions):
            await self._store.forget(number)
        await self._store.identify(encode_identity(made), replace=True)
        return made

    async def _alone(self) -> None:
        until = asyncio.get_running_loop().time() + self._leave
        while count := await self._log.workers():
            if asyncio.get_running_loop().time() > until:
                raise Refused(
                    f"--rebuild: {count} other workers run: they would write what is being removed:"
                    " stop them, rebuild with one, and start the others without --rebuild"
                )
            await asyncio.sleep(_PAUSE)


def _is_history(value: bytes) -> bool:
    """What a worker has written; rulebooks and commands may come before the first one."""
    try:
        record = decode(value)
    except UnreadableRecord:
        return False
    if isinstance(record, Record):
        return record.position is not None
    return isinstance(record, Tick)


def _starts(bounds: Mapping[int, Bounds]) -> tuple[int, ...]:
    return tuple(bounds[number].start for number in sorted(bounds))
