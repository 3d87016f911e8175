"""Publishers to Kafka: of internal records, and of outward ones in either delivery."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError
from aiokafka.structs import OffsetAndMetadata

from pipeline.adapters.kafka_batches import send_all
from pipeline.adapters.kafka_client import (
    FENCING,
    MAX_BATCH,
    MAX_RECORD,
    abandon,
    client_args,
    stop,
    translated,
    unavailable,
)
from pipeline.adapters.kafka_offsets import GroupOffsets
from pipeline.ports import Entry, Fenced, LogUnavailable, Mark, Unsettled
from pipeline.settings import KafkaSettings, Names

TRANSACTION_SECONDS: Final = 10.0
"""When the broker aborts a transaction that nobody ends: so long readers may wait for it."""
_PUBLISH_SECONDS: Final = 8.0
"""We give up before the broker does: then the outcome is read, not guessed."""
_OPEN_SECONDS: Final = 30.0


class KafkaPublisher:
    """Fulfils `InternalPublisher` by one idempotent producer.

    Entries of all relays are collected for a few milliseconds and while a flush is under way, so
    that each target partition gets one batch of all, not one of each relay.
    """

    def __init__(self, kafka: KafkaSettings, *, linger: float = 0.005) -> None:
        self._args = client_args(kafka)
        self._linger = linger
        self._producer: AIOKafkaProducer | None = None
        self._waiting: list[tuple[Sequence[Entry], asyncio.Future[None]]] = []
        self._sending: list[tuple[Sequence[Entry], asyncio.Future[None]]] = []
        self._some = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None
        self._failure: LogUnavailable | None = None

    async def start(self) -> None:
        """Connect."""
        producer = AIOKafkaProducer(
            **self._args, enable_idempotence=True, acks="all", max_batch_size=MAX_BATCH
        )
        with translated("starting the internal producer"):
            try:
                await producer.start()
            except BaseException:
                await abandon(producer)
                raise
        self._producer = producer
        self._flushing = asyncio.create_task(self._flush(producer), name="internal-publisher")
        self._flushing.add_done_callback(self._ended)

    async def publish(self, entries: Sequence[Entry]) -> None:
        """See `InternalPublisher`."""
        if self._failure is not None:
            raise self._failure
        if self._producer is None:
            raise LogUnavailable("Kafka: the internal producer is not started")
        if entries:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((entries, done))
            self._some.set()
            await done

    async def close(self) -> None:
        """Stop; what is not acknowledged by now fails, and stays in the outbox."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.wait([self._flushing])
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await stop(producer)

    async def _flush(self, producer: AIOKafkaProducer) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(self._linger)
            self._some.clear()
            self._sending, self._waiting = self._waiting, []
            entries = [entry for some, _ in self._sending for entry in some]
            await send_all(producer, entries)
            for _, done in self._sending:
                if not done.done():
                    done.set_result(None)
            self._sending = []

    def _ended(self, flushing: asyncio.Task[None]) -> None:
        """Whatever ended the flushing, nobody may wait for it in vain."""
        error = None if flushing.cancelled() else flushing.exception()
        if error is None:
            self._failure = LogUnavailable("Kafka: the internal producer is closed")
        else:
            self._failure = unavailable(error, "publishing internal records")
            self._failure.__cause__ = error
        for _, done in self._sending + self._waiting:
            if not done.done():
                done.set_exception(self._failure)
        self._sending, self._waiting = [], []


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
        with translated(f"starting the producer {self._id}"):
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
        if committed is None:
            return None
        offset, _, index = committed.metadata.partition(":")
        if not (offset.isdigit() and index.isdigit()):
            raise LogUnavailable(
                f"Kafka: group {self._group} is used by others (metadata"
                f" {committed.metadata[:50]!r}): set another PIPELINE_PREFIX"
            )
        return Mark(int(offset), int(index))

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
            with contextlib.suppress(KafkaError, IllegalOperation, OSError):
                await abandon(producer)


class PlainPublisher:
    """Fulfils `OutwardPublisher` at least once, for brokers without transactions.

    Nobody is fenced and no place is kept but the store's outbox: after a crash what was published
    and not yet trimmed is published again.
    """

    def __init__(self, publisher: KafkaPublisher) -> None:
        self._publisher = publisher

    async def open(self) -> Mark | None:
        """See `OutwardPublisher`."""
        return None

    async def publish(self, entries: Sequence[Entry]) -> None:
        """See `OutwardPublisher`."""
        await self._publisher.publish(entries)

    async def close(self) -> None:
        """See `OutwardPublisher`."""
