"""Exactly-once publishing on a real broker."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from pipeline.adapters.kafka_connection import Connection
from pipeline.adapters.kafka_log import KafkaLog
from pipeline.adapters.kafka_offsets import Committed, GroupOffsets
from pipeline.adapters.kafka_publishers import KafkaPublisher, PlainPublisher
from pipeline.adapters.kafka_transactions import TransactionalPublisher, require_transactions
from pipeline.adapters.topics import Topics, specs
from pipeline.local import LocalError
from pipeline.local.standin import StandIn
from pipeline.names import Names
from pipeline.ports import Entry, Fenced, LogUnavailable, Mark, Unsettled
from pipeline.settings import KafkaSettings

pytestmark = pytest.mark.kafka


@pytest.fixture
def kafka(servers: str) -> KafkaSettings:
    return KafkaSettings(servers)


@pytest_asyncio.fixture(autouse=True)
async def topics(kafka: KafkaSettings, names: Names) -> None:
    await Topics(kafka).create(specs(names, 3))


@pytest_asyncio.fixture
async def connection(kafka: KafkaSettings) -> AsyncIterator[Connection]:
    connection = Connection(kafka)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def publisher(kafka: KafkaSettings) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(kafka)
    await publisher.start()
    yield publisher
    await publisher.close()


def outward(names: Names, offset: int, index: int = 1) -> Entry:
    return Entry(Mark(offset, index), names.triggers, b"u%d" % offset, b"%d-%d" % (offset, index))


async def read(
    servers: str | None, topic: str, count: int, *, more: float = 0.3
) -> list[tuple[int, bytes | None, bytes | None]]:
    """All committed records: at least `count`, and what comes within a moment after them."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        group_id=None,
    )
    found: list[tuple[int, bytes | None, bytes | None]] = []
    await consumer.start()
    try:
        while True:
            wait = 10.0 if len(found) < count else more
            try:
                record = await asyncio.wait_for(consumer.getone(), wait)
            except TimeoutError:
                return found
            found.append((record.partition, record.key, record.value))
    finally:
        await consumer.stop()


def transactional(
    kafka: KafkaSettings, names: Names, connection: Connection
) -> TransactionalPublisher:
    return TransactionalPublisher(kafka, names, 1, GroupOffsets(connection))


async def test_records_and_place_go_together(
    kafka: KafkaSettings, names: Names, connection: Connection
) -> None:
    first = transactional(kafka, names, connection)
    assert await first.open() is None
    await first.publish([outward(names, o) for o in range(1, 6)])
    await first.publish([outward(names, 6, 1), outward(names, 6, 7)])
    assert await first.place() == Mark(6, 7)
    await first.publish([])
    await first.close()
    second = transactional(kafka, names, connection)
    assert await second.open() == Mark(6, 7)
    await second.close()
    values = {value for _, _, value in await read(kafka.servers, names.triggers, 7)}
    assert values == {b"%d-1" % o for o in range(1, 7)} | {b"6-7"}


async def test_a_second_owner_fences_the_first_and_nothing_is_doubled(
    kafka: KafkaSettings, names: Names, connection: Connection
) -> None:
    first, second = (transactional(kafka, names, connection) for _ in range(2))
    await first.open()
    await first.publish([outward(names, 1)])
    assert await second.open() == Mark(1, 1)
    with pytest.raises(Fenced):
        await first.publish([outward(names, 2)])
    with pytest.raises(Unsettled):
        await first.publish([outward(names, 2)])
    await second.publish([outward(names, 2)])
    assert await first.open() == Mark(2, 1)
    with pytest.raises(ValueError, match="was published"):
        await first.publish([outward(names, 2)])
    with pytest.raises(Fenced):
        await second.publish([outward(names, 3)])
    await first.close()
    assert len(await read(kafka.servers, names.triggers, 2)) == 2


async def test_a_predecessor_killed_in_a_transaction_leaves_the_old_place(
    kafka: KafkaSettings, names: Names, connection: Connection
) -> None:
    first = transactional(kafka, names, connection)
    await first.open()
    await first.publish([outward(names, 1)])
    await first.close()
    killed = AIOKafkaProducer(
        bootstrap_servers=kafka.servers, transactional_id=names.transactional_id(1)
    )
    await killed.start()
    await killed.begin_transaction()
    await killed.send_and_wait(names.triggers, b"2-1", b"u2")
    place = {TopicPartition(names.events, 1): OffsetAndMetadata(2, "2:1")}
    await killed.send_offsets_to_transaction(place, names.relay_group)
    # reading while it is pending waits for the outcome
    reading = asyncio.create_task(first.place())
    await asyncio.sleep(0.2)
    assert not reading.done()
    second = transactional(kafka, names, connection)
    assert await second.open() == Mark(1, 1)
    assert await reading == Mark(1, 1)
    await second.publish([outward(names, 2)])
    await second.close()
    await killed.client.close()
    killed._sender.sender_task.cancel()
    killed._closed = True
    assert len(await read(kafka.servers, names.triggers, 2)) == 2


async def test_a_publish_cut_off_is_not_known_and_opening_tells(
    kafka: KafkaSettings, names: Names, connection: Connection
) -> None:
    publisher = transactional(kafka, names, connection)
    await publisher.open()
    await publisher.publish([outward(names, 1)])
    for delay in (0.001, 0.004, 0.008, 0.012):
        cut = asyncio.create_task(publisher.publish([outward(names, o) for o in (2, 3)]))
        await asyncio.sleep(delay)
        if not cut.done():
            cut.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cut
        place = await publisher.open()
        assert place in {Mark(1, 1), Mark(3, 1)}
        if place == Mark(3, 1):
            break
    else:
        await publisher.publish([outward(names, 2), outward(names, 3)])
    await publisher.close()
    assert len(await read(kafka.servers, names.triggers, 3)) == 3


async def test_a_record_that_is_too_large_leaves_nothing_behind(
    kafka: KafkaSettings, names: Names, connection: Connection
) -> None:
    publisher = transactional(kafka, names, connection)
    await publisher.open()
    large = Entry(Mark(2, 1), names.triggers, b"u", bytes(5_000_000))
    with pytest.raises(Unsettled, match=r"5000001 bytes.*offset=2"):
        await publisher.publish([outward(names, 1), large])
    assert await publisher.open() is None
    allowed = Entry(Mark(2, 1), names.triggers, b"u", bytes(4_000_000))
    await publisher.publish([outward(names, 1), allowed])
    await publisher.close()
    assert len(await read(kafka.servers, names.triggers, 2)) == 2


async def test_internal_entries_keep_their_order_within_a_partition(
    kafka: KafkaSettings, names: Names, publisher: KafkaPublisher
) -> None:
    def entries(source: int) -> list[Entry]:
        return [
            Entry(Mark(o, 1), names.events, b"%d" % source, bytes(2000) + b"%d" % o, (), o % 3)
            for o in range(1000)
        ]

    async def one(source: int) -> None:
        every = entries(source)
        for start in range(0, 1000, 300):
            await publisher.publish(every[start : start + 300])

    await asyncio.gather(*(one(source) for source in range(4)))
    found: dict[tuple[int, bytes | None], list[int]] = {}
    for partition, key, value in await read(kafka.servers, names.events, 4000):
        assert value is not None
        found.setdefault((partition, key), []).append(int(value[2000:]))
    assert len(found) == 12
    for (partition, _), offsets in found.items():
        assert offsets == list(range(partition, 1000, 3))


async def test_a_failed_internal_publish_is_final(names: Names, publisher: KafkaPublisher) -> None:
    large = Entry(Mark(1, 1), names.events, b"u", bytes(5_000_000), (), 0)
    with pytest.raises(LogUnavailable, match="5000001"):
        await publisher.publish([large])
    with pytest.raises(LogUnavailable):
        await publisher.publish([outward(names, 1)])


async def test_keys_go_where_kafkas_own_partitioner_sends_them(
    kafka: KafkaSettings, names: Names, publisher: KafkaPublisher
) -> None:
    plain = PlainPublisher(publisher)
    assert await plain.open() is None
    await plain.publish([outward(names, o) for o in range(1, 40)])
    producer = AIOKafkaProducer(bootstrap_servers=kafka.servers)
    await producer.start()
    theirs = {}
    for offset in range(1, 40):
        meta = await producer.send_and_wait(names.decisions, b"", b"u%d" % offset)
        theirs[b"u%d" % offset] = meta.partition
    await producer.stop()
    ours = {key: p for p, key, _ in await read(kafka.servers, names.triggers, 39)}
    assert ours == theirs


async def test_the_log_tells_ends_and_places(
    kafka: KafkaSettings, names: Names, publisher: KafkaPublisher, connection: Connection
) -> None:
    log = KafkaLog(names, connection, publisher)
    assert set((await log.raw_ends()).values()) == {0}
    assert await log.normalized() == await log.raw_ends()
    await log.append(2, b"tick")
    assert await log.event_ends() == {0: 0, 1: 0, 2: 1}
    producer = AIOKafkaProducer(bootstrap_servers=kafka.servers, transactional_id=names.of("x"))
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(names.raw, b"{}", partition=0)
    assert (await log.raw_ends())[names.raw, 0] == 0
    await producer.commit_transaction()
    for _ in range(50):
        if (await log.raw_ends())[names.raw, 0]:
            break
        await asyncio.sleep(0.02)
    assert (await log.raw_ends())[names.raw, 0] == 2
    assert (await log.normalized())[names.raw, 0] == 0
    await producer.begin_transaction()
    place = {TopicPartition(names.raw, 0): OffsetAndMetadata(2, "")}
    await producer.send_offsets_to_transaction(place, names.worker_group)
    await producer.commit_transaction()
    await producer.stop()
    assert (await log.normalized())[names.raw, 0] == 2


async def test_topics_are_created_once_and_checked(kafka: KafkaSettings, names: Names) -> None:
    wanted = specs(names, 3)
    topics = Topics(kafka)
    assert await topics.create(wanted) == []
    assert await topics.check(wanted) == []
    other = Names(names.prefix + "b.")
    missing = await topics.check(specs(other, 3))
    assert len(missing) == len(wanted)
    assert all(difference.fatal for difference in missing)
    (partitions,) = await topics.check(specs(names, 4))
    assert partitions[:4] == (names.events, "partitions", "3", "4")
    assert partitions.fatal
    assert "PIPELINE_PARTITIONS=3" in partitions.remedy


async def test_a_commit_that_is_not_found_afterwards_is_not_believed(
    kafka: KafkaSettings, names: Names, connection: Connection
) -> None:
    class Blind(GroupOffsets):
        async def committed(
            self, group: str, topic: str, partitions: Iterable[int]
        ) -> dict[int, Committed]:
            return {}

    publisher = TransactionalPublisher(kafka, names, 1, Blind(connection))
    assert await publisher.open() is None
    with pytest.raises(Unsettled, match="found None"):
        await publisher.publish([outward(names, 1)])
    await publisher.close()


async def test_a_foreign_group_of_our_name_is_not_taken_for_the_place(
    kafka: KafkaSettings, names: Names, connection: Connection
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.servers, transactional_id=names.of("x"))
    await producer.start()
    await producer.begin_transaction()
    place = {TopicPartition(names.events, 1): OffsetAndMetadata(2, "")}
    await producer.send_offsets_to_transaction(place, names.relay_group)
    await producer.commit_transaction()
    await producer.stop()
    with pytest.raises(LogUnavailable, match="PIPELINE_PREFIX"):
        await transactional(kafka, names, connection).open()


async def test_a_broker_with_transactions_is_accepted(kafka: KafkaSettings, names: Names) -> None:
    await require_transactions(kafka, names)


async def test_a_broker_without_transactions_is_refused_with_advice(names: Names) -> None:
    try:
        async with StandIn() as broker:
            kafka = KafkaSettings(broker.address)
            await Topics(kafka).create(specs(names, 3))
            with pytest.raises(LogUnavailable, match="PIPELINE_DELIVERY=at-least-once"):
                await require_transactions(kafka, names)
            publisher = KafkaPublisher(kafka, idempotent=False)
            await publisher.start()
            plain = PlainPublisher(publisher)
            assert await plain.open() is None
            await plain.publish([outward(names, o) for o in range(1, 9)])
            await publisher.close()
            assert len(await read(kafka.servers, names.triggers, 8)) == 8
    except LocalError as error:
        pytest.skip(str(error))
