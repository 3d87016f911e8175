"""A running pipeline as the commands reach it: its store, its log, its topics."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka_client import translated
from pipeline.adapters.kafka_connection import Connection
from pipeline.adapters.kafka_log import KafkaLog
from pipeline.adapters.kafka_publishers import KafkaPublisher
from pipeline.adapters.kafka_reader import KafkaReader
from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_store import RedisStore
from pipeline.adapters.topics import Topics, TopicSpec
from pipeline.commands.common import CHECK_FAILED, Failure
from pipeline.domain.entities import Entity
from pipeline.domain.messages import Record
from pipeline.ports import Clock, Entry
from pipeline.process.rulebook_change import InForce, in_force
from pipeline.settings import Settings
from pipeline.wire.records import Control, UnreadableRecord, decode
from pipeline.wire.state import UnreadableState, decode_entity

PATIENCE: Final = 3.0
"""Seconds for a Redis that restarts; a command is not a worker, somebody is waiting."""
_CONNECT_SECONDS: Final = 10.0
_TAIL_MAX: Final = 200_000


@dataclass(slots=True)
class Reach:
    """What is open while a command runs; the publisher starts when it is first needed."""

    settings: Settings
    store: RedisStore
    reader: KafkaReader
    connection: Connection
    publisher: KafkaPublisher
    clock: Clock
    started: bool = False

    async def publish(self, entries: Sequence[Entry]) -> None:
        """Write records to any topic."""
        await self._start()
        await self.publisher.publish(entries)

    async def log(self) -> KafkaLog:
        """To append to `segment.events`."""
        await self._start()
        return KafkaLog(self.settings.names, self.connection, self.publisher)

    async def _start(self) -> None:
        if not self.started:
            await self.publisher.start()
            self.started = True

    async def partitions(self) -> int:
        """Of `segment.events`, which must be as many as are set."""
        found = len(await self.reader.ends(self.settings.names.events))
        if found != self.settings.partitions:
            raise Failure(
                f"{self.settings.names.events} has {found} partitions, PIPELINE_PARTITIONS says"
                f" {self.settings.partitions}: set PIPELINE_PARTITIONS={found}"
            )
        return found

    async def has_topic(self, name: str) -> bool:
        """Whether it was created."""
        wanted = TopicSpec(name, 0, foreign=True)
        return not any(each.fatal for each in await Topics(self.settings.kafka).check([wanted]))

    async def in_force(self, *, whole: bool = False) -> InForce:
        """The rulebook in force, with what stands in the log and no worker has taken yet.

        Of very much that was not taken only with `whole`: it may take minutes.
        """
        partitions = await self.partitions()
        found = await in_force(self.store, partitions)
        begin = (await self.store.progress([0]))[0].watermark.offset
        end = (await self.reader.ends(self.settings.names.events))[0]
        if whole or end - begin <= _TAIL_MAX:
            found.take(await self._controls(begin))
        return found

    async def _controls(self, begin: int) -> list[Control]:
        found: list[Control] = []
        events = self.settings.names.events
        async for kept in self.reader.read(events, begin={0: begin}):
            try:
                record = decode(kept.value or b"")
            except UnreadableRecord:
                continue
            if not isinstance(record, Record):
                found.append(record)
        return found


@asynccontextmanager
async def reach(settings: Settings, *, first: bool = True) -> AsyncIterator[Reach]:
    """Open it, and close it again.

    `first`: try the brokers at once, so that a wrong address is told at once; later calls are
    patient with a broker that restarts.
    """
    assert settings.redis_url is not None
    connection = Connection(settings.kafka)
    store = RedisStore(RedisLink(settings.redis_url), settings.names, patience=PATIENCE)
    exactly_once = settings.delivery == "exactly-once"
    publisher = KafkaPublisher(settings.kafka, idempotent=exactly_once, linger=0.0)
    reader = KafkaReader(settings.kafka, connection)
    try:
        if first:
            with translated("connecting"):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await connection.client()
        yield Reach(settings, store, reader, connection, publisher, SystemClock())
    finally:
        await publisher.close()
        await connection.close()
        await store.close()


def read_entity(value: bytes) -> Entity:
    """Stored bytes as an entity; ends the command where another version wrote them."""
    try:
        return decode_entity(value)[1]
    except UnreadableState as error:
        raise Failure(
            f"Redis: {error}: use the version of the pipeline that the workers run", CHECK_FAILED
        ) from error


def not_found(what: str) -> Failure:
    """Nothing is known of what was asked for: one line, exit status 1."""
    return Failure(what, CHECK_FAILED)
