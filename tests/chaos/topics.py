"""All that stands in topics at the end, read anew from the beginning."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition


class Stood(NamedTuple):
    """One record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


async def everything(servers: str, topics: Iterable[str]) -> AsyncIterator[Stood]:
    """As a `read_committed` consumer sees it."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        wanted = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(await _partitions(consumer, topic))
        ]
        consumer.assign(wanted)
        ends = await consumer.end_offsets(wanted)
        await consumer.seek_to_beginning(*wanted)
        while not await _read(consumer, ends):
            found: dict[Any, list[Any]] = await consumer.getmany(timeout_ms=500)
            for records in found.values():
                for r in records:
                    yield Stood(
                        r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, dict(r.headers)
                    )
    finally:
        await consumer.stop()


async def _partitions(consumer: Any, topic: str) -> set[int]:
    for _ in range(50):
        found = consumer.partitions_for_topic(topic)
        if found:
            return set(found)
        await consumer._client.force_metadata_update()
        await consumer.topics()
        await asyncio.sleep(0.1)
    raise LookupError(topic)


async def _read(consumer: Any, ends: dict[Any, int]) -> bool:
    return all([await consumer.position(tp) >= end for tp, end in ends.items()])
