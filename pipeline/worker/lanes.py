"""One lane a partition: its batches are handled one after the other, partitions side by side."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast

from faust.types import TP, EventT

from pipeline.worker.ledger import Batch, Ledger, together

Handler = Callable[[str, int, Batch], Awaitable[None]]
"""Called with topic, partition and its records. When it returns, they count as done."""

STUBBORN = 5.0  # seconds that a cancelled handler has to end


class HandlerFailed(Exception):
    """A handler threw. The text names the place, never the payload; the cause has the rest."""

    def __init__(self, batch: Batch, cause: BaseException) -> None:
        self.tp, self.first, self.last = batch.tp, batch[0].offset, batch[-1].offset
        place = f"{self.tp.topic}[{self.tp.partition}] offsets {self.first}-{self.last}"
        super().__init__(f"handler failed on {place}: {type(cause).__name__}")


class Lanes:
    """A queue and, while there is something in it, a task for each partition."""

    def __init__(
        self,
        ledger: Ledger,
        handlers: Mapping[str, Handler],
        limit: float,
        fail: Callable[[BaseException], None],
        together: int,
    ) -> None:
        """Batches that wait are handled together, up to so many records: a handler's round trips
        cost the same for few as for many."""
        self._ledger = ledger
        self._handlers = handlers
        self._limit = limit
        self._fail = fail
        self._together = together
        self._queues: dict[TP, deque[EventT[Any]]] = {}
        self._tasks: dict[TP, asyncio.Task[None]] = {}

    def put(self, event: EventT[Any]) -> None:
        """Have the event's batch handled, and then ack it."""
        tp = cast(Batch, event.value).tp
        self._queues.setdefault(tp, deque()).append(event)
        if tp not in self._tasks:
            self._tasks[tp] = asyncio.create_task(self._work(tp), name=f"lane {tp}")

    def busy(self, tp: TP) -> bool:
        """Whether something is handled, or waits to be."""
        return tp in self._tasks

    async def _work(self, tp: TP) -> None:
        queue, handle = self._queues[tp], self._handlers[tp.topic]
        try:
            while queue:
                events = self._next(queue)
                if not events:
                    continue
                batch = together([cast(Batch, event.value) for event in events])
                try:
                    async with asyncio.timeout(self._limit):
                        await handle(tp.topic, tp.partition, batch)
                except BaseException as exc:
                    if isinstance(exc, asyncio.CancelledError) and _asked_to_end():
                        raise
                    failed = HandlerFailed(batch, exc)
                    failed.__cause__ = exc
                    self._fail(failed)
                    if isinstance(exc, Exception | asyncio.CancelledError):
                        return
                    raise  # SystemExit, KeyboardInterrupt
                for event in events:
                    event.ack()
        finally:
            del self._tasks[tp]

    def _next(self, queue: deque[EventT[Any]]) -> list[EventT[Any]]:
        """The first that may be handled and those behind it that go with it."""
        events: list[EventT[Any]] = []
        records = 0
        while queue and (
            not events or records + len(cast(Batch, queue[0].value)) <= self._together
        ):
            event = queue.popleft()
            batch = cast(Batch, event.value)
            if self._ledger.runnable(batch) and self._ledger.in_turn(batch, len(events)):
                events.append(event)
                records += len(batch)
        return events

    async def drain(self, tps: Iterable[TP], patience: float) -> None:
        """Drop what waits, let what is in hand finish, cancel it when it takes too long.

        Afterwards no handler runs for these partitions.
        """
        chosen = set(tps)
        for tp in chosen:
            self._queues.get(tp, deque()).clear()
        running = {task for tp, task in self._tasks.items() if tp in chosen}
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=patience)
        for task in late:
            task.cancel()
        if late:
            _, stuck = await asyncio.wait(late, timeout=STUBBORN)
            if stuck:
                raise TimeoutError(f"a handler ignores its cancellation: {stuck.pop().get_name()}")


def _asked_to_end() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
