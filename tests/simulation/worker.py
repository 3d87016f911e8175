"""One incarnation of a worker: the production parts, and Faust's consumer played by hand.

Partitions, lanes, ledger, publishers, barrier and relays are those of production. What is mirrored
here is `worker/consumer.py` (fetch, ack, commit, give up, take over) and `Worker._normalize`.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from faust.types import TP

from pipeline.adapters.kafka_publishers import KafkaPublisher
from pipeline.adapters.kafka_transactions import TransactionalPublisher
from pipeline.ports import OutwardPublisher
from pipeline.process.barrier import Barrier
from pipeline.settings import KafkaSettings
from pipeline.worker.lanes import HandlerFailed, Lanes
from pipeline.worker.ledger import Batch, Ledger
from pipeline.worker.options import EARLIEST
from pipeline.worker.partitions import Partitions
from pipeline.worker.strays import Strays
from pipeline.worker.worker import AUDIT_SECONDS
from tests.simulation.group import GROUP
from tests.simulation.kafka import Record
from tests.simulation.log import SimLog
from tests.simulation.loop import Process
from tests.simulation.network import Lost
from tests.simulation.producer import Offsets
from tests.simulation.system import NAMES, System

DEPTH = 30
TOGETHER = 20
PATIENCE = 8.0
COMMIT = 0.25
SERVERS = KafkaSettings("simulated:9092")


class Delivery:
    """What an agent hands to the lanes."""

    def __init__(self, batch: Batch, done: Callable[[Batch], None]) -> None:
        self.value = batch
        self._done = done

    def ack(self) -> None:
        self._done(self.value)


class Worker:
    """Lives until it fails, is stopped or is killed."""

    def __init__(self, system: System, name: str, ended: Callable[["Worker"], None]) -> None:
        self.system = system
        self.process: Process = system.loop.process(name)
        self.failure: BaseException | None = None
        self._ended = ended
        self._skew = 0
        self._generation = 0
        self._given_up = 0
        self._places: dict[TP, tuple[int, int]] = {}
        self._committed: dict[TP, int] = {}
        self._fetching: set[TP] = set()
        self._commit_due = False
        self._closed = False
        self._main = self.process.run(self._run())

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def leads(self) -> bool:
        return self.process.alive and hasattr(self, "partitions") and self.partitions.leading

    @property
    def reads(self) -> bool:
        """Whether something that it has fetched is not done, or lost."""
        return self.process.alive and hasattr(self, "_ledger") and bool(self._ledger.oldest())

    # life

    async def _run(self) -> None:
        system = self.system
        self._stop = asyncio.Event()
        self._turn = asyncio.Lock()
        self._committing = asyncio.Lock()
        self._ledger = Ledger(DEPTH)
        self._store = system.store(self.process.name)
        self._publisher = KafkaPublisher(SERVERS)
        await self._publisher.start()
        offsets = Offsets(system.cluster)

        def outward(partition: int) -> OutwardPublisher:
            return TransactionalPublisher(SERVERS, NAMES, partition, offsets)  # type: ignore[arg-type]

        self.clock = system.clock(self.process)
        barrier = Barrier(
            self._store,
            SimLog(system, self._publisher),
            self.clock,
            system.partitions,
        )
        self.partitions = Partitions(
            topic=NAMES.events,
            prefix="",
            partitions=system.partitions,
            store=self._store,
            internal=self._publisher,
            outward=outward,
            urgent=frozenset({NAMES.triggers}),
            barrier=barrier,
            committed=lambda *_: None,
            fail=self.fail,
            keeps=system.keeps,
        )
        handlers = {NAMES.raw: self._normalize, NAMES.events: self._apply}
        self._lanes = Lanes(self._ledger, handlers, 90.0, self.fail, TOGETHER)
        self._strays = Strays(self._ledger, self._lanes)
        auditing = asyncio.create_task(self._audit())
        await self._join()
        await self._stop.wait()
        auditing.cancel()
        await self._end()

    async def _end(self) -> None:
        """In order where nothing failed; else nothing is finished, only let go."""
        try:
            async with asyncio.timeout(20.0):
                if self.failure is None:
                    await self._give_up()
                    await self._tell(lambda: self.system.group.leave(self))
                else:
                    await self._lanes.drain(self._ledger.tracked(), 0)
                    await self.partitions.close()
        except Exception as error:  # noqa: BLE001
            self.system.note(self.name, f"could not end in order: {error!r}")
        self._ended(self)

    def fail(self, error: BaseException) -> None:
        """As `BatchApp.fail`."""
        self._ledger.frozen = True
        if self.failure is None:
            self.failure = error
            cause = error.__cause__ if isinstance(error, HandlerFailed) else error
            self.system.note(self.name, f"fails: {error} ({cause!r})")
            self.system.failed(self.name, cause or error)
        self._stop.set()

    def stop(self) -> None:
        """SIGTERM."""
        self._stop.set()

    # the processes

    async def _audit(self) -> None:
        """As `Worker._audit`; looks at a Redis to which nothing happened are left out."""
        try:
            while True:
                await asyncio.sleep(AUDIT_SECONDS)
                await self.system.restless.wait()
                for tp, offset in self._strays.look(asyncio.get_running_loop().time()).items():
                    await self._rewind(tp, offset)
                for tp in list(self._places):
                    self.poke(tp)
                self._commit_later()
                await self.partitions.audit(self._rewind)
        except Exception as error:  # noqa: BLE001
            self.fail(error)

    async def _normalize(self, topic: str, partition: int, batch: Batch) -> None:
        await self.system.normalize_gate.wait()
        result = self.system.normalizer.normalize(topic, partition, batch)
        await self._publisher.publish(result.events)
        await self._publisher.publish(result.dead_letters)

    async def _apply(self, topic: str, partition: int, batch: Batch) -> None:
        del topic
        await self.system.state_gates[partition].wait()
        await self.partitions.apply(self._rewind, partition, batch)

    # reading

    def wake(self, topic: str, partition: int) -> None:
        """The brokers have something new: told in this worker's own time."""
        tp = TP(topic, partition)
        if tp in self._places:
            self.system.loop.call_soon(self.poke, tp, context=self.process.context)

    def poke(self, tp: TP) -> None:
        """There may be something to read."""
        if tp in self._fetching or tp not in self._places or self._closed:
            return
        if self._ledger.wanted([tp]) and self._places[tp][0] < self.system.kafka.end(*tp):
            self._fetching.add(tp)
            self.process.run(self._fetch(tp))

    async def _fetch(self, tp: TP) -> None:
        offset, epoch = self._places[tp]
        system = self.system
        limit = system.fetch_limit()
        try:
            records: list[Record] = await system.network.request(
                system.kafka.service, lambda: system.kafka.read(*tp, offset, limit)
            )
        except Lost:
            records = []
        self._fetching.discard(tp)
        if self._places.get(tp) == (offset, epoch) and records:
            following = records[-1].offset + 1
            self._places[tp] = (following, epoch)
            batch = self._ledger.deliver(tp, epoch, records, following)
            if batch is not None and system.strays:
                system.strays -= 1
                system.restless.open()
                system.note(self.name, f"loses {batch}")
            elif batch is not None:
                self._lanes.put(Delivery(batch, self._finish))  # type: ignore[arg-type]
        self.poke(tp)

    def _finish(self, batch: Batch) -> None:
        self._ledger.finish(batch)
        self._commit_later()
        self.poke(batch.tp)

    def _commit_later(self) -> None:
        if not self._commit_due:
            self._commit_due = True
            # the commit's timer does not wait for what is done
            wait = COMMIT * self.system.rng.random() ** 3
            self.system.loop.call_later(wait, self._commit_soon)

    def _commit_soon(self) -> None:
        self._commit_due = False
        self.process.run(self._commit())

    async def _commit(self) -> None:
        async with self._committing:
            await self._commit_one()

    async def _commit_one(self) -> None:
        places = {tp: self._ledger.safe(tp) for tp in self._ledger.tracked()}
        news = {tp: at for tp, at in places.items() if at and at != self._committed.get(tp)}
        if not news:
            return
        group, generation = self.system.group, self._generation
        try:
            taken = await self.system.network.request(
                self.system.kafka.service, lambda: group.commit(self, generation, news)
            )
        except Lost:
            self._commit_later()
        else:
            self._committed |= news if taken else {}

    async def _rewind(self, tp: TP, offset: int) -> bool:
        """As `BatchConsumer.rewind`."""
        if not self._ledger.holds(tp):
            return False
        self.system.note(self.name, f"goes back to {tp.partition}:{offset}")
        self._begin(tp, offset)
        return True

    def _begin(self, tp: TP, offset: int) -> None:
        self._places[tp] = (offset, self._ledger.begin(tp, offset))
        self._fetching.discard(tp)
        self.poke(tp)

    # partitions come and go

    def on_signal(self) -> None:
        """A heartbeat said that the group is rebalancing, or that we are out of it."""
        self.process.run(self._again())

    async def _again(self) -> None:
        await self._give_up()
        if not self._stop.is_set():
            await self._join()

    async def _join(self) -> None:
        await self._tell(lambda: self.system.group.join(self))

    async def _tell(self, effect: Callable[[], Any]) -> Any:
        """The coordinator; a client repeats what is not answered."""
        while True:
            try:
                return await self.system.network.request(self.system.kafka.service, effect)
            except Lost:
                continue

    async def _give_up(self) -> None:
        """As `BatchConsumer.give_up`."""
        self._given_up += 1
        async with self._turn:
            held = self._ledger.held()
            try:
                self._ledger.close(held)
                await self._lanes.drain(held, PATIENCE)
                await self._commit()
                if held:
                    await self.partitions.on_revoked(held)
            except Exception as error:  # noqa: BLE001
                self.fail(error)
            self._ledger.forget(held)
            self._places.clear()

    def on_assigned(self, generation: int, tps: frozenset[TP]) -> None:
        self._generation = generation
        self.process.run(self._take_over(self._given_up, set(tps)))

    async def _take_over(self, turn: int, tps: set[TP]) -> None:
        """As `BatchConsumer._take_over`."""
        async with self._turn:
            if turn != self._given_up or self._stop.is_set():
                return
            self.system.on_take_over()
            try:
                await self.partitions.on_assigned(tps)
                own = dict(await self.partitions.positions(tps))
                starts = await self._starts(tps - own.keys())
            except Exception as error:  # noqa: BLE001
                self.fail(error)
                return
            self._committed = starts
            owned = sorted((tp.topic[8], tp.partition) for tp in tps)
            text = " ".join(f"{topic}{number}" for topic, number in owned)
            self.system.note(self.name, f"owns {text}")
            for tp in sorted(tps):
                offset = own.get(tp, starts.get(tp, 0))
                self._begin(tp, 0 if offset == EARLIEST else offset)

    async def _starts(self, tps: Iterable[TP]) -> dict[TP, int]:
        kafka = self.system.kafka

        def look() -> dict[TP, int]:
            found = {tp: kafka.committed(GROUP, *tp) for tp in tps}
            return {tp: at.offset for tp, at in found.items() if at is not None}

        starts: dict[TP, int] = await self._tell(look)
        return starts
