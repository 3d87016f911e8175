"""What a run has written, read as a consumer with read_committed reads it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.commands.reach import reach
from tests.bench.expected import Found
from tests.bench.stage import Run

Take = Callable[[str, Any, float], None]
"""Given a topic, a record, and when it could be read, seconds since the epoch."""


@dataclass
class Outcome:
    """The outputs up to a place in each partition."""

    found: Found = field(default_factory=Found)
    places: dict[TopicPartition, int] = field(default_factory=dict)


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


async def read(run: Run, outcome: Outcome) -> Outcome:
    """Take what has come since the last reading, up to now."""
    names = run.names
    async with consumer(run, names.contacts, names.optins, names.triggers) as reading:
        for place, at in outcome.places.items():
            reading.seek(place, at)
        ends = await reading.end_offsets(reading.assignment())
        while any([await reading.position(place) < end for place, end in ends.items()]):
            for place, records in (await reading.getmany(timeout_ms=200)).items():
                for record in records:
                    _take(outcome.found, place.topic, record, names.contacts, names.optins)
        outcome.places = {place: await reading.position(place) for place in ends}
    return outcome


def _take(found: Found, topic: str, record: Any, contacts: str, optins: str) -> None:
    if topic == contacts:
        found.take_contact(record.key, record.value)
    elif topic == optins:
        found.take_optin(record.key, record.value)
    else:
        found.take_trigger(record.value)


@dataclass
class Seen:
    """How many triggers a reader has seen, and when the latest record of any kind came."""

    triggers_topic: str
    triggers: int = 0
    at: float = 0.0

    def take(self, topic: str, _: Any, at: float) -> None:
        """One more; as `following` wants it."""
        self.triggers += topic == self.triggers_topic
        self.at = at


@asynccontextmanager
async def following(run: Run, take: Take, wait_ms: int = 50) -> AsyncIterator[asyncio.Task[None]]:
    """Read contacts, opt-ins and triggers that come from now on, as they come.

    When a record could be read counts, not when the broker took it: until its transaction is
    committed nobody with read_committed sees it. Yields the reading task, which never ends well.
    """
    names = run.names
    topics = (names.contacts, names.optins, names.triggers)
    async with consumer(run, *topics, fetch_max_wait_ms=wait_ms) as reading:
        ends = await reading.end_offsets(reading.assignment())
        for place, end in ends.items():
            reading.seek(place, end)

        async def follow() -> None:
            while True:
                fetched = await reading.getmany(timeout_ms=500)
                at = time.time()
                for place, records in fetched.items():
                    for record in records:
                        take(place.topic, record, at)

        task = asyncio.create_task(follow())
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


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


async def caught_up(run: Run, seconds: float) -> bool:
    """Whether our workers have taken and published all that there is, within so many seconds."""
    limit = time.monotonic() + seconds
    async with reach(run.settings) as opened:
        log, store, numbers = await opened.log(), opened.store, range(run.partitions)

        async def behind() -> bool:
            done = await log.normalized()
            if any(done.get(place, 0) < end for place, end in (await log.raw_ends()).items()):
                return True
            ends, progress = await log.event_ends(), await store.progress(numbers)
            if any(progress[n].watermark.offset < ends.get(n, 0) for n in numbers):
                return True
            for internal in (True, False):
                for n in numbers:
                    if await store.outbox(n, internal=internal, after=None, limit=1):
                        return True
            return False

        while await behind():
            if time.monotonic() > limit:
                return False
            await asyncio.sleep(0.25)
    return True
