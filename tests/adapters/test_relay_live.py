"""The relay on a real Redis and a real broker: rollback, two owners, a broker that restarts."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer

from pipeline.adapters.kafka_connection import Connection
from pipeline.adapters.kafka_offsets import GroupOffsets
from pipeline.adapters.kafka_publishers import KafkaPublisher
from pipeline.adapters.kafka_transactions import TransactionalPublisher
from pipeline.adapters.redis_client import connect
from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_store import RedisStore
from pipeline.adapters.topics import Topics, specs
from pipeline.local import Kafka, LocalError, Redis
from pipeline.names import Names
from pipeline.ports import Change, Entry, Fenced, Mark
from pipeline.process.pace import Pace
from pipeline.process.relay import Relay
from pipeline.settings import KafkaSettings

pytestmark = [pytest.mark.kafka, pytest.mark.redis]


class World:
    """One partition's store, and relays that come and go."""

    def __init__(self, servers: str, redis: str, names: Names) -> None:
        self.kafka = KafkaSettings(servers)
        self.names = names
        self.client: Any = connect(redis)
        self.store = RedisStore(RedisLink(redis), names)
        self.connection = Connection(self.kafka)
        self.internal = KafkaPublisher(self.kafka)
        self.relays: list[Relay] = []

    async def start(self) -> None:
        await Topics(self.kafka).create(specs(self.names, 2))
        await self.internal.start()

    async def close(self) -> None:
        for relay in self.relays:
            await relay.stop()
        await self.internal.close()
        await self.connection.close()
        await self.store.close()
        await self.client.aclose()

    def relay(self) -> Relay:
        publisher = TransactionalPublisher(self.kafka, self.names, 0, GroupOffsets(self.connection))
        relay = Relay(
            0, self.store, self.internal, publisher, pace=Pace(collect=0.01, trim_outward=0.05)
        )
        relay.start()
        self.relays.append(relay)
        return relay

    async def commit(self, offset: int, relay: Relay | None) -> bool:
        inner = [Entry(Mark(offset, 1), self.names.events, b"k", b"%d" % offset, (), 1)]
        outer = [
            Entry(Mark(offset, i), topic, b"u%d" % offset, b"%d" % offset)
            for i, topic in enumerate((self.names.triggers, self.names.contacts), 1)
        ]
        expected = Mark(offset, 0) if offset else None
        change = Change(Mark(offset + 1, 0), internal=inner, outward=outer)
        if not await self.store.commit(0, expected, change):
            return False
        if relay is not None:
            relay.offer(inner, outer)
        return True

    async def snapshot(self) -> dict[bytes, bytes]:
        keys = await self.client.keys(self.names.prefix + "*")
        return {key: await self.client.dump(key) for key in keys}

    async def restore(self, snapshot: dict[bytes, bytes]) -> None:
        for key in await self.client.keys(self.names.prefix + "*"):
            await self.client.delete(key)
        for key, value in snapshot.items():
            await self.client.restore(key, 0, value)

    async def read(self, topic: str, count: int) -> list[int]:
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self.kafka.servers,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        found: list[int] = []
        await consumer.start()
        try:
            while True:
                wait = 20.0 if len(set(found)) < count else 0.5
                record = await asyncio.wait_for(consumer.getone(), wait)
                found.append(int(record.value))
        except TimeoutError:
            return found
        finally:
            await consumer.stop()


async def idle(relay: Relay) -> None:
    async with asyncio.timeout(60):
        while not relay.idle:
            if relay.failed.done():
                relay.failed.result()
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def world(servers: str, redis_part: Redis, names: Names) -> AsyncIterator[World]:
    world = World(servers, redis_part.address, names)
    await world.start()
    yield world
    await world.close()


async def test_a_redis_that_stepped_back_doubles_and_loses_nothing(world: World) -> None:
    relay = world.relay()
    for offset in range(20):
        assert await world.commit(offset, relay)
    await idle(relay)
    snapshot = await world.snapshot()
    for offset in range(20, 60):
        assert await world.commit(offset, relay)
    await idle(relay)
    await world.restore(snapshot)
    assert not await world.commit(60, relay)
    relay.reload()
    for offset in range(20, 70):
        assert await world.commit(offset, relay)
        await asyncio.sleep(0.002)
    await idle(relay)
    await relay.stop()
    # and once more, with another process
    await world.restore(snapshot)
    relay = world.relay()
    for offset in range(20, 80):
        assert await world.commit(offset, relay)
    await idle(relay)
    for topic in (world.names.triggers, world.names.contacts):
        assert sorted(await world.read(topic, 80)) == list(range(80))
    assert set(await world.read(world.names.events, 80)) == set(range(80))
    left: list[Entry] = []
    for _ in range(100):
        if left := await world.store.outbox(0, internal=False, after=None, limit=1):
            await asyncio.sleep(0.05)
    assert not left


async def test_owners_that_contest_a_partition_publish_each_once(world: World) -> None:
    chance = random.Random(7)
    relay, zombie = world.relay(), None
    for offset in range(150):
        assert await world.commit(offset, relay)
        if zombie is not None:  # it still thinks that it owns the partition
            inner = [Entry(Mark(offset, 1), world.names.events, b"k", b"%d" % offset, (), 1)]
            outer = await world.store.outbox(0, internal=False, after=Mark(offset, 0), limit=9)
            zombie.offer(inner, outer)
        if chance.random() < 0.06:
            zombie, relay = relay, world.relay()
        await asyncio.sleep(chance.random() * 0.03)
        if relay.failed.done():
            with pytest.raises(Fenced):
                relay.failed.result()
            zombie, relay = None, world.relay()
    while True:
        try:
            await idle(relay)
            break
        except Fenced:
            relay = world.relay()
    counts = Counter(await world.read(world.names.triggers, 150))
    assert counts == Counter(range(150))


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Kafka]:
    with asyncio.Runner() as runner:
        broker = Kafka(tmp_path)
        try:
            runner.run(broker.start())
        except LocalError as error:
            pytest.skip(str(error))
        yield broker
        broker.kill()
        runner.run(broker.close())


@pytest.mark.slow
async def test_a_broker_that_is_killed_doubles_and_loses_nothing(
    own_broker: Kafka, redis_part: Redis, names: Names
) -> None:
    world = World(own_broker.address, redis_part.address, names)
    await world.start()
    relay = world.relay()

    async def commits() -> None:
        for offset in range(400):
            assert await world.commit(offset, relay)
            await asyncio.sleep(0.03)

    committing = asyncio.create_task(commits())
    for _ in range(2):
        await asyncio.sleep(1.5)
        own_broker.kill()
        await asyncio.sleep(1)
        await own_broker.start()
    await committing
    await idle(relay)
    assert sorted(await world.read(names.triggers, 400)) == list(range(400))
    assert set(await world.read(names.events, 400)) == set(range(400))
    print(relay.counts)
    await world.close()
