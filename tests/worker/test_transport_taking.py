"""What is taken from aiokafka's fetcher: everything once, in order, a share of each partition."""

import asyncio
from collections import OrderedDict
from typing import Any

import pytest
from aiokafka.consumer.fetcher import (
    READ_COMMITTED,
    Fetcher,
    FetchError,
    FetchResult,
    PartitionRecords,
)
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP

from pipeline.worker.taking import take

pytestmark = pytest.mark.asyncio
P0, P1, P2 = TP("t", 0), TP("t", 1), TP("t", 2)


class Idle(Fetcher):  # type: ignore[misc]
    """aiokafka's fetcher with what it has read, but no broker to read from."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._subscriptions = SubscriptionState()
        self._subscriptions.assign_from_user([P0, P1])
        self._records: OrderedDict[TP, Any] = OrderedDict()
        self._fetch_waiters: set[asyncio.Future[None]] = set()
        self._wait_consume_future = self._loop.create_future()
        self._closed = False
        self.at = {P0: 0, P1: 0}
        for tp in self.at:
            self.assignment.state_value(tp).seek(0)

    @property
    def assignment(self) -> Any:
        return self._subscriptions.subscription.assignment

    def read(self, tp: TP, count: int) -> None:
        """A fetch has brought so many records."""
        made = BatchBuilder(
            1 << 20, 0, is_transactional=False, key_serializer=None, value_serializer=None
        )
        for n in range(count):
            made.append(timestamp=1000 + n, key=b"k", value=b"%d" % n, headers=[])
        records = PartitionRecords(
            tp,
            MemoryRecords(bytes(made._build())),
            aborted_transactions=[],
            fetch_offset=self.at[tp],
            key_deserializer=None,
            value_deserializer=None,
            check_crcs=True,
            isolation_level=READ_COMMITTED,
        )
        self._records[tp] = FetchResult(
            tp, assignment=self.assignment, partition_records=records, backoff=0
        )
        for waiter in self._fetch_waiters:
            self._notify(waiter)

    def failed(self, tp: TP) -> None:
        self._records[tp] = FetchError(error=OffsetOutOfRangeError({tp: 7}), backoff=0)


def offsets(taken: dict[TP, list[Any]]) -> dict[TP, list[int]]:
    return {tp: [record.offset for record in records] for tp, records in taken.items()}


async def test_every_partition_gives_its_share() -> None:
    fetcher = Idle()
    fetcher.read(P0, 5)
    fetcher.read(P1, 2)
    assert offsets(await take(fetcher, {P0, P1}, 0, 3)) == {P0: [0, 1, 2], P1: [0, 1]}
    assert fetcher.assignment.state_value(P0).position == 3
    assert offsets(await take(fetcher, {P0, P1}, 0, 3)) == {P0: [3, 4]}
    assert await take(fetcher, {P0, P1}, 0, 3) == {}
    assert fetcher.assignment.state_value(P0).position == 5
    assert fetcher._wait_consume_future.done()
    assert not fetcher._records


async def test_records_have_what_was_written() -> None:
    fetcher = Idle()
    fetcher.read(P0, 2)
    _, record = (await take(fetcher, {P0}, 0, 9))[P0]
    assert (record.offset, record.timestamp, record.timestamp_type) == (1, 1001, 0)
    assert (record.key, record.value) == (b"k", b"1")


async def test_what_is_not_wanted_is_kept_unless_it_is_lost() -> None:
    fetcher = Idle()
    fetcher.read(P0, 1)
    fetcher._records[P2] = fetcher._records[P0]
    assert await take(fetcher, {P1}, 0, 9) == {}
    assert list(fetcher._records) == [P0]
    assert offsets(await take(fetcher, {P0}, 0, 9)) == {P0: [0]}


async def test_a_failure_is_raised_once_and_after_what_was_read() -> None:
    fetcher = Idle()
    fetcher.read(P0, 1)
    fetcher.failed(P1)
    assert offsets(await take(fetcher, {P0, P1}, 0, 9)) == {P0: [0]}
    with pytest.raises(OffsetOutOfRangeError):
        await take(fetcher, {P0, P1}, 0, 9)
    assert await take(fetcher, {P0, P1}, 0, 9) == {}


async def test_records_from_before_a_seek_are_not_taken() -> None:
    fetcher = Idle()
    fetcher.read(P0, 3)
    fetcher.assignment.state_value(P0).seek(1)
    assert await take(fetcher, {P0}, 0, 9) == {}
    assert not fetcher._records


async def test_it_waits_for_what_comes() -> None:
    fetcher = Idle()
    taking = asyncio.create_task(take(fetcher, {P0}, 60, 9))
    await asyncio.sleep(0)
    fetcher.read(P0, 1)
    assert offsets(await taking) == {P0: [0]}
    assert await take(fetcher, {P0}, 0.01, 9) == {}
    await asyncio.sleep(0)
    assert not fetcher._fetch_waiters


async def test_one_that_is_closed_meanwhile_gives_nothing() -> None:
    fetcher = Idle()
    taking = asyncio.create_task(take(fetcher, {P0}, 60, 9))
    await asyncio.sleep(0)
    fetcher._closed = True
    for waiter in fetcher._fetch_waiters:
        fetcher._notify(waiter)
    assert await taking == {}


async def test_nothing_is_taken_where_it_would_be_dropped() -> None:
    fetcher = Idle()
    fetcher.read(P0, 3)
    assert await take(fetcher, [P0], 0.01, 9, lambda: False) == {}
    found = await take(fetcher, [P0], 0.01, 9)
    assert len(found[P0]) == 3
