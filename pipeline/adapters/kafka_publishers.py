"""Publishers to Kafka: of internal records, and of outward ones in either delivery."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from pipeline.adapters.kafka_batches import send_all
from pipeline.adapters.kafka_client import (
    MAX_BATCH,
    abandon,
    client_args,
    stop,
    translated,
    unavailable,
)
from pipeline.adapters.kafka_transactions import TransactionalPublisher
from pipeline.ports import Entry, LogUnavailable, Mark
from pipeline.settings import KafkaSettings

__all__ = ["KafkaPublisher", "PlainPublisher", "TransactionalPublisher"]


class KafkaPublisher:
    """Fulfils `InternalPublisher` by one idempotent producer.

    Entries of all relays are collected for a few milliseconds and while a flush is under way, so
    that each target partition gets one batch of all, not one of each relay. A broker that has no
    transactions may not have idempotence either: without it a retry may double a record (receivers
    of internal ones drop it), and the order holds all the same. Batches are compressed: that costs
    less than to copy, send and keep the bytes it saves.
    """

    def __init__(
        self, kafka: KafkaSettings, *, idempotent: bool = True, linger: float = 0.005
    ) -> None:
        self._args = client_args(kafka)
        self._idempotent = idempotent
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
            **self._args,
            enable_idempotence=self._idempotent,
            acks="all",
            compression_type="zstd",
            max_batch_size=MAX_BATCH,
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
