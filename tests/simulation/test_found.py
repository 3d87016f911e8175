"""Faults that the simulation found in the product, each as small as it can be told."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from faust.types import TP

from pipeline.adapters.clock import ManualClock
from pipeline.adapters.memory_log import MemoryLog, MemoryPublisher
from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.events import Source
from pipeline.domain.messages import Did, Record
from pipeline.domain.refs import Ref
from pipeline.names import Names
from pipeline.ports import Change, Entry, Mark, Unsettled
from pipeline.process.barrier import Barrier
from pipeline.process.pace import Pace
from pipeline.process.portion import Place
from pipeline.process.relay import Relay
from pipeline.process.replay import Logged
from pipeline.process.state import Overtaken, StateProcess
from pipeline.wire.records import Tick, encode, encode_control
from pipeline.wire.segment import decode
from pipeline.worker.partitions import Partitions

NAMES = Names()


def record(offset: int, user: str = "u1") -> Logged:
    raw = b'{"type":"page","userId":"u1","name":"Home","messageId":"m%d"}' % offset
    (event,) = decode(raw, Source(NAMES.raw, 0, offset), 1, "US").events
    return Logged(offset, 1, None, encode(Record(Ref("person", user), None, None, Did(event))))


def tick(offset: int) -> Logged:
    return Logged(offset, 1, None, encode_control(Tick(1)))


class SlowStore(MemoryStore):
    """Reading an outbox takes a step, as over any network."""

    async def outbox(self, *args: Any, **more: Any) -> list[Entry]:
        await asyncio.sleep(0)
        return await super().outbox(*args, **more)


class ForgetfulStore(MemoryStore):
    """Goes back to `past` just after it was read, as a Redis does that loses its last moment."""

    past: Mapping[int, object] | None = None

    async def load_at(self, *args: Any) -> tuple[Mark | None, list[bytes | None]]:
        found = await super().load_at(*args)
        self._forget()
        return found

    async def due_at(self, *args: Any, **more: Any) -> tuple[Mark | None, list[bytes]]:
        found = await super().due_at(*args, **more)
        self._forget()
        return found

    def has_forgotten(self) -> bool:
        return self.past is None

    def _forget(self) -> None:
        if self.past is not None:
            self.restore(self.past)
            self.past = None


class UnluckyPublisher(MemoryPublisher):
    """What became of the first publish nobody knows; nothing did."""

    unlucky = True

    async def publish(self, entries: Sequence[Entry]) -> None:
        if self.unlucky:
            self.unlucky = False
            raise Unsettled("no answer")
        await super().publish(entries)


def entries(offset: int) -> list[Entry]:
    return [Entry(Mark(offset, 1), NAMES.contacts, b"k", b"%d" % offset)]


async def published(log: MemoryLog) -> None:
    async with asyncio.timeout(5):
        while not log.read(NAMES.contacts):  # noqa: ASYNC110  # the log tells nobody
            await asyncio.sleep(0.01)


async def test_a_gap_is_not_believed_because_there_once_was_one_at_this_watermark() -> None:
    """Redis goes back twice to one watermark, the second time with a batch on its way."""
    store = MemoryStore()
    process = StateProcess(Place(0, 1, "", NAMES.events), store, lambda _: None)
    await process.open()
    await process.apply([record(0), record(1)])
    past = store.snapshot()
    for _ in range(2):
        with pytest.raises(Overtaken):
            await process.apply([record(5)])
        await process.open()
        await process.apply([record(1), record(2)])
        store.restore(past)
        await process.open()

    assert process.watermark == Mark(2, 0)


@pytest.mark.parametrize("what", [record(1, "u2"), tick(1)], ids=["entities", "what is due"])
async def test_what_was_read_of_a_commit_that_redis_then_forgot_is_not_committed(
    what: Logged,
) -> None:
    """A rival's commit: it would have been taken for ours, and what it caused for done."""
    store = ForgetfulStore()
    ours, rival = (
        StateProcess(Place(0, 1, "", NAMES.events), store, lambda _: None) for _ in range(2)
    )
    await ours.open()
    await ours.apply([record(0)])
    past = store.snapshot()
    await rival.open()
    await rival.apply([what])
    store.past = past
    with pytest.raises(Overtaken):
        await ours.apply([what])
    assert store.has_forgotten()
    assert await store.watermark(0) == Mark(1, 0)


async def test_a_first_publish_that_is_unsettled_does_not_stop_the_relay() -> None:
    """A trim was due at once and for ever, and left no time to read the outbox."""
    store, log = SlowStore(), MemoryLog(ManualClock(1), NAMES, 1)
    await store.commit(0, None, Change(Mark(1, 0), outward=entries(0)))
    relay = Relay(0, store, log, UnluckyPublisher(log, 0), pace=Pace(collect=0.0, trim_outward=0.0))
    relay.start()
    try:
        await published(log)
    finally:
        await relay.stop()


async def test_what_a_rival_commits_while_its_partition_is_taken_over_is_published() -> None:
    """The relay has looked into the outboxes, the rival commits, then the process looks."""
    store, log = MemoryStore(), MemoryLog(ManualClock(1), NAMES, 1)
    tps = {TP(NAMES.events, 0)}
    partitions = Partitions(
        topic=NAMES.events,
        prefix="",
        partitions=1,
        store=store,
        internal=log,
        outward=log.outward,
        urgent=frozenset({NAMES.contacts}),
        barrier=Barrier(store, log, ManualClock(1), 1),
        committed=lambda *_: None,
        fail=lambda error: pytest.fail(repr(error)),
    )
    rival = StateProcess(Place(0, 1, "", NAMES.events), store, lambda _: None)
    await rival.open()
    await partitions.on_assigned(tps)
    await asyncio.sleep(0.01)
    await rival.apply([record(0)])
    change = Change(Mark(2, 0), outward=entries(1))
    assert await store.commit(0, Mark(1, 0), change)
    await partitions.positions(tps)
    try:
        await published(log)
    finally:
        await partitions.on_revoked(tps)
