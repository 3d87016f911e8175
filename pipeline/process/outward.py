"""The lane of a relay that publishes outward, exactly once where the publisher can.

Entries are collected for a moment, because a transaction costs the same for one as for many.
Nothing at or before the place that `open` told is published again.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from pipeline.ports import Entry, LogUnavailable, Mark, OutwardPublisher, Store, Unsettled
from pipeline.process.outbox import Outbox
from pipeline.process.pace import Counts, Pace

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


class OutwardLane:
    """Publishes the outward outbox of a partition."""

    def __init__(
        self,
        partition: int,
        outbox: Outbox,
        store: Store,
        publisher: OutwardPublisher,
        *,
        urgent: frozenset[str],
        pace: Pace,
        counts: Counts,
    ) -> None:
        """Entries for an `urgent` topic hardly wait for company."""
        self.publisher = publisher
        self.place: Mark | None = None
        self.busy = False
        self._outbox = outbox
        self._counts = counts
        self._partition = partition
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
        self._renew_at = now + pace.renew_first + 10.0 * partition

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
