"""The relay: publishes what a partition's commits have left in its two outboxes.

Internal entries go out at once through the process's publisher; receivers drop what they have.
Outward ones are collected for a moment, because a transaction costs the same for one as for many,
and go out exactly once: nothing at or before the place that `open` told is published again. An
outbox is trimmed only of what Kafka has acknowledged.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.ports import (
    Entry,
    InternalPublisher,
    LogUnavailable,
    Mark,
    OutwardPublisher,
    Store,
    Unsettled,
)
from pipeline.process.outbox import Outbox

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds and counts of a relay."""

    collect: float = 0.15
    """How long outward entries wait for company."""
    longest: float = 0.5
    """They wait at least as long as the publish before took, but not longer than this: busy brokers
    get fewer and larger transactions. Urgent ones go at once, or when a quarter has passed."""
    most: int = 2000
    """Entries of one publish."""
    trim: float = 0.025
    """Internal entries are trimmed at most so often: each time is a call of the store. Where it is
    busy there pass as many seconds as the last one took."""
    trim_outward: float = 0.5
    """Nobody waits for these."""
    renew_first: float = 60.0
    renew: float = 24 * 3600.0
    """Brokers forget a committed offset after a week (`offsets.retention.minutes`)."""
    patience: float = 120.0
    """How long in all to try again before giving up."""


@dataclass(slots=True)
class Counts:
    """What a relay has done, for metrics."""

    internal: int = 0
    outward: int = 0
    skipped: int = 0
    """Outward entries that a predecessor had published."""
    publishes: int = 0
    """Outward ones: transactions."""
    opened: int = 0


class Relay:
    """Of one owned partition. A failure ends it and shows in `failed`."""

    def __init__(
        self,
        partition: int,
        store: Store,
        internal: InternalPublisher,
        outward: OutwardPublisher,
        *,
        urgent: frozenset[str] = frozenset(),
        pace: Pace | None = None,
    ) -> None:
        self.partition = partition
        self.counts = Counts()
        self.internal = Outbox(store, partition, internal=True)
        self.outward = Outbox(store, partition, internal=False)
        self._pace = pace or Pace()
        self._store = store
        self._internal_publisher = internal
        self._lane = _OutwardLane(self, store, outward, urgent, self._pace)
        self._busy = False
        self._tasks: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done with the exception that ended the relay: Fenced, StoreUnavailable, ..."""
        self.failed.add_done_callback(lambda done: done.cancelled() or done.exception())

    def start(self) -> None:
        """Begin with what the store has."""
        self._run(self._publish_internal(), "internal")
        self._run(self._lane.run(), "outward")

    def offer(self, internal: Sequence[Entry], outward: Sequence[Entry]) -> None:
        """What a commit of this process has just written."""
        self.internal.offer(internal)
        self.outward.offer(outward)

    async def room(self, seconds: float) -> None:
        """Wait so long at most while more is to be published than there should be."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.internal.room()
                await self.outward.room()

    def reload(self) -> None:
        """The store is not where we thought it was: read the outboxes again.

        To be called after a refused commit, before the next one is made: another owner may have
        left entries that are earlier than ours, or a Redis that lost some will get them again.
        """
        # from the beginning, also what was published: it must be seen to be trimmed
        self.internal.reload(None)
        self.outward.reload(None)

    @property
    def idle(self) -> bool:
        """True where all that was offered is published and acknowledged."""
        return self.internal.empty and self.outward.empty and not (self._busy or self._lane.busy)

    async def stop(self) -> None:
        """Let go of the partition. Nothing more is published; the rest stays in the store."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._lane.publisher.close()
        self.failed.cancel()

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=f"relay-{self.partition}-{name}")
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def _publish_internal(self) -> None:
        loop = asyncio.get_running_loop()
        published: Mark | None = None
        trim_at = 0.0
        while True:
            wait = None if published is None else max(0.0, trim_at - loop.time())
            entries = await self.internal.take(self._pace.most, wait)
            if entries:
                self._busy = True
                await self._internal_publisher.publish(entries)
                self.counts.internal += len(entries)
                published = entries[-1].mark
                self._busy = False
            begun = loop.time()
            if published is not None and begun >= trim_at:
                await self._store.trim(self.partition, internal=True, upto=published)
                published, now = None, loop.time()
                trim_at = now + max(self._pace.trim, now - begun)


class _OutwardLane:
    """Publishes the outward outbox of a relay."""

    def __init__(
        self,
        relay: Relay,
        store: Store,
        publisher: OutwardPublisher,
        urgent: frozenset[str],
        pace: Pace,
    ) -> None:
        self.publisher = publisher
        self.place: Mark | None = None
        self.busy = False
        self._outbox = relay.outward
        self._counts = relay.counts
        self._partition = relay.partition
        self._store = store
        self._urgent = urgent
        self._pace = pace
        self._opened = False
        self._untrimmed = False
        now = asyncio.get_running_loop().time()
        self._trim_at = now
        self._company = 0.0  # seconds to wait for it at least
        self._urgent_at = now
        # partitions take turns, so that their renewals do not come all at once
        self._renew_at = now + pace.renew_first + 10.0 * relay.partition

    async def run(self) -> None:
        """Until a failure that trying again does not mend."""
        loop = asyncio.get_running_loop()
        pause, since = _FIRST_PAUSE, 0.0
        while True:
            try:
                await self._step()
            except (Unsettled, LogUnavailable):
                since = since or loop.time()
                if loop.time() - since > self._pace.patience:
                    raise
                # what became of it is known only to Kafka: open again and ask
                self._opened = False
                self._outbox.reload(None)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                pause, since = _FIRST_PAUSE, 0.0

    async def _step(self) -> None:
        now = asyncio.get_running_loop().time()
        due = min(self._renew_at, self._trim_at) if self._untrimmed else self._renew_at
        entries = await self._outbox.take(self._pace.most, max(0.0, due - now))
        self.busy = True
        if entries:
            loads = self._outbox.loads
            if not self._opened:
                await self._open()
            entries = await self._collect(entries)
            if loads == self._outbox.loads:
                await self._publish(entries)
            else:  # some of them are from before a `reload`, some from after it
                self._outbox.reload(self.place)
        now = asyncio.get_running_loop().time()
        if self._untrimmed and self.place is not None and now >= self._trim_at:
            await self._store.trim(self._partition, internal=False, upto=self.place)
            self._untrimmed = False
            self._trim_at = now + self._pace.trim_outward
        if now >= self._renew_at:
            await self._renew()
            self._renew_at = now + self._pace.renew
        self.busy = False

    async def _open(self) -> None:
        self.place = await self.publisher.open()
        self._opened = True
        self._counts.opened += 1

    async def _collect(self, entries: list[Entry]) -> list[Entry]:
        loop = asyncio.get_running_loop()
        until = loop.time() + max(self._pace.collect, self._company)
        fresh: Sequence[Entry] = entries
        while fresh and len(entries) < self._pace.most:
            if self._has_urgent(fresh):
                until = min(until, self._urgent_at)
                if until <= loop.time():
                    break
            fresh = await self._outbox.take(
                self._pace.most - len(entries), max(0.0, until - loop.time())
            )
            entries += fresh
        return entries

    def _has_urgent(self, entries: Sequence[Entry]) -> bool:
        return any(entry.topic in self._urgent for entry in entries)

    async def _publish(self, entries: Sequence[Entry]) -> None:
        place = self.place
        fresh = [entry for entry in entries if place is None or entry.mark > place]
        self._counts.skipped += len(entries) - len(fresh)
        if fresh:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await self.publisher.publish(fresh)
            took = loop.time() - begun
            self._company = min(took, self._pace.longest)
            self._urgent_at = loop.time() + self._company / 4
            self.place = fresh[-1].mark
            self._counts.outward += len(fresh)
            self._counts.publishes += 1
        self._untrimmed = True  # not before there is a place: a trim that is due must be possible

    async def _renew(self) -> None:
        if not self._opened:
            await self._open()
        await self.publisher.publish([])
