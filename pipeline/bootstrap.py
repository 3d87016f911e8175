"""Picks the adapters: the only place that knows which parts fulfil which ports."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka_connection import Connection
from pipeline.adapters.kafka_guard import KafkaGuardLog
from pipeline.adapters.kafka_log import KafkaLog
from pipeline.adapters.kafka_offsets import GroupOffsets
from pipeline.adapters.kafka_publishers import KafkaPublisher, PlainPublisher
from pipeline.adapters.kafka_transactions import TransactionalPublisher, require_transactions
from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_store import RedisStore
from pipeline.ports import OutwardPublisher
from pipeline.process.barrier import Barrier
from pipeline.process.guard import Guard
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process works with, connected."""

    settings: Settings
    store: RedisStore
    publisher: KafkaPublisher
    offsets: GroupOffsets
    log: KafkaLog
    clock: SystemClock
    guard_log: KafkaGuardLog

    def guard(self, lost: Callable[[], None]) -> Guard:
        """Of a worker; `lost` is told when Redis forgot everything while it runs."""
        return Guard(
            self.store,
            self.guard_log,
            events=self.settings.names.events,
            partitions=self.settings.partitions,
            exactly_once=self.settings.delivery == "exactly-once",
            lost=lost,
        )

    def outward(self, partition: int) -> OutwardPublisher:
        """The publisher of a partition's outward records, by the delivery that was chosen."""
        if self.settings.delivery == "at-least-once":
            return PlainPublisher(self.publisher)
        names, kafka = self.settings.names, self.settings.kafka
        return TransactionalPublisher(kafka, names, partition, self.offsets)

    def barrier(self, passed: Callable[[int], None]) -> Barrier:
        """Of the leader; `passed` is told how long each barrier took, ms."""
        return Barrier(
            self.store,
            self.log,
            self.clock,
            self.settings.partitions,
            passed,
        )


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Parts]:
    """Connect to the broker and Redis that the settings name; closes all at the end.

    Raises `LogUnavailable` or `StoreUnavailable` where one can't be reached.
    """
    async with AsyncExitStack() as stack:
        store = RedisStore(RedisLink(settings.redis_url or ""), settings.names)
        stack.push_async_callback(store.close)
        exactly_once = settings.delivery == "exactly-once"
        if exactly_once:
            await require_transactions(settings.kafka, settings.names)
        publisher = KafkaPublisher(settings.kafka, idempotent=exactly_once)
        await publisher.start()
        stack.push_async_callback(publisher.close)
        connection = Connection(settings.kafka)
        stack.push_async_callback(connection.close)
        yield Parts(
            settings=settings,
            store=store,
            publisher=publisher,
            offsets=GroupOffsets(connection),
            log=KafkaLog(settings.names, connection, publisher),
            clock=SystemClock(),
            guard_log=KafkaGuardLog(
                settings.kafka, settings.names, settings.partitions, connection
            ),
        )
