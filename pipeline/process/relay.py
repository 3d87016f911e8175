"""The relay: publishes what a partition's commits have left in its two outboxes.

Internal entries go out at once through the process's publisher; receivers drop what they have.
Outward ones are collected for a moment, because a transaction costs the same for one as for many,
and go out exactly once: nothing at or before the place that `open` told is published again. An
outbox is trimmed only of what Kafka has acknowledged.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any

from pipeline.ports import (
    Entry,
    InternalPublisher,
    Mark,
    OutwardPublisher,
    Store,
)
from pipeline.process.outbox import Outbox
from pipeline.process.outward import OutwardLane
from pipeline.process.pace import Counts, Pace


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
        self._lane = OutwardLane(
            partition,
            self.outward,
            store,
            outward,
            urgent=urgent,
            pace=self._pace,
            counts=self.counts,
        )
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
