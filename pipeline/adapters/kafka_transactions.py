"""Publishes a partition's outward records exactly once, by transactions."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaError,
    TransactionalIdAuthorizationFailed,
    UnknownError,
    UnsupportedVersionError,
)
from aiokafka.structs import OffsetAndMetadata

from pipeline.adapters.kafka_batches import send_all
from pipeline.adapters.kafka_client import (
    FENCING,
    MAX_BATCH,
    abandon,
    client_args,
    stop,
    translated,
)
from pipeline.adapters.kafka_offsets import Committed, GroupOffsets
from pipeline.names import Names
from pipeline.ports import MAX_RECORD, Entry, Fenced, LogUnavailable, Mark, Unsettled
from pipeline.settings import KafkaSettings

TRANSACTION_SECONDS: Final = 10.0
"""When the broker aborts a transaction that nobody ends: so long readers may wait for it."""
_PUBLISH_SECONDS: Final = 8.0
"""We give up before the broker does: then the outcome is read, not guessed."""
_OPEN_SECONDS: Final = 30.0
_CANNOT: Final = (IncompatibleBrokerVersion, UnknownError, UnsupportedVersionError)


class TransactionalPublisher:
    """Fulfils `OutwardPublisher`: each transaction carries the records and the place reached.

    The place of a partition is the committed offset, with `offset:index` as its metadata, of that
    partition of `segment.events` in the relay's own group. Starting the producer fences whoever
    had the partition and ends what it left open; only then the place is read.
    """

    def __init__(
        self, kafka: KafkaSettings, names: Names, partition: int, offsets: GroupOffsets
    ) -> None:
        self._args = client_args(kafka)
        self._group = names.relay_group
        self._id = names.transactional_id(partition)
        self._topic = names.events
        self._partition = partition
        self._offsets = offsets
        self._producer: AIOKafkaProducer | None = None
        self._place: Mark | None = None

    async def open(self) -> Mark | None:
        """See `OutwardPublisher`."""
        await self._drop()
        producer = AIOKafkaProducer(
            **self._args,
            transactional_id=self._id,
            transaction_timeout_ms=int(TRANSACTION_SECONDS * 1000),
            request_timeout_ms=int(TRANSACTION_SECONDS * 1000),
            max_batch_size=MAX_BATCH,
            max_request_size=MAX_RECORD,
        )
        with _refused(self._id):
            try:
                async with asyncio.timeout(_OPEN_SECONDS):
                    await producer.start()
                    self._place = await self.place()
            except BaseException:
                await abandon(producer)
                raise
        self._producer = producer
        return self._place

    async def publish(self, entries: Sequence[Entry]) -> None:
        """See `OutwardPublisher`."""
        producer = self._producer
        if producer is None:
            raise Unsettled(f"producer {self._id} is not open")
        place = entries[-1].mark if entries else self._place
        if place is None:
            return
        if entries and self._place is not None and entries[0].mark <= self._place:
            raise ValueError(f"{entries[0].mark} was published: the place is {self._place}")
        settled = False
        try:
            async with asyncio.timeout(_PUBLISH_SECONDS):
                await producer.begin_transaction()
                await self._send(producer, entries, place)
                await producer.commit_transaction()
                # a late request of an earlier attempt can abort what is reported as committed
                found = await self.place()
            if found != place:
                raise Unsettled(f"producer {self._id}: published {place}, found {found}")
            settled = True
        except FENCING as error:
            raise Fenced(f"producer {self._id}: another owner has taken over") from error
        except (KafkaError, OSError, TimeoutError, AssertionError) as error:
            # an AssertionError is how aiokafka refuses a state left by an earlier failure
            text = str(error) or type(error).__name__
            raise Unsettled(f"producer {self._id}: {text}") from error
        finally:
            if not settled:
                await asyncio.shield(self._drop())
        self._place = place

    async def close(self) -> None:
        """See `OutwardPublisher`."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stop(producer)

    async def place(self) -> Mark | None:
        """How far Kafka says the partition is published."""
        found = await self._offsets.committed(self._group, self._topic, [self._partition])
        committed = found.get(self._partition)
        return None if committed is None else place_of(committed, self._group)

    async def _send(
        self, producer: AIOKafkaProducer, entries: Sequence[Entry], place: Mark
    ) -> None:
        """First the records, then the place, never side by side.

        While the broker adds the group to the transaction it can't verify that a record belongs to
        it, answers NOT_ENOUGH_REPLICAS, and aiokafka tries again after 100 ms.
        """
        await send_all(producer, entries)
        where = TopicPartition(self._topic, self._partition)
        await producer.send_offsets_to_transaction(
            {where: OffsetAndMetadata(place.offset, f"{place.offset}:{place.index}")}, self._group
        )

    async def _drop(self) -> None:
        """Let go of the producer without ending its transaction: the next start aborts it."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            with contextlib.suppress(KafkaError, OSError):
                await abandon(producer)


def place_of(committed: Committed, group: str) -> Mark:
    """The place that a relay has committed."""
    offset, _, index = committed.metadata.partition(":")
    if not (offset.isdigit() and index.isdigit()):
        raise LogUnavailable(
            f"Kafka: group {group} is used by others (metadata"
            f" {committed.metadata[:50]!r}): set another PIPELINE_PREFIX"
        )
    return Mark(int(offset), int(index))


async def require_transactions(kafka: KafkaSettings, names: Names) -> None:
    """Find out at the start, not at the first trigger, whether the broker has transactions.

    Raises:
        LogUnavailable: with what to do, where it has none or can't be reached.
    """
    name = names.of("relay-check")
    producer = AIOKafkaProducer(**client_args(kafka), transactional_id=name)
    with _refused(name):
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                await producer.start()
        finally:
            await abandon(producer)


@contextmanager
def _refused(name: str) -> Iterator[None]:
    with translated(f"starting the producer {name}"):
        try:
            yield
        except _CANNOT as error:
            raise LogUnavailable(
                f"Kafka: the broker has no transactions ({type(error).__name__}): use one that"
                " has, or set PIPELINE_DELIVERY=at-least-once"
            ) from error
        except TransactionalIdAuthorizationFailed as error:
            raise LogUnavailable(
                f"Kafka: no right to use the transactional id {name}: allow Write and Describe on"
                " it, or set PIPELINE_DELIVERY=at-least-once"
            ) from error
