"""Reads topics from their beginning to what is their end now; belongs to no group."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.adapters.kafka_client import client_args, translated
from pipeline.adapters.kafka_connection import Connection, LogEnds
from pipeline.settings import KafkaSettings

_BATCH: Final = 2_000
_WAIT_MS: Final = 500
_PATIENCE: Final = 60
"""Empty answers in a row after which a broker is taken to be stuck."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record of a topic. `timestamp` is its Kafka time, ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    def header(self, name: str) -> str | None:
        """A header as text."""
        value = next((value for key, value in self.headers if key == name), None)
        return None if value is None else value.decode(errors="replace")


Wanted: TypeAlias = Callable[[Kept], bool]
Seen: TypeAlias = Callable[[int], None]


def _all(_: Kept) -> bool:
    return True


def _nobody(_: int) -> None:
    pass


class KafkaReader:
    """What is committed, and only that. Keeps nothing but one batch in memory."""

    def __init__(self, kafka: KafkaSettings, connection: Connection) -> None:
        self._args = client_args(kafka)
        self._ends = LogEnds(connection)

    async def ends(self, topic: str) -> dict[int, int]:
        """The next offset to be written, by partition."""
        return {partition: end for (_, partition), end in (await self._ends.ends([topic])).items()}

    async def starts(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """The first offset that is still there, by partition."""
        found = await self._ends.starts([(topic, partition) for partition in partitions])
        return {partition: start for (_, partition), start in found.items()}

    async def read(
        self,
        topic: str,
        *,
        wanted: Wanted = _all,
        begin: Mapping[int, int] | None = None,
        seen: Seen = _nobody,
    ) -> AsyncGenerator[Kept, None]:
        """The wanted records up to the current end, in order within each partition.

        `begin` gives the partitions to read and where from; without it all of them from their
        start. `seen` is told how many records were looked at.
        """
        ends = await self.ends(topic)
        first = await self.starts(topic, list(ends))
        if begin is not None:
            first = {n: max(at, first[n]) for n, at in begin.items() if n in first}
        open_ = {n: ends[n] for n, at in first.items() if at < ends[n]}
        if not open_:
            return
        async with self._consumer() as consumer:
            places = {TopicPartition(topic, n): end for n, end in open_.items()}
            consumer.assign(list(places))
            for place in places:
                consumer.seek(place, first[place.partition])
            async for record in _until(consumer, places, wanted, seen):
                yield record

    async def at(self, topic: str, partition: int, offset: int) -> Kept | None:
        """One record; None where there is none at this offset (any more)."""
        with_ends = await self.ends(topic)
        if not 0 <= offset < with_ends.get(partition, 0):
            return None
        if offset < (await self.starts(topic, [partition]))[partition]:
            return None
        place = TopicPartition(topic, partition)
        async with self._consumer() as consumer:
            consumer.assign([place])
            consumer.seek(place, offset)
            async for record in _until(consumer, {place: offset + 1}, _all, _nobody):
                return record
        return None

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            **self._args,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        with translated("reading"):
            try:
                await consumer.start()
                yield consumer
            finally:
                await consumer.stop()


async def _until(
    consumer: Any, places: Mapping[TopicPartition, int], wanted: Wanted, seen: Seen
) -> AsyncIterator[Kept]:
    left = dict(places)
    count = idle = 0
    while left:
        found = await consumer.getmany(*left, timeout_ms=_WAIT_MS, max_records=_BATCH)
        idle = 0 if found else idle + 1
        for place, records in found.items():
            count += len(records)
            for record in records:
                if record.offset < places[place] and wanted(kept := _kept(record)):
                    yield kept
        seen(count)
        for place in list(left):
            # the position: what ends with a transaction's marker has no record at its end
            if await consumer.position(place) >= places[place]:
                del left[place]
                consumer.pause(place)
        if idle > _PATIENCE:
            raise TimeoutError(f"no answer for {len(left)} partitions")


def _kept(record: Any) -> Kept:
    return Kept(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple(record.headers),
    )
