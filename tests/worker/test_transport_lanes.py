"""Order within a partition, partitions side by side, and failures that nobody swallows."""

import asyncio
from typing import Any, cast

import pytest
from faust.types import TP

from pipeline.worker.lanes import Handler, HandlerFailed, Lanes
from pipeline.worker.ledger import Batch, Ledger
from pipeline.worker.strays import PATIENCE, Strays

pytestmark = pytest.mark.asyncio
P0, P1 = TP("t", 0), TP("t", 1)


class Record:
    def __init__(self, offset: int) -> None:
        self.offset = offset


class Event:
    def __init__(self, ledger: Ledger, batch: Batch) -> None:
        self.ledger, self.value = ledger, batch

    def ack(self) -> None:
        self.ledger.finish(self.value)


class Bench:
    def __init__(self, handler: Handler, limit: float = 5.0, together: int = 1) -> None:
        self.ledger = Ledger(depth=9)
        self.failures: list[BaseException] = []
        self.lanes = Lanes(self.ledger, {"t": handler}, limit, self.fail, together)
        self.epochs = {tp: self.ledger.begin(tp, 0) for tp in (P0, P1)}

    def fail(self, exc: BaseException) -> None:
        self.ledger.frozen = True
        self.failures.append(exc)

    def put(self, tp: TP, offset: int, count: int = 1) -> None:
        records = [Record(offset + n) for n in range(count)]
        batch = self.ledger.deliver(tp, self.epochs[tp], records, offset + count)
        assert batch is not None
        self.lanes.put(cast(Any, Event(self.ledger, batch)))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_order_within_and_side_by_side_between() -> None:
    gate, now, most = asyncio.Event(), set[int](), 0
    seen: list[tuple[int, int]] = []

    async def handler(topic: str, partition: int, records: Batch) -> None:
        nonlocal most
        assert partition not in now
        now.add(partition)
        most = max(most, len(now))
        await gate.wait()
        seen.append((partition, records[0].offset))
        now.discard(partition)

    bench = Bench(handler)
    for offset in range(3):
        bench.put(P0, offset)
        bench.put(P1, offset)
    await settle()
    assert seen == []
    assert most == 2
    gate.set()
    await settle()
    assert [o for p, o in seen if p == 0] == [o for p, o in seen if p == 1] == [0, 1, 2]
    assert bench.ledger.safe(P0) == 3
    bench.put(P0, 3)
    await settle()
    assert bench.ledger.safe(P0) == 4


async def test_small_batches_that_wait_are_handled_together() -> None:
    gate = asyncio.Event()
    seen: list[tuple[list[int], int]] = []

    async def handler(topic: str, partition: int, records: Batch) -> None:
        seen.append(([record.offset for record in records], records.following))
        await gate.wait()

    bench = Bench(handler, together=4)
    bench.put(P0, 0)
    await settle()
    for offset, count in ((1, 2), (3, 2), (5, 9), (14, 1)):
        bench.put(P0, offset, count)
    bench.put(P1, 0, 2)
    gate.set()
    await settle()
    assert [at for at in seen if at[0][0] or len(at[0]) == 1] == [
        ([0], 1),
        ([1, 2, 3, 4], 5),
        ([*range(5, 14)], 14),
        ([14], 15),
    ]
    assert bench.ledger.safe(P0) == 15
    assert bench.ledger.safe(P1) == 2


async def test_what_is_handled_together_ends_together() -> None:
    async def handler(topic: str, partition: int, records: Batch) -> None:
        if len(records) > 1:
            raise ValueError

    bench = Bench(handler, together=4)
    bench.put(P0, 0)
    await settle()
    bench.put(P0, 1)
    bench.put(P0, 2)
    before = bench.ledger.safe(P0)
    await settle()
    (failure,) = bench.failures
    assert str(failure) == "handler failed on t[0] offsets 1-2: ValueError"
    bench.ledger.frozen = False
    assert bench.ledger.safe(P0) == before == 1


async def test_a_batch_from_before_a_seek_is_left_out_of_what_goes_together() -> None:
    seen: list[list[int]] = []

    async def handler(topic: str, partition: int, records: Batch) -> None:
        seen.append([record.offset for record in records])

    bench = Bench(handler, together=9)
    bench.put(P0, 0)
    bench.put(P0, 1)
    bench.epochs[P0] = bench.ledger.begin(P0, 0)
    bench.put(P0, 0)
    bench.put(P0, 1)
    await settle()
    assert seen == [[0, 1]]
    assert bench.ledger.safe(P0) == 2


@pytest.mark.parametrize("thrown", [ValueError("+1 212 555 0100"), asyncio.CancelledError()])
async def test_a_failure_ends_it_all(thrown: BaseException) -> None:
    seen: list[int] = []

    async def handler(topic: str, partition: int, records: Batch) -> None:
        seen.append(records[0].offset)
        if records[0].offset == 1:
            raise thrown

    bench = Bench(handler)
    for offset in range(3):
        bench.put(P0, offset)
    await settle()
    assert seen == [0, 1]
    (failure,) = bench.failures
    assert isinstance(failure, HandlerFailed)
    assert failure.__cause__ is thrown
    assert str(failure) == f"handler failed on t[0] offsets 1-1: {type(thrown).__name__}"


async def test_a_stuck_handler_fails() -> None:
    async def handler(topic: str, partition: int, records: Batch) -> None:
        await asyncio.sleep(60)

    bench = Bench(handler, limit=0.02)
    bench.put(P0, 0)
    await asyncio.sleep(0.1)
    assert isinstance(bench.failures[0].__cause__, TimeoutError)


async def test_drain_lets_finish_and_drops_the_rest() -> None:
    gate = asyncio.Event()
    seen: list[int] = []

    async def handler(topic: str, partition: int, records: Batch) -> None:
        await gate.wait()
        seen.append(records[0].offset)

    bench = Bench(handler)
    bench.put(P0, 0)
    bench.put(P0, 1)
    await settle()
    bench.ledger.close([P0])
    asyncio.get_running_loop().call_later(0.01, gate.set)
    await bench.lanes.drain([P0], 1.0)
    assert seen == [0]
    assert bench.ledger.safe(P0) == 1
    assert not bench.failures


async def test_drain_cancels_what_takes_too_long() -> None:
    async def handler(topic: str, partition: int, records: Batch) -> None:
        await asyncio.sleep(60)

    bench = Bench(handler)
    bench.put(P0, 0)
    await settle()
    await bench.lanes.drain([P0], 0.01)
    assert bench.ledger.safe(P0) == 0
    assert not bench.failures
    bench.epochs[P0] = bench.ledger.begin(P0, 0)  # ours again: the lane works as before
    bench.put(P0, 0)
    await settle()
    await bench.lanes.drain([P0], 0)


async def test_a_seek_in_the_handler_drops_what_waits() -> None:
    seen: list[int] = []

    async def handler(topic: str, partition: int, records: Batch) -> None:
        seen.append(records[0].offset)
        if seen == [0, 1]:
            bench.epochs[P0] = bench.ledger.begin(P0, 0)
            bench.put(P0, 0)

    bench = Bench(handler)
    for offset in range(4):
        bench.put(P0, offset)
    await settle()
    assert seen == [0, 1, 0]
    assert bench.ledger.safe(P0) == 1


async def test_nothing_is_handled_behind_what_never_came() -> None:
    seen: list[int] = []

    async def handler(topic: str, partition: int, records: Batch) -> None:
        seen.extend(record.offset for record in records)

    bench = Bench(handler, together=9)
    bench.put(P0, 0)
    bench.ledger.deliver(P0, bench.epochs[P0], [Record(1)], 2)
    bench.put(P0, 2)
    await settle()
    assert seen == [0]
    assert bench.ledger.lost() == {P0: 1}


async def test_what_never_comes_to_its_lane_is_lost_after_a_while() -> None:
    gate = asyncio.Event()

    async def handler(topic: str, partition: int, records: Batch) -> None:
        await gate.wait()

    bench = Bench(handler)
    strays = Strays(bench.ledger, bench.lanes)
    bench.ledger.deliver(P0, bench.epochs[P0], [Record(0)], 1)
    bench.put(P1, 0)
    await settle()
    assert [strays.look(now) for now in (0.0, PATIENCE, PATIENCE + 0.1)] == [{}, {}, {P0: 0}]
    assert not bench.ledger.holds(TP("t", 2))
    bench.epochs[P0] = bench.ledger.begin(P0, 0)
    assert strays.look(2 * PATIENCE + 9) == {}
    gate.set()
