"""What a run has written, read as a consumer with read_committed reads it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer

from tests.bench.expected import Found
from tests.bench.stage import Run


@dataclass
class Outcome:
    """All outputs, and when the broker took the last contact or opt-in, seconds since the epoch."""

    found: Found = field(default_factory=Found)
    last: float = 0.0


@asynccontextmanager
async def consumer(run: Run, *topics: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A reader of these topics from their beginning, without a group."""
    reading = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=run.stage.kafka.address,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **options,
    )
    await reading.start()
    try:
        yield reading
    finally:
        await reading.stop()


async def read(run: Run) -> Outcome:
    """Everything up to now."""
    names, outcome = run.names, Outcome()
    async with consumer(run, names.contacts, names.optins, names.triggers) as reading:
        ends = await reading.end_offsets(reading.assignment())
        while any([await reading.position(place) < end for place, end in ends.items()]):
            for place, records in (await reading.getmany(timeout_ms=200)).items():
                for record in records:
                    _take(outcome, place.topic, record, names.contacts, names.optins)
    return outcome


def _take(outcome: Outcome, topic: str, record: Any, contacts: str, optins: str) -> None:
    if topic not in {contacts, optins}:
        outcome.found.take_trigger(record.value)
        return
    outcome.last = max(outcome.last, record.timestamp / 1000)
    if topic == contacts:
        outcome.found.take_contact(record.key, record.value)
    else:
        outcome.found.take_optin(record.key, record.value)


@dataclass
class Seen:
    """How many triggers a reader has seen, and when the latest one came."""

    count: int = 0
    at: float = 0.0


async def follow(run: Run, seen: Seen) -> None:
    """Read triggers as they come, until cancelled."""
    async with consumer(run, run.names.triggers, fetch_max_wait_ms=50) as reading:
        while True:
            for records in (await reading.getmany(timeout_ms=500)).values():
                seen.count += len(records)
                seen.at = time.time()


async def written(reading: AIOKafkaConsumer) -> int:
    """Offsets taken in the reader's topics, markers of transactions among them."""
    return sum((await reading.end_offsets(reading.assignment())).values())


async def settled(run: Run, quiet: float) -> None:
    """Until nothing more has been written for so many seconds."""
    names = run.names
    last, since = -1, time.monotonic()
    async with consumer(run, names.contacts, names.optins, names.triggers) as reading:
        while time.monotonic() - since < quiet:
            now = await written(reading)
            if now != last:
                last, since = now, time.monotonic()
            await asyncio.sleep(0.1)
