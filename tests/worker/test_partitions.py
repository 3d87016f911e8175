"""Partitions of a living worker whose store forgets something, on the memory parts."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import orjson
import pytest
import pytest_asyncio
from faust.types import TP

from pipeline.adapters.clock import ManualClock
from pipeline.adapters.memory_log import MemoryLog, Record
from pipeline.adapters.memory_store import MemoryStore
from pipeline.ports import Change, Entry, LogUnavailable, Mark
from pipeline.process.barrier import Barrier
from pipeline.process.belonging import Refused
from pipeline.process.guard import Guard
from pipeline.process.holdings import CACHE_MAX
from pipeline.process.normalize import Normalizer
from pipeline.process.state import Halted
from pipeline.wire.records import Tick, encode_control
from pipeline.worker.partitions import Partitions
from tests.process.folding import BEGIN, HOUR, NAMES, PHONE, RULES

PARTITIONS = 2
TPS = {TP(NAMES.events, number) for number in range(PARTITIONS)}
TOPICS = (NAMES.triggers, NAMES.decisions, NAMES.contacts, NAMES.optins, NAMES.evidence)


class World:
    """The transport is played by hand: `settle` reads until nothing is left to do."""

    def __init__(self, keeps: int = CACHE_MAX) -> None:
        self.keeps = keeps
        self.store = MemoryStore()
        self.clock = ManualClock(BEGIN)
        self.log = MemoryLog(self.clock, NAMES, PARTITIONS)
        self.at = dict.fromkeys(range(PARTITIONS), 0)
        self.lost = self.overtaken = 0
        self.silent = 0
        """So often the brokers do not answer."""
        self._raw = 0
        self._normalizer = Normalizer(PARTITIONS, "US", NAMES.events, NAMES.dead_letters)

    async def start(self, patience: float = 10.0) -> None:
        def lost() -> None:
            self.lost += 1

        def overtaken() -> None:
            self.overtaken += 1

        def fail(error: BaseException) -> None:
            raise error

        guard = Guard(
            self.store,
            self.log,
            events=NAMES.events,
            partitions=PARTITIONS,
            exactly_once=True,
            lost=lost,
            patience=0.0,
        )
        await guard.enter()

        async def check(marks: Mapping[int, Mark | None]) -> Mapping[int, int]:
            if self.silent > 0:
                self.silent -= 1
                raise LogUnavailable("no answer")
            return await guard.check(marks)

        self.partitions = Partitions(
            topic=NAMES.events,
            prefix="",
            partitions=PARTITIONS,
            store=self.store,
            internal=self.log,
            outward=self.log.outward,
            urgent=frozenset({NAMES.triggers}),
            barrier=Barrier(self.store, self.log, self.clock, PARTITIONS),
            committed=lambda *_: None,
            fail=fail,
            overtaken=overtaken,
            check=check,
            patience=patience,
            keeps=self.keeps,
        )
        await self.partitions.on_assigned(TPS)
        for tp, offset in (await self.partitions.positions(TPS)).items():
            await self.rewind(tp, offset)

    async def rewind(self, tp: TP, offset: int) -> bool:
        self.at[tp.partition] = max(offset, 0)
        return True

    def send(self, *calls: dict[str, object]) -> None:
        for call in calls:
            value = orjson.dumps(call | {"messageId": f"m{self._raw}"})
            raw = Record(self._raw, BEGIN, None, value, ())
            self._raw += 1
            for entry in self._normalizer.normalize(NAMES.raw, 0, [raw]).events:
                self.log.write(NAMES.events, entry.value, partition=entry.partition or 0)

    def tick(self, hours: int) -> None:
        self.clock.set(BEGIN + hours * HOUR)
        for number in range(PARTITIONS):
            value = encode_control(Tick(BEGIN + hours * HOUR))
            self.log.write(NAMES.events, value, partition=number)

    async def read(self) -> bool:
        found = False
        for number in range(PARTITIONS):
            records = self.log.read(NAMES.events, number, self.at[number], limit=3)
            self.at[number] += len(records)
            if records:
                found = True
                await self.partitions.apply(self.rewind, number, records)
        return found

    async def settle(self) -> None:
        async with asyncio.timeout(10):
            quiet = 0
            while quiet < 3:
                idle = all(owned.relay.idle for owned in self.partitions._owned.values())
                quiet = 0 if await self.read() or not idle else quiet + 1
                await asyncio.sleep(0.02)

    def published(self) -> dict[str, list[tuple[bytes | None, bytes | None]]]:
        return {t: sorted((r.key or b"", r.value or b"") for r in self.log.read(t)) for t in TOPICS}

    def entities(self) -> list[dict[bytes, bytes]]:
        """But the ledgers: what is published again between partitions moves their places."""
        kept = [dict(self.store._of(number).entities) for number in range(PARTITIONS)]
        for entities in kept:
            entities.pop(b"ledger", None)
        return kept


def known(user: str) -> list[dict[str, object]]:
    entry = {"channel": "voice", "subscribed": True, "timestamp": "2026-01-01T00:00:00Z"}
    track = {"type": "track", "userId": user, "event": "Approved"}
    return [
        {
            "type": "identify",
            "userId": user,
            "anonymousId": f"a-{user}",
            "context": {"ip": "203.0.113.9"},
            "traits": {"phone": PHONE[:-1] + user[-1], "optIn": [entry]},
        },
        track | {"properties": {"loanId": user}},
    ]


async def five_called(made: World) -> None:
    """Five people wait; then two hours pass and all triggers are out."""
    for number in range(PARTITIONS):
        for value in RULES:
            made.log.write(NAMES.events, value, partition=number)
    await made.start()
    for user in range(5):
        made.send(*known(f"u{user}"))
    await made.settle()
    made.tick(2)
    await made.settle()
    assert len(made.log.read(NAMES.triggers)) == 5
    assert made.overtaken == 0


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await five_called(made)
    yield made
    await made.partitions.close()


@pytest.mark.parametrize("keeps", [0, 4])
async def test_partitions_share_what_a_worker_keeps_in_memory(world: World, keeps: int) -> None:
    small = World(keeps)
    await five_called(small)
    try:
        assert small.partitions.kept <= keeps < world.partitions.kept
        assert small.published() == world.published()
    finally:
        await small.partitions.close()


@pytest.mark.parametrize("noticed", ["by a commit", "by the audit"])
async def test_a_store_that_forgot_everything_is_filled_again_and_nothing_goes_out_twice(
    world: World, noticed: str
) -> None:
    before, entities = world.published(), world.entities()
    world.store.flush()
    if noticed == "by a commit":
        world.tick(3)
    else:
        await world.partitions.audit(world.rewind)
    await world.settle()
    await world.partitions.audit(world.rewind)
    await world.settle()
    assert world.lost == 1
    assert world.overtaken >= PARTITIONS
    assert world.published() == before
    assert world.entities() == entities
    world.send(*known("u7"))
    await world.settle()
    world.tick(4)
    await world.settle()
    world.tick(6)
    await world.settle()
    assert len(world.log.read(NAMES.triggers)) == 6


async def test_a_store_that_forgot_everything_halts_where_the_log_is_not_whole(
    world: World,
) -> None:
    world.store.flush()
    world.log.expire(NAMES.events, 0, 1)
    with pytest.raises(Refused, match="Redis has lost its state"):
        await world.partitions.audit(world.rewind)
    assert await world.store.watermark(0) is None


async def test_an_older_state_is_noticed_where_nothing_comes_in(world: World) -> None:
    snapshot = world.store.snapshot()
    world.send(*known("u8"))
    await world.settle()
    before, entities = world.published(), world.entities()
    world.store.restore(snapshot)
    assert world.entities() != entities
    await world.partitions.audit(world.rewind)
    await world.settle()
    assert world.published() == before
    assert world.entities() == entities
    assert world.lost == 0


async def test_a_trim_that_the_store_forgot_does_not_hold_up_the_barrier(world: World) -> None:
    number = 0
    mark = await world.store.watermark(number)
    assert mark is not None
    left = Entry(Mark(mark.offset, 1), NAMES.events, None, RULES[1], (), 1)
    assert await world.store.commit(
        number,
        mark,
        Change(Mark(mark.offset, 2), internal=[left]),
    )
    world.partitions._owned[number].process._held.watermark = Mark(mark.offset, 2)
    for _ in range(2):
        assert (await world.store.progress([number]))[number].unpublished == left.mark
        await world.partitions.audit(world.rewind)
    await asyncio.sleep(0.1)
    assert (await world.store.progress([number]))[number].unpublished is None


async def test_an_audit_beside_commits_raises_no_false_alarm(world: World) -> None:
    async def audit() -> None:
        for _ in range(200):
            await world.partitions.audit(world.rewind)
            await asyncio.sleep(0)

    auditing = asyncio.create_task(audit())
    for user in range(20, 40):
        world.send(*known(f"u{user}"))
    await world.settle()
    await auditing
    assert world.overtaken == 0


async def test_a_batch_that_waits_while_reading_goes_back_is_dropped(world: World) -> None:
    owned = world.partitions._owned[0]
    world.send(*(call for user in range(50, 60) for call in known(f"u{user}")))
    records = world.log.read(NAMES.events, 0, world.at[0])
    snapshot = world.store.snapshot()
    async with owned.lock:
        waiting = asyncio.create_task(world.partitions.apply(world.rewind, 0, records))
        await asyncio.sleep(0)
        await world.partitions._go_back(owned, world.rewind)
    await waiting
    assert world.entities()[0] == {
        key: value
        for key, value in snapshot[0].entities.items()  # type: ignore[attr-defined]
        if key != b"ledger"
    }
    await world.settle()


async def test_a_log_made_anew_with_the_same_length_halts_at_take_over(world: World) -> None:
    await world.partitions.close()
    last = world.log._records[NAMES.events, 1]
    last[-1] = last[-1]._replace(value=RULES[0])
    await world.start()
    assert world.at[1] == len(last) - 1
    with pytest.raises(Halted, match="is not the one that was taken there"):
        await world.settle()


async def test_brokers_that_are_silent_for_a_moment_do_not_end_a_takeover(world: World) -> None:
    await world.partitions.close()
    world.silent = 1
    await world.start()
    assert world.silent == 0
    assert world.partitions.owned == list(range(PARTITIONS))


async def test_brokers_that_stay_silent_end_it(world: World) -> None:
    await world.partitions.close()
    world.silent = 100
    with pytest.raises(LogUnavailable):
        await world.start(patience=0.0)
    assert world.silent == 99
