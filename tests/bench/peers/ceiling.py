"""The ceiling: aiokafka 0.14 and orjson that only decode each call and publish it again.

What any Python program on this client could reach at best, with no job done at all: whole fetches,
record batches built by hand and sent as one, at least once. No state, no rules, no Redis.

    python -m tests.bench.peers.ceiling
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

SERVERS = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
PREFIX = os.environ["PIPELINE_PREFIX"]
TOPIC = f"{PREFIX}copies"
COMMIT_SECONDS: Final = 0.25


async def copy() -> None:
    """Read, decode, encode, write; commit a few times a second, once the brokers have it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=SERVERS, enable_idempotence=True, max_batch_size=1 << 18
    )
    consumer = AIOKafkaConsumer(
        f"{PREFIX}segment.raw",
        bootstrap_servers=SERVERS,
        group_id=f"{PREFIX}ceiling",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 << 20,
    )
    async with producer, consumer:
        sent: list[asyncio.Future[object]] = []
        committed = time.monotonic()
        while True:
            fetched = await consumer.getmany(timeout_ms=100, max_records=10_000)
            for partition, records in fetched.items():
                sent += await copied(producer, partition.partition, records)
            if sent and time.monotonic() - committed > COMMIT_SECONDS:
                await asyncio.gather(*sent)
                await consumer.commit()
                sent, committed = [], time.monotonic()


async def copied(
    producer: AIOKafkaProducer, partition: int, records: Sequence[ConsumerRecord]
) -> list[asyncio.Future[object]]:
    """Records of a partition in batches; each future is done when the brokers have its batch."""
    sent = []
    batch = producer.create_batch()
    for record in records:
        value = orjson.dumps(orjson.loads(record.value))
        if batch.append(key=record.key, value=value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, TOPIC, partition=partition))
            batch = producer.create_batch()
            batch.append(key=record.key, value=value, timestamp=None)
    sent.append(await producer.send_batch(batch, TOPIC, partition=partition))
    return sent


async def main() -> None:
    """Run until terminated."""
    copying = asyncio.create_task(copy())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, copying.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await copying


if __name__ == "__main__":
    asyncio.run(main())
