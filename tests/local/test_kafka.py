"""The broker that is started: transactions, restart, kill, and a folder that is kept."""

from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pipeline.local import Kafka, MissingError, parts
from pipeline.local.ports import is_open

pytestmark = pytest.mark.kafka


async def create_topic(servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("t", 1, 1)])
    finally:
        await admin.close()


async def send_in_transaction(servers: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, transactional_id="test")
    await producer.start()
    try:
        async with producer.transaction():
            for value in values:
                await producer.send("t", value)
    finally:
        await producer.stop()


async def read(servers: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        "t",
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        group_id="test",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_committed_records_survive_kill_restart_and_the_next_run(tmp_path: Path) -> None:
    try:
        async with Kafka(tmp_path) as broker:
            address = broker.address
            await create_topic(address)
            await send_in_transaction(address, b"1")
            broker.kill()
            assert not is_open(broker.port)
            await broker.start()
            await send_in_transaction(address, b"2")
            assert await read(address, 2) == [b"1", b"2"]
        assert not is_open(broker.port)
        async with Kafka(tmp_path) as broker:
            assert broker.address == address
            assert await read(address, 2) == [b"1", b"2"]
    except MissingError as missing:
        pytest.skip(str(missing))


async def test_both_parts_run_for_a_block_and_are_gone_after_it() -> None:
    async with parts(bootstrap_servers=None, redis_url=None) as addresses:
        if not addresses.transactions:
            pytest.skip("only a stand-in for Kafka on this machine")
        await create_topic(addresses.bootstrap_servers)
        await send_in_transaction(addresses.bootstrap_servers, b"1")
        assert await read(addresses.bootstrap_servers, 1) == [b"1"]
        ports = [
            int(address.split(":")[-1].split("/")[0])
            for address in (addresses.bootstrap_servers, addresses.redis_url)
        ]
        assert all(is_open(port) for port in ports)
    assert not any(is_open(port) for port in ports)
