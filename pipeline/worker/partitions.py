"""The state partitions that this worker owns: taken over, fed, given up as the group says.

Where reading starts is the store's watermark, never Kafka's committed offset. Taking over is:
open the relay's producer (which fences the predecessor), read the watermark, go on from there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from faust.types import TP

from pipeline.ports import (
    Fenced,
    InternalPublisher,
    LogUnavailable,
    Mark,
    OutwardPublisher,
    Store,
    StoreUnavailable,
)
from pipeline.process.barrier import Barrier
from pipeline.process.holdings import CACHE_MAX
from pipeline.process.portion import Place
from pipeline.process.relay import Relay
from pipeline.process.state import Committed, Overtaken, StateProcess
from pipeline.worker.options import EARLIEST

FENCE_SECONDS: Final = 3.0
LOG_SECONDS: Final = 120.0
"""How long brokers may be silent while partitions are taken over, as the relay waits for them."""
ROOM_SECONDS: Final = 5.0
"""How long a batch waits while outputs of its partition are to be published: not for ever, so that
nobody who waits for the batch, as a rebalance does, takes it for stuck."""
_PAUSE: Final = 0.5
LEADER: Final = 0
"""The partition whose owner runs the barrier."""


Check = Callable[[Mapping[int, Mark | None]], Awaitable[Mapping[int, int]]]
"""Given where partitions stand it tells where their logs begin; raises where they can't go on."""
Rewind = Callable[[TP, int], Awaitable[Any]]


@dataclass(slots=True)
class _Owned:
    process: StateProcess
    relay: Relay
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    turns: int = 0
    """How often reading went back: what was read before is to be dropped."""
    left: Mark | None = None
    """An unpublished entry that the last audit saw while the relay had nothing to do."""


async def _unchecked(_: Mapping[int, Mark | None]) -> Mapping[int, int]:
    return {}


class Partitions:
    """Fulfils the transport's `Hooks` for `segment.events`, and is its handler."""

    def __init__(
        self,
        *,
        topic: str,
        prefix: str,
        partitions: int,
        store: Store,
        internal: InternalPublisher,
        outward: Callable[[int], OutwardPublisher],
        urgent: frozenset[str],
        barrier: Barrier,
        committed: Callable[[int, Committed], None],
        fail: Callable[[BaseException], None],
        overtaken: Callable[[], None] = lambda: None,
        check: Check = _unchecked,
        patience: float = LOG_SECONDS,
        keeps: int = CACHE_MAX,
    ) -> None:
        """`outward` makes a partition's publisher; `fail` ends the worker.

        `keeps`: so many entities stay in memory, however many partitions share them.
        """
        self._keeps = keeps
        self._patience = patience
        self._overtaken = overtaken
        self._check = check
        self._topic = topic
        self._prefix = prefix
        self._count = partitions
        self._store = store
        self._internal = internal
        self._outward = outward
        self._urgent = urgent
        self._barrier = barrier
        self._leading: asyncio.Task[None] | None = None
        self._told = committed
        self._fail = fail
        self._owned: dict[int, _Owned] = {}
        self._renewing: set[asyncio.Task[None]] = set()

    @property
    def owned(self) -> Sequence[int]:
        """Numbers of the partitions that are this worker's."""
        return sorted(self._owned)

    @property
    def kept(self) -> int:
        """How many entities are in memory."""
        return sum(owned.process.kept for owned in self._owned.values())

    @property
    def leading(self) -> bool:
        """Whether this worker runs the barrier."""
        return self._leading is not None

    async def on_assigned(self, tps: set[TP]) -> None:
        """Take over what is new; see `Hooks`."""
        numbers = {tp.partition for tp in tps if tp.topic == self._topic}
        new = {number: self._process(number) for number in sorted(numbers - self._owned.keys())}
        await self._open(new)
        for number, process in new.items():
            self._owned[number] = _Owned(process, self._relay(number))
        if LEADER in numbers and self._leading is None:
            self._leading = asyncio.create_task(self._barrier.run(), name="barrier")
            self._leading.add_done_callback(self._ended)

    def _process(self, number: int) -> StateProcess:
        def committed(change: Committed) -> None:
            self._owned[number].relay.offer(change.internal, change.outward)
            self._told(number, change)

        place = Place(number, self._count, self._prefix, self._topic)
        return StateProcess(place, self._store, committed, keeps=self._share)

    def _share(self) -> int:
        """Of a partition, of the entities that stay in memory."""
        return self._keeps // max(1, len(self._owned))

    async def _open(self, processes: Mapping[int, StateProcess]) -> Mapping[int, int]:
        """Where the store stands for these; returns where to read from."""
        await asyncio.gather(*(process.open() for process in processes.values()))
        starts = await self._begins({n: process.stored for n, process in processes.items()})
        return {n: max(process.begin, starts.get(n, 0)) for n, process in processes.items()}

    async def _begins(self, stored: Mapping[int, Mark | None]) -> Mapping[int, int]:
        """What the check says, once the brokers answer: without them nothing is read anyway."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        while True:
            try:
                return await self._check(stored)
            except LogUnavailable:
                if loop.time() >= until:
                    raise
                await asyncio.sleep(_PAUSE)

    def _relay(self, number: int) -> Relay:
        relay = Relay(
            number, self._store, self._internal, self._outward(number), urgent=self._urgent
        )
        relay.failed.add_done_callback(lambda failed: self._relay_ended(number, failed))
        relay.start()
        return relay

    async def positions(self, tps: set[TP]) -> Mapping[TP, int]:
        """Where the store stands; see `Hooks`."""
        owned = {tp.partition: self._owned[tp.partition] for tp in tps if tp.topic == self._topic}
        async with AsyncExitStack() as stack:
            for number in sorted(owned):  # a batch from before may still be in hand
                await stack.enter_async_context(owned[number].lock)
                owned[number].turns += 1
            begins = await self._open({number: owned[number].process for number in owned})
            for each in owned.values():  # a rival may have gone on since the relay read its outbox
                each.relay.reload()
        return {TP(self._topic, number): begins[number] or EARLIEST for number in begins}

    async def on_revoked(self, tps: set[TP]) -> None:
        """Let go; see `Hooks`."""
        numbers = {tp.partition for tp in tps if tp.topic == self._topic}
        if LEADER in numbers:
            await self._stop_leading()
        gone = [self._owned.pop(number) for number in numbers & self._owned.keys()]
        await asyncio.gather(*(owned.relay.stop() for owned in gone))

    async def close(self) -> None:
        """Let go of everything, also after a failure."""
        await self.on_revoked({TP(self._topic, number) for number in self._owned} | {self._leader})

    @property
    def _leader(self) -> TP:
        return TP(self._topic, LEADER)

    async def apply(self, rewind: Rewind, partition: int, records: Sequence[Any]) -> None:
        """Take a batch; where the store stands elsewhere, go back (or on) to it."""
        owned = self._owned.get(partition)
        if owned is None:
            return
        turns = owned.turns
        await owned.relay.room(ROOM_SECONDS)
        async with owned.lock:
            if turns != owned.turns:
                return  # reading went back while this batch waited: it comes again
            try:
                await owned.process.apply(records)
            except Overtaken:
                await self._go_back(owned, rewind)

    async def audit(self, rewind: Rewind) -> None:
        """See that the store stands where the processes left it; for every few seconds.

        Where nothing comes in no commit would notice that Redis has forgotten something: what is
        due by it would be overlooked, and a trim that it forgot would hold up the barrier.
        """
        numbers = self.owned
        try:
            progress = await self._store.progress(numbers)
        except StoreUnavailable:
            return  # whoever needs it will say so
        for number in numbers:
            owned = self._owned.get(number)
            if owned is None:
                continue
            if progress[number].watermark != owned.process.watermark:
                async with owned.lock:  # a commit may have been under way
                    if await self._store.watermark(number) != owned.process.stored:
                        await self._go_back(owned, rewind)
                continue
            left = progress[number].unpublished if owned.relay.idle else None
            if left is not None and left == owned.left:
                owned.relay.reload()
            owned.left = left

    async def _go_back(self, owned: _Owned, rewind: Rewind) -> None:
        self._overtaken()
        owned.turns += 1
        number = owned.process.place.partition
        begin = (await self._open({number: owned.process}))[number]
        owned.relay.reload()
        await rewind(TP(self._topic, number), begin)

    async def _stop_leading(self) -> None:
        task, self._leading = self._leading, None
        if task is not None:
            task.remove_done_callback(self._ended)
            task.cancel()
            await asyncio.wait([task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _relay_ended(self, number: int, failed: asyncio.Future[None]) -> None:
        error = None if failed.cancelled() else failed.exception()
        if isinstance(error, Fenced):
            task = asyncio.create_task(self._after_fence(number), name=f"after-fence-{number}")
            self._renewing.add(task)
            task.add_done_callback(self._renewing.discard)
        elif error is not None:
            self._fail(error)

    async def _after_fence(self, number: int) -> None:
        """Somebody opened a producer for a partition of ours: a successor, or a pause of our own.

        A successor's group takes the partition from us soon. If it is still ours then, a new relay
        reads the place and goes on; while two contest it each entry still goes out once.
        """
        await asyncio.sleep(FENCE_SECONDS)
        owned = self._owned.get(number)
        if owned is not None and owned.relay.failed.done():
            await owned.relay.stop()
            owned.relay = self._relay(number)
