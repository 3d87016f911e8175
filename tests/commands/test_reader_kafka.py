"""What commands read of a topic: all that is committed, up to the end as it is now."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from pipeline.adapters.kafka_reader import Kept
from tests.commands.running import Running

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module", autouse=True)
def written(running: Running, runner: asyncio.Runner) -> None:
    """In `contacts` a transaction, an aborted one, and a marker as the last thing."""

    async def write() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=running.settings.kafka.servers, transactional_id=running.names.of("t")
        )
        await producer.start()
        for values, commits in (((b"1", b"2"), True), ((b"3",), False), ((b"4",), True)):
            await producer.begin_transaction()
            for value in values:
                await producer.send_and_wait(running.names.contacts, value, b"k", partition=0)
            await (producer.commit_transaction() if commits else producer.abort_transaction())
        await producer.stop()

    runner.run(write())


def read(running: Running, runner: asyncio.Runner, **how: Any) -> list[Kept]:
    async def collect() -> list[Kept]:
        async with asyncio.timeout(10):
            return [kept async for kept in running.reader.read(running.names.contacts, **how)]

    return runner.run(collect())


def test_aborted_records_and_markers_are_passed_over(
    running: Running, runner: asyncio.Runner
) -> None:
    assert [kept.value for kept in read(running, runner)] == [b"1", b"2", b"4"]


def test_reading_begins_where_it_is_told_and_keeps_what_is_wanted(
    running: Running, runner: asyncio.Runner
) -> None:
    assert [kept.value for kept in read(running, runner, begin={0: 1})] == [b"2", b"4"]
    assert read(running, runner, begin={1: 0}) == []
    assert read(running, runner, begin={0: 10**6}) == []
    wanted = read(running, runner, wanted=lambda kept: kept.value == b"4")
    assert [kept.value for kept in wanted] == [b"4"]


def test_one_record_is_found_by_its_offset_and_a_marker_is_none(
    running: Running, runner: asyncio.Runner
) -> None:
    async def at(partition: int, offset: int) -> bytes | None:
        kept = await running.reader.at(running.names.contacts, partition, offset)
        return None if kept is None else kept.value

    values = [runner.run(at(0, offset)) for offset in range(-1, 9)]
    assert values == [None, b"1", b"2", None, None, None, b"4", None, None, None]
    assert runner.run(at(99, 0)) is None


def test_progress_is_told(running: Running, runner: asyncio.Runner) -> None:
    counts: list[int] = []
    read(running, runner, seen=counts.append)
    assert counts[-1] == 3
