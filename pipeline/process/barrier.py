"""The barrier: appends ticks, the log's own time, once all that was written before is taken in.

A tick says "it is t". Whoever decides at it that something did *not* happen must know all that had
been written to the raw topic by t. So, at t: wait until normalize has passed the raw topic's end;
then, for each hop that a consequence may take, wait until all that stood in `segment.events` is
taken and what it caused is published. Only then the tick is appended.

What a round adds to the log of consequences has come one hop further than what the round before
added. So when nothing that had come so far caused anything, nothing will follow: that is known from
the partitions, which note the last record of each depth that caused another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.domain.messages import HOPS
from pipeline.domain.times import SECOND
from pipeline.ports import Clock, Log, LogUnavailable, Progress, Store
from pipeline.wire.records import Tick, encode_control

TICK_MAX: Final = 250
"""Due entities of a partition that one tick decides: an outage's deadlines, thousands at once, must
not keep what comes in waiting. Not above `PORTION_MAX`: a tick is one commit."""

EVERY: Final = 0.2
"""Seconds between looks at what is due, at most: where something will be due sooner, until then."""
LEAST: Final = 0.05
"""And at least: what is due together is decided together."""
TOGETHER: Final = 3
"""Barriers under way at a time, each begun `EVERY` seconds after the one before: under load one
takes a second, and what is due just after it began must not wait for two."""

_SHORTEST_PAUSE: Final = 0.005
_PAUSE: Final = 0.02
_LONG_PAUSE: Final = 0.2
_LONG: Final = 1000
"""Milliseconds after which a wait is a long one and asks less often."""
_RETRY: Final = 1.0


@dataclass(slots=True)
class BarrierState:
    """What the barrier does, for metrics."""

    barriers: int = 0
    ticks: int = 0
    rounds: int = 0
    """Of the last barrier."""
    last_ms: int = 0
    """How long the last barrier took."""
    last_tick: int | None = None
    """The instant of the last tick."""
    overdue_since: int | None = None
    """The earliest instant that is due and has had no tick yet."""
    interrupted: int = 0


class Barrier:
    """Of the leader, the owner of partition 0.

    Several at a time, or two leaders for a moment, do no harm: each tick is true, and one of an
    earlier instant than the last decides nothing. Being cut off does none either: what is due stays
    due.
    """

    def __init__(
        self,
        store: Store,
        log: Log,
        clock: Clock,
        partitions: int,
        passed: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`passed` is told how long each barrier took, ms."""
        self.state = BarrierState()
        self._told = passed
        self._store = store
        self._log = log
        self._clock = clock
        self._partitions = range(partitions)
        self._soonest: int | None = None  # the earliest instant at which something will be due

    async def run(self) -> None:
        """Look and tick until cancelled. Kafka may be away for a while, the store may not.

        What becomes due meanwhile need not wait until a barrier is over: the next one begins.
        """
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                if len(under_way) < TOGETHER and (now := await self._look()) is not None:
                    under_way.add(asyncio.create_task(self._patiently(now)))
                await self._rest(under_way)
                for ended in [each for each in under_way if each.done()]:
                    under_way.remove(ended)
                    ended.result()
        finally:
            for each in under_way:
                each.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def step(self) -> int:
        """Append a tick to each partition where something is due; the number of them."""
        now = await self._look()
        return 0 if now is None else await self._barrier(now)

    async def _look(self) -> int | None:
        """The instant of the look where something is due, else None."""
        now = self._clock.now()
        progress = await self._store.progress(self._partitions)
        self.state.overdue_since = self._overdue(progress, now)
        return None if self.state.overdue_since is None else now

    async def _patiently(self, now: int) -> None:
        try:
            await self._barrier(now)
        except LogUnavailable:
            self.state.interrupted += 1
            await self._clock.sleep(_RETRY)

    async def _barrier(self, now: int) -> int:
        state = self.state
        await self._normalized(await self._log.raw_ends())
        progress = await self._settled()
        # what was due may be done by now, by the tick before this one
        due = await self._tick(now, progress)
        state.barriers += 1
        state.last_ms = self._clock.now() - now
        self._told(state.last_ms)
        state.overdue_since = None
        if due:
            state.ticks += due
            state.last_tick = now
        return due

    async def _tick(self, now: int, progress: Mapping[int, Progress]) -> int:
        """Where something is due; the number of partitions."""
        dues = {p: due for p in self._partitions if (due := progress[p].due) is not None}
        partitions = [partition for partition, due in dues.items() if due <= now]
        value = encode_control(Tick(now, TICK_MAX))
        await asyncio.gather(*(self._log.append(partition, value) for partition in partitions))
        return len(partitions)

    async def _rest(self, under_way: Collection["asyncio.Task[None]"]) -> None:
        """Until the next look."""
        if under_way:
            sleep = asyncio.create_task(self._clock.sleep(EVERY))
            try:
                await asyncio.wait({sleep, *under_way}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleep.cancel()
            if not any(each.done() for each in under_way):
                return
        await self._clock.sleep(self._until_due())

    def _until_due(self) -> float:
        """Seconds, as of the last look."""
        if self._soonest is None:
            return EVERY
        return min(max((self._soonest - self._clock.now()) / SECOND, LEAST), EVERY)

    async def _normalized(self, ends: Mapping[tuple[str, int], int]) -> None:
        async def passed() -> bool:
            places = await self._log.normalized()
            return all(places.get(place, 0) >= end for place, end in ends.items())

        await self._until(passed)

    async def _settled(self) -> Mapping[int, Progress]:
        """Round by round, until no consequence can be under way."""
        progress: dict[int, Progress] = {}
        before: Mapping[int, int] = {}
        for hop in range(HOPS):
            ends = await self._log.event_ends()
            if ends == before:
                break  # the round before caused nothing, so nothing will follow
            self.state.rounds = hop + 1
            moved = {p for p in self._partitions if hop == 0 or ends.get(p) != before.get(p)}
            await self._taken(ends, moved, progress)
            if not any(_caused(progress[p], hop, before.get(p, 0)) for p in self._partitions):
                break
            before = ends
        return progress

    async def _taken(
        self, ends: Mapping[int, int], waiting: set[int], progress: dict[int, Progress]
    ) -> None:
        """Wait until all before `ends` is taken, and all that it caused is in the log.

        A partition that has passed its end is not asked again: what follows from it is in the log
        for good, also if its store steps back. An unpublished entry that a record at or after the
        end caused is of no concern here.
        """

        async def taken() -> bool:
            progress.update(await self._store.progress(sorted(waiting)))
            waiting.difference_update([p for p in waiting if _passed(progress[p], ends.get(p, 0))])
            return not waiting

        await self._until(taken)

    async def _until(self, reached: Callable[[], Awaitable[bool]]) -> None:
        pause = _SHORTEST_PAUSE
        start = self._clock.now()
        while not await reached():
            await self._clock.sleep(pause)
            long = self._clock.now() - start > _LONG
            pause = min(1.5 * pause, _LONG_PAUSE if long else _PAUSE)

    def _overdue(self, progress: Mapping[int, Progress], now: int) -> int | None:
        dues = [progress[partition].due for partition in self._partitions]
        self._soonest = min((due for due in dues if due is not None), default=None)
        return None if self._soonest is None or self._soonest > now else self._soonest


def _caused(progress: Progress, depth: int, since: int) -> bool:
    """Whether a record from an offset on, with as many before it or more, caused another one."""
    return not progress.causes or progress.causes[depth] >= since


def _passed(progress: Progress, end: int) -> bool:
    unpublished = progress.unpublished
    return progress.watermark.offset >= end and (unpublished is None or unpublished.offset >= end)
