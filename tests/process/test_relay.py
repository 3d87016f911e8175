"""The relay on the store and the log in memory."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
import pytest_asyncio

from pipeline.adapters.clock import ManualClock
from pipeline.adapters.memory_log import MemoryLog, MemoryPublisher
from pipeline.adapters.memory_store import MemoryStore
from pipeline.names import Names
from pipeline.ports import Change, Entry, Fenced, LogUnavailable, Mark, Unsettled
from pipeline.process import outbox
from pipeline.process.pace import Pace
from pipeline.process.relay import Relay

NAMES = Names()
PACE = Pace(collect=0.03, trim_outward=0.02, trim=0.0, patience=0.3)


class World:
    """One partition: its store, the log, and relays that come and go."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.log = MemoryLog(ManualClock(1), NAMES, 2)
        self.relays: list[Relay] = []

    def relay(self, publisher: MemoryPublisher | None = None, pace: Pace = PACE) -> Relay:
        relay = Relay(
            0,
            self.store,
            self.log,
            publisher or self.log.outward(0),
            urgent=frozenset({NAMES.triggers}),
            pace=pace,
        )
        self.relays.append(relay)
        return relay

    async def commit(
        self, offset: int, relay: Relay | None, topic: str = NAMES.contacts, count: int = 1
    ) -> bool:
        """Offset is taken and causes one internal entry and some outward ones."""
        inner = [Entry(Mark(offset, 1), NAMES.events, b"k", b"%d" % offset, (), 1)]
        outer = [Entry(Mark(offset, i), topic, b"k", b"%d" % offset) for i in range(1, count + 1)]
        expected = await self.store.watermark(0)
        change = Change(Mark(offset + 1, 0), internal=inner, outward=outer)
        if not await self.store.commit(0, expected, change):
            return False
        if relay is not None:
            relay.offer(inner, outer)
        return True

    def published(self, topic: str = NAMES.contacts) -> list[int]:
        return [int(record.value or b"") for record in self.log.read(topic)]

    async def left(self, *, internal: bool) -> int:
        return len(await self.store.outbox(0, internal=internal, after=None, limit=99_999))


async def until(true: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while True:
            answer = true()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.002)


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    for relay in world.relays:
        await relay.stop()


async def test_both_lanes_are_published_in_order_and_trimmed(world: World) -> None:
    relay = world.relay()
    relay.start()
    for offset in range(50):
        assert await world.commit(offset, relay)
        await asyncio.sleep(0)
    await until(lambda: len(world.published()) == 50 and relay.idle)
    assert world.published() == list(range(50))
    inner = [int(record.value or b"") for record in world.log.read(NAMES.events, 1)]
    assert inner == list(range(50))

    async def trimmed() -> bool:
        return await world.left(internal=True) == 0 == await world.left(internal=False)

    await until(trimmed)
    assert relay.counts.publishes <= 3


async def test_a_trigger_goes_at_once_and_takes_along_what_waits(world: World) -> None:
    relay = world.relay(pace=Pace(collect=30.0))
    relay.start()
    await world.commit(0, relay)
    await asyncio.sleep(0.02)
    assert world.published() == []
    await world.commit(1, relay, NAMES.triggers)
    await until(lambda: world.published(NAMES.triggers) == [1])
    assert world.published() == [0]
    assert relay.counts.publishes == 1


class Slow(MemoryPublisher):
    """Takes so many seconds for its first publish."""

    def __init__(self, world: World, seconds: float) -> None:
        super().__init__(world.log, 0)
        self.seconds = seconds

    async def publish(self, entries: Sequence[Entry]) -> None:
        took, self.seconds = self.seconds, 0.0
        await asyncio.sleep(took)
        await super().publish(entries)


async def test_after_a_publish_that_took_long_others_wait_for_company(world: World) -> None:
    relay = world.relay(Slow(world, 0.3), Pace(collect=0.0))
    relay.start()
    await world.commit(0, relay)
    await until(lambda: relay.counts.publishes == 1)
    for offset in range(1, 5):
        await world.commit(offset, relay)
        await asyncio.sleep(0.001)
    await until(lambda: len(world.published()) == 5)
    assert relay.counts.publishes == 2


async def test_a_trigger_waits_less_for_company(world: World) -> None:
    relay = world.relay(Slow(world, 0.2), Pace(collect=30.0))
    relay.start()
    await world.commit(0, relay, NAMES.triggers)
    await until(lambda: relay.counts.publishes == 1)
    await world.commit(1, relay)
    await world.commit(2, relay, NAMES.triggers)
    await until(lambda: world.published(NAMES.triggers) == [0, 2])
    assert world.published() == [1]
    assert relay.counts.publishes == 2


async def test_a_successor_publishes_the_rest_and_nothing_twice(world: World) -> None:
    first = world.relay(pace=Pace(collect=0.0, trim_outward=99.0))
    first.start()
    await world.commit(0, first)
    await until(lambda: world.published() == [0])
    await first.stop()
    await world.commit(1, first)
    assert await world.left(internal=False) == 2 - 1 or await world.left(internal=False) == 2
    second = world.relay()
    second.start()
    await until(lambda: second.idle and world.published() == [0, 1])
    await world.commit(2, second)
    await until(lambda: world.published() == [0, 1, 2])


async def test_what_was_published_is_not_published_again_into_a_topic_that_was_emptied(
    world: World,
) -> None:
    first = world.relay(pace=Pace(collect=0.0, trim_outward=99.0))
    first.start()
    await world.commit(0, first)
    await until(lambda: world.published() == [0])
    await first.stop()
    world.log.cut(NAMES.contacts, 0, 0)
    second = world.relay()
    second.start()
    await world.commit(1, second)
    await until(lambda: second.idle and world.published() != [])
    assert world.published() == [1]


async def test_nothing_outward_opens_nothing(world: World) -> None:
    relay = world.relay()
    relay.start()
    await world.commit(0, relay, count=0)
    await until(lambda: relay.idle and relay.counts.internal == 1)
    assert world.log.owners == {}


async def test_a_fenced_relay_fails(world: World) -> None:
    relay = world.relay()
    relay.start()
    await world.commit(0, relay)
    await until(lambda: world.published() == [0])
    await world.log.outward(0).open()
    await world.commit(1, relay)
    with pytest.raises(Fenced):
        await asyncio.wait_for(relay.failed, 5)
    assert world.published() == [0]


async def test_a_failure_of_the_internal_publisher_fails_the_relay(world: World) -> None:
    class Broken(MemoryLog):
        async def publish(self, entries: Sequence[Entry]) -> None:
            raise LogUnavailable("gone")

    world.log = Broken(ManualClock(1), NAMES, 2)
    relay = world.relay()
    relay.start()
    await world.commit(0, relay, count=0)
    with pytest.raises(LogUnavailable, match="gone"):
        await asyncio.wait_for(relay.failed, 5)
    assert await world.left(internal=True) == 1


class Flaky(MemoryPublisher):
    """Fails at random before or after the publish took effect."""

    def __init__(self, log: MemoryLog, seed: int) -> None:
        super().__init__(log, 0)
        self.random = random.Random(seed)

    async def open(self) -> Mark | None:
        if self.random.random() < 0.2:
            raise LogUnavailable("not now")
        return await super().open()

    async def publish(self, entries: Sequence[Entry]) -> None:
        chance = self.random.random()
        if chance < 0.2:
            self._opened = False
            raise Unsettled("before")
        await super().publish(entries)
        if chance > 0.8:
            self._opened = False
            raise Unsettled("after")


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_fails_each_is_published_once(
    world: World, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.process.outward._FIRST_PAUSE", 0.001)
    monkeypatch.setattr("pipeline.process.outward._LONGEST_PAUSE", 0.002)
    monkeypatch.setattr(outbox, "_PAGE", 7)
    chance = random.Random(seed)
    pace = Pace(collect=0.001, trim_outward=0.0, trim=0.0, patience=9.0, most=5)

    def small(relay: Relay) -> Relay:
        for box in (relay.internal, relay.outward):
            box._most_entries = 11
        relay.start()
        return relay

    relay = small(world.relay(Flaky(world.log, seed), pace))
    await _run(world, relay, chance, lambda i: small(world.relay(Flaky(world.log, i), pace)))
    last = world.relays[-1]
    await until(lambda: last.failed.done() or (last.idle and len(set(world.published())) == 200))
    assert not last.failed.done()
    assert world.published() == list(range(200))
    inner = {int(record.value or b"") for record in world.log.read(NAMES.events, 1)}
    assert inner == set(range(200))


async def _run(
    world: World, relay: Relay, chance: random.Random, successor: Callable[[int], Relay]
) -> None:
    """Commits 200 offsets; now and then Redis forgets some, or the partition moves."""
    offset, snapshot = 0, world.store.snapshot()
    while offset < 200:
        for _ in range(chance.randrange(40)):
            if offset < 200:
                assert await world.commit(offset, relay)
                offset += 1
            if chance.random() < 0.2:
                await asyncio.sleep(0)
        what = chance.random()
        if what < 0.2:
            snapshot = world.store.snapshot()
        elif what < 0.4:
            world.store.restore(snapshot)
            stood = await world.store.watermark(0)
            offset = stood.offset if stood else 0
            relay.reload()
        elif what < 0.5:
            await relay.stop()
            relay = successor(offset)
        await asyncio.sleep(0.002)


async def test_a_commit_of_another_owner_is_published_before_ours(world: World) -> None:
    relay = world.relay(pace=Pace(collect=0.05))
    relay.start()
    await world.commit(0, relay)
    await until(lambda: world.published() == [0])
    await world.commit(1, relay)
    await asyncio.sleep(0.01)
    await world.commit(2, None)
    relay.reload()
    await world.commit(3, relay)
    await until(lambda: len(world.published()) == 4)
    assert world.published() == [0, 1, 2, 3]


async def test_patience_ends(world: World) -> None:
    class Away(MemoryPublisher):
        async def open(self) -> Mark | None:
            raise LogUnavailable("away")

    relay = world.relay(Away(world.log, 0))
    relay.start()
    await world.commit(0, relay)
    with pytest.raises(LogUnavailable):
        await asyncio.wait_for(relay.failed, 5)


async def test_the_place_is_renewed(world: World) -> None:
    class Renewed(MemoryPublisher):
        renewals = 0

        async def publish(self, entries: Sequence[Entry]) -> None:
            Renewed.renewals += not entries
            await super().publish(entries)

    relay = world.relay(Renewed(world.log, 0), Pace(renew_first=0.01, renew=0.01))
    relay.start()
    await until(lambda: Renewed.renewals > 1)
    assert not relay.failed.done()


async def test_many_offers_do_not_fill_memory(world: World) -> None:
    relay = world.relay()
    for offset in range(12_000):
        await world.commit(offset, relay)
    assert len(relay.internal) == len(relay.outward) == 0
    relay.start()
    await until(lambda: relay.idle)
    assert world.published() == list(range(12_000))


async def test_who_writes_more_than_is_published_has_no_room_until_it_is(world: World) -> None:
    """Slow brokers must not fill the store: the fold waits for them."""
    gate = asyncio.Event()

    class Gated(MemoryPublisher):
        async def publish(self, entries: Sequence[Entry]) -> None:
            await gate.wait()
            await super().publish(entries)

    relay = world.relay(Gated(world.log, 0), pace=Pace(collect=0.0, most=10))
    relay.outward._most_entries = 40
    relay.start()
    await relay.room(5.0)
    await world.commit(0, relay, count=31)
    waiting = asyncio.create_task(relay.room(60.0))
    await asyncio.sleep(0.05)

    assert not waiting.done()
    gate.set()
    await waiting
    assert len(relay.outward) < 20


async def test_nobody_waits_for_room_longer_than_told(world: World) -> None:
    class Stuck(MemoryPublisher):
        async def publish(self, entries: Sequence[Entry]) -> None:
            await asyncio.Event().wait()

    relay = world.relay(Stuck(world.log, 0), pace=Pace(collect=0.0, most=10))
    relay.outward._most_entries = 40
    relay.start()
    await relay.room(5.0)
    await world.commit(0, relay, count=31)

    await relay.room(0.01)
    assert len(relay.outward) == 21
