"""The barrier on the store and the log in memory, with a clock that runs as it sleeps."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import groupby, pairwise

import pytest

from pipeline.adapters.clock import ManualClock
from pipeline.adapters.memory_log import MemoryLog
from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.messages import HOPS
from pipeline.names import Names
from pipeline.ports import Change, Entry, LogUnavailable, Mark, Progress, StoreUnavailable
from pipeline.process.barrier import EVERY, LEAST, TICK_MAX, TOGETHER, Barrier
from pipeline.wire.records import Tick, decode, encode_control

NAMES = Names()
NOW = 1_000_000


class World:
    def __init__(self, partitions: int = 3) -> None:
        self.clock = ManualClock(NOW, running=True)
        self.store = MemoryStore()
        self.log = MemoryLog(self.clock, NAMES, partitions, raw_partitions=2)
        self.barrier = Barrier(self.store, self.log, self.clock, partitions)

    async def take(
        self, partition: int, *, due: int | None = None, tell: int | None = None
    ) -> None:
        """The state process takes all that is there; the last record may cause something."""
        end = (await self.log.event_ends())[partition]
        stood = await self.store.watermark(partition)
        if stood == Mark(end, 0):
            return
        change = Change(Mark(end, 0))
        if due is not None:
            change.due[b"k"] = due
        if tell is not None:
            entry = Entry(Mark(end - 1, 1), NAMES.events, b"k", b"hop", (), tell)
            change.internal.append(entry)
        assert await self.store.commit(partition, stood, change)

    async def publish(self, partition: int) -> None:
        entries = await self.store.outbox(partition, internal=True, after=None, limit=9)
        await self.log.publish(entries)
        for entry in entries:
            await self.store.trim(partition, internal=True, upto=entry.mark)

    def write(self, partition: int) -> None:
        self.log.write(NAMES.events, b"event", partition=partition)

    def ticks(self, partition: int) -> list[int]:
        records = [r.value for r in self.log.read(NAMES.events, partition) if r.value is not None]
        found = [decode(value) for value in records if value not in {b"event", b"hop"}]
        return [each.time for each in found if isinstance(each, Tick)]


async def settle() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def test_nothing_due_writes_nothing() -> None:
    world = World()
    assert await world.barrier.step() == 0
    world.write(0)
    await world.take(0, due=NOW + 1)
    assert await world.barrier.step() == 0
    assert world.ticks(0) == []


async def test_an_idle_system_ticks_only_where_something_is_due() -> None:
    world = World()
    for partition, due in ((0, NOW), (1, NOW + 60_000), (2, 5)):
        world.write(partition)
        await world.take(partition, due=due)
    assert await world.barrier.step() == 2
    assert [world.ticks(p) for p in range(3)] == [[NOW], [], [NOW]]
    state = world.barrier.state
    assert (state.rounds, state.ticks, state.last_tick) == (1, 2, NOW)
    assert state.overdue_since is None


async def test_raw_that_is_not_normalized_blocks_the_tick() -> None:
    world = World()
    world.write(0)
    await world.take(0, due=NOW)
    for _ in range(3):
        world.log.write(NAMES.raw, b"{}", partition=1)
    world.log.commit(NAMES.raw, 1, 2)
    step = asyncio.create_task(world.barrier.step())
    await settle()
    assert not step.done()
    assert world.barrier.state.overdue_since == NOW
    # written after the barrier began: of no concern to it
    world.log.write(NAMES.raw, b"{}", partition=0)
    world.log.commit(NAMES.raw, 1, 3)
    assert await step == 1
    assert world.ticks(0) == [NOW]


async def test_a_consequence_of_several_hops_is_taken_before_the_tick() -> None:
    world = World()
    world.write(0)
    await world.take(0, due=NOW)
    world.write(1)
    step = asyncio.create_task(world.barrier.step())
    await settle()
    assert not step.done()
    await world.take(1, tell=2)
    await settle()
    assert not step.done()
    await world.publish(1)
    await settle()
    assert not step.done()
    await world.take(2, tell=0)
    await world.publish(2)
    await settle()
    assert not step.done()
    await world.take(0)
    assert await step == 1
    values = [record.value for record in world.log.read(NAMES.events, 0)]
    assert values == [b"event", b"hop", encode_control(Tick(world.ticks(0)[0], TICK_MAX))]


async def test_only_partitions_that_have_something_to_take_are_asked_again() -> None:
    world = World()
    asked: list[list[int]] = []
    progress = world.store.progress

    async def noted(partitions: Iterable[int]) -> Mapping[int, Progress]:
        asked.append(list(partitions))
        return await progress(asked[-1])

    world.store.progress = noted  # type: ignore[method-assign]
    world.write(0)
    await world.take(0, due=NOW)
    world.write(1)
    step = asyncio.create_task(world.barrier.step())
    await settle()
    await world.take(1, tell=2)
    await world.publish(1)
    await settle()
    await world.take(2, due=NOW)
    assert await step == 2
    assert [world.ticks(p) for p in range(3)] == [[NOW], [], [NOW]]
    assert asked[:2] == [[0, 1, 2]] * 2
    rest = [partitions for partitions, _ in groupby(asked[2:])]
    assert rest == [[1], [2]]


async def test_a_deadline_that_the_last_hop_removed_gets_no_tick() -> None:
    world = World()
    world.write(0)
    await world.take(0, due=NOW)
    world.write(0)
    step = asyncio.create_task(world.barrier.step())
    await settle()
    await world.take(0, due=NOW + 999_999)
    assert await step == 0
    assert world.ticks(0) == []


@pytest.mark.parametrize(
    ("ahead", "rest"),
    [(1, LEAST), (130, 0.13), (60_000, EVERY)],
)
async def test_the_next_look_is_when_something_will_be_due(ahead: int, rest: float) -> None:
    world = World()
    world.write(0)
    await world.take(0, due=NOW + ahead)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(3600)

    world.clock.sleep = sleep  # type: ignore[method-assign]
    run = asyncio.create_task(world.barrier.run())
    await settle()
    run.cancel()
    assert slept == [rest]


async def test_a_tick_half_worked_off_blocks_the_next() -> None:
    world = World()
    world.write(0)
    await world.take(0, due=NOW)
    assert await world.barrier.step() == 1
    assert await world.store.commit(0, Mark(1, 0), Change(Mark(1, 2)))
    step = asyncio.create_task(world.barrier.step())
    await settle()
    assert not step.done()
    await world.take(0, due=NOW * 2)
    assert await step == 0


async def test_a_stream_that_never_pauses_takes_all_hops_and_no_more() -> None:
    world = World(1)
    world.write(0)
    await world.take(0, due=NOW)

    async def stream() -> None:
        while True:
            world.write(0)
            await world.take(0)
            world.write(0)
            await asyncio.sleep(0)

    streaming = asyncio.create_task(stream())
    assert await asyncio.wait_for(world.barrier.step(), 5) == 1
    streaming.cancel()
    assert world.barrier.state.rounds == HOPS


@pytest.mark.parametrize(("deepest", "rounds"), [(0, 2), (1, 3), (4, 6), (HOPS - 1, HOPS)])
async def test_as_many_rounds_are_taken_as_consequences_go_deep(
    deepest: int, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records up to that depth cause another one, those of more depth nothing."""
    world = World(1)
    world.write(0)
    await world.take(0, due=NOW)
    ends, causes = world.log.event_ends, [-1] * HOPS

    async def going_on() -> Mapping[int, int]:
        """Behind what was told there is always more, and it is taken at once."""
        found = await ends()
        world.write(0)
        causes[: deepest + 1] = [found[0]] * (deepest + 1)
        change = Change(Mark(found[0] + 1, 0), causes=tuple(causes))
        assert await world.store.commit(0, await world.store.watermark(0), change)
        return found

    monkeypatch.setattr(world.log, "event_ends", going_on)
    assert await world.barrier.step() == 1
    assert world.barrier.state.rounds == rounds


async def test_entries_that_later_records_caused_do_not_block() -> None:
    world = World(1)
    world.write(0)
    await world.take(0, due=NOW)
    step = asyncio.create_task(world.barrier.step())
    await asyncio.sleep(0)
    world.write(0)
    await world.take(0, tell=0)
    # the ends were noted either before that record, or after it: then its hop must come first
    await settle()
    if not step.done():
        await world.publish(0)
        await world.take(0)
    assert await step == 1


async def test_two_leaders_write_true_ticks() -> None:
    world = World()
    world.write(0)
    await world.take(0, due=NOW)
    other = Barrier(world.store, world.log, world.clock, 3)
    steps = [asyncio.create_task(barrier.step()) for barrier in (world.barrier, other)]
    while not all(step.done() for step in steps):
        await settle()
        await world.take(0)
    assert 1 <= sum([await step for step in steps]) <= 2
    assert all(tick >= NOW for tick in world.ticks(0))


async def test_what_becomes_due_in_a_long_barrier_need_not_wait_for_its_end() -> None:
    world = World()
    world.write(0)
    await world.take(0, due=NOW)
    world.write(1)  # all of them wait for it
    begun: list[int] = []
    read = world.log.raw_ends

    async def raw_ends() -> Mapping[tuple[str, int], int]:
        begun.append(world.clock.now())
        return await read()

    world.log.raw_ends = raw_ends  # type: ignore[method-assign]
    run = asyncio.create_task(world.barrier.run())
    while world.clock.now() < NOW + 60_000:
        await settle()
    assert len(begun) == TOGETHER
    assert all(later - before >= EVERY * 1000 for before, later in pairwise(begun))

    await world.take(1)
    while len(world.ticks(0)) < TOGETHER:
        await settle()
    run.cancel()
    looks = sorted(world.ticks(0)[:TOGETHER])
    assert all(0 <= start - look < EVERY * 1000 for start, look in zip(begun, looks, strict=False))
    assert len(set(looks)) == TOGETHER


async def test_a_barrier_that_fails_ends_the_others_and_the_loop() -> None:
    world = World()
    world.write(0)
    await world.take(0, due=NOW)
    world.write(1)
    run = asyncio.create_task(world.barrier.run())
    while world.clock.now() < NOW + 1000:
        await settle()

    async def gone(partitions: Iterable[int]) -> Mapping[int, Progress]:
        raise StoreUnavailable("gone")

    world.store.progress = gone  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(run, 5)
    assert len(asyncio.all_tasks()) == 1


async def test_the_loop_outlives_kafkas_absence_and_can_be_cancelled() -> None:
    world = World()
    world.write(0)
    await world.take(0, due=NOW)
    away = 3
    read = world.log.raw_ends

    async def raw_ends() -> object:
        nonlocal away
        away -= 1
        if away >= 0:
            raise LogUnavailable("away")
        return await read()

    world.log.raw_ends = raw_ends  # type: ignore[method-assign,assignment]
    run = asyncio.create_task(world.barrier.run())
    for _ in range(100):
        if not world.ticks(0):
            await settle()
    assert world.ticks(0)[0] >= NOW
    assert world.barrier.state.interrupted == 3
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
