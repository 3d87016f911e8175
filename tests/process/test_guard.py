"""What the guard refuses, on the memory parts: what is wrong, what it breaks, the way out."""

from collections.abc import Mapping

import msgspec
import pytest

from pipeline.adapters.clock import ManualClock
from pipeline.adapters.memory_log import MemoryLog
from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.messages import Erase, Position, Record
from pipeline.domain.refs import Ref
from pipeline.names import Names
from pipeline.ports import Bounds, Change, Entry, Mark
from pipeline.process.belonging import Refused
from pipeline.process.garbage import RUN_MAX, WINDOW, Garbage
from pipeline.process.guard import Guard, Rebuild
from pipeline.process.normalize import Normalized
from pipeline.wire.records import Tick, encode, encode_control
from pipeline.wire.state import LEDGER_KEY, OLDEST, decode_identity, encode_identity
from tests.process.folding import RULES

NAMES = Names("x.")
DATA = encode(Record(Ref("person", "u"), Position("raw/0", 0, 1), None, Erase()))


class World:
    """Two partitions; `worker` is a guard of a worker that starts."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.log = MemoryLog(ManualClock(1), NAMES, 2)
        self.lost = 0

    def worker(self, **more: object) -> Guard:
        def lost() -> None:
            self.lost += 1

        settings = {"events": NAMES.events, "partitions": 2, "exactly_once": True} | more
        return Guard(self.store, self.log, lost=lost, patience=0.0, leave=0.0, **settings)  # type: ignore[arg-type]

    def write(self, partition: int, *values: bytes) -> None:
        for value in values:
            self.log.write(NAMES.events, value, partition=partition)

    async def take(self, partition: int, offset: int, index: int = 0) -> None:
        """State that stands there."""
        before = await self.store.watermark(partition)
        change = Change(Mark(offset, index), {LEDGER_KEY: b"x", b"pe:1": b"y"})
        assert await self.store.commit(partition, before, change)

    async def used(self) -> None:
        """A pipeline that has run: five records each, taken, something published."""
        await self.worker().enter()
        for partition in (0, 1):
            self.write(partition, *[DATA] * 5)
            await self.take(partition, 5)
        self.log.write(NAMES.decisions, b"{}")
        self.log.reached[0] = Mark(3, 1)


@pytest.fixture
def world() -> World:
    return World()


async def refused(guard: Guard, rebuild: Rebuild | None = None) -> str:
    with pytest.raises(Refused) as caught:
        await guard.enter(rebuild)
    text = str(caught.value)
    assert "\n" not in text
    return text


async def test_a_new_pipeline_starts_without_fuss(world: World) -> None:
    await world.worker().enter()
    await world.worker().enter()


async def test_rulebooks_and_commands_before_the_first_worker_are_no_history(world: World) -> None:
    world.write(0, *RULES, encode(Record(Ref("person", "u"), None, None, Erase())), b"garbage")
    world.write(1, *RULES)
    await world.worker().enter()


async def test_a_log_whose_first_rulebook_has_expired_unread_starts_a_new_pipeline(
    world: World,
) -> None:
    world.write(0, *RULES)
    world.log.expire(NAMES.events, 0, 2)
    guard = world.worker()
    await guard.enter()
    assert await guard.check({0: None, 1: None}) == {0: 2, 1: 0}


@pytest.mark.parametrize("value", [DATA, encode_control(Tick(1))])
async def test_no_state_beside_a_history_is_refused(world: World, value: bytes) -> None:
    world.write(1, *RULES, value)
    text = await refused(world.worker())
    assert text.startswith("Redis has no state, but x.segment.events has a history")
    assert "--rebuild" in text
    await world.worker().enter(Rebuild())
    await world.worker().enter()


async def test_two_first_workers_do_not_refuse_each_other(world: World) -> None:
    first = world.log.first

    async def slowly(wanted: object) -> tuple[int, int] | None:
        # another one starts, and works, while this one looks for a history
        world.log.first = first  # type: ignore[method-assign]
        await world.worker().enter()
        world.write(1, DATA)
        return await first(wanted)  # type: ignore[arg-type]

    world.write(0, *RULES)
    world.log.first = slowly  # type: ignore[method-assign]
    await world.worker().enter()


async def test_state_beyond_the_end_of_the_log_is_refused(world: World) -> None:
    await world.used()
    world.log.cut(NAMES.events, 1, 4)
    text = await refused(world.worker())
    assert text.startswith("Redis has taken more of x.segment.events than there is (partitions 1)")


async def test_a_tick_half_worked_off_must_be_in_the_log(world: World) -> None:
    await world.used()
    await world.take(1, 5, 2)
    assert "(partitions 1)" in await refused(world.worker())
    world.write(1, encode_control(Tick(9)))
    await world.worker().enter()


async def test_an_end_that_lags_behind_for_a_moment_is_waited_for(world: World) -> None:
    await world.used()
    guard = world.worker()
    guard._patience = 5.0
    bounds = world.log.bounds
    answers = [{0: Bounds(0, 5), 1: Bounds(0, 3)}] * 2

    async def lagging() -> Mapping[int, Bounds]:
        return answers.pop() if answers else await bounds()

    world.log.bounds = lagging  # type: ignore[method-assign]
    await guard.enter()


async def test_what_was_deleted_before_it_was_taken_is_refused(world: World) -> None:
    await world.used()
    world.write(1, *[DATA] * 5)
    world.log.expire(NAMES.events, 1, 8)
    text = await refused(world.worker())
    assert text.startswith("3 records of x.segment.events were deleted before they were taken")


async def test_another_number_of_partitions_is_refused(world: World) -> None:
    await world.used()
    text = await refused(world.worker(partitions=4))
    assert "has 2 partitions, PIPELINE_PARTITIONS says 4" in text
    world.log._partitions = 4
    text = await refused(world.worker(partitions=4))
    assert "was made with 2 partitions, not 4" in text
    assert "PIPELINE_PARTITIONS=2" in text


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (("cluster", "topic-2"), "x.segment.events was deleted and created anew"),
        (("cluster-2", "topic"), "made from another Kafka cluster (cluster, not cluster-2)"),
    ],
)
async def test_state_of_another_log_is_refused(
    world: World, ids: tuple[str, str], said: str
) -> None:
    await world.used()
    world.log.ids = ids
    assert said in await refused(world.worker())
    world.log.ids = ("", "")  # brokers that tell nothing are believed
    await world.worker().enter()


async def test_state_of_another_pipeline_under_the_same_keys_is_refused(world: World) -> None:
    await world.used()
    text = await refused(world.worker(events="segment.events"))
    assert "another pipeline (x.segment.events, not segment.events)" in text


async def test_state_of_a_newer_version_is_refused(world: World) -> None:
    await world.used()
    identity = await world.store.identity() or b""
    newer = identity.replace(b'"version":2', b'"version":3')
    await world.store.identify(newer, replace=True)
    assert "version 3, this code reads 1 to 2" in await refused(world.worker())


async def test_outputs_of_records_that_the_log_does_not_hold_are_refused(world: World) -> None:
    await world.used()
    world.log.reached[1] = Mark(5, 1)
    for rebuild in (None, Rebuild(), Rebuild(accept_repeats=True)):
        assert "would be taken for published" in await refused(world.worker(), rebuild)


async def test_a_rebuild_removes_the_state_and_begins_at_the_start(world: World) -> None:
    await world.used()
    guard = world.worker()
    await guard.enter(Rebuild())
    assert await world.store.watermark(0) is None
    assert await world.store.load(1, [LEDGER_KEY, b"pe:1"]) == [None, None]
    assert await guard.check({0: None, 1: None}) == {0: 0, 1: 0}
    assert world.lost == 0


async def test_a_rebuild_without_the_beginning_of_the_log_wants_to_be_told(world: World) -> None:
    await world.used()
    world.log.expire(NAMES.events, 0, 3)
    text = await refused(world.worker(), Rebuild())
    assert text.startswith("--rebuild: 3 records are gone from the beginning")
    assert "--accept-loss" in text
    assert await world.store.watermark(0) == Mark(5, 0)
    guard = world.worker()
    await guard.enter(Rebuild(accept_loss=True))
    assert await guard.check({0: None}) == {0: 3}


@pytest.mark.parametrize("exactly_once", [True, False])
async def test_a_rebuild_that_would_publish_again_wants_to_be_told(
    world: World, exactly_once: bool
) -> None:
    await world.used()
    world.log.reached.clear()
    guard = world.worker(exactly_once=exactly_once)
    assert "--accept-repeats" in await refused(guard, Rebuild())
    await guard.enter(Rebuild(accept_repeats=True))


async def test_a_rebuild_beside_other_workers_is_refused(world: World) -> None:
    await world.used()
    world.log.members = 2
    assert "2 other workers run" in await refused(world.worker(), Rebuild())
    assert await world.store.watermark(0) == Mark(5, 0)


async def test_a_rebuild_that_was_cut_off_is_refused_until_it_is_done(world: World) -> None:
    await world.used()

    async def cut_off(_: int) -> None:
        raise ConnectionError

    forget = world.store.forget
    world.store.forget = cut_off  # type: ignore[method-assign, assignment]
    with pytest.raises(ConnectionError):
        await world.worker().enter(Rebuild())
    world.store.forget = forget  # type: ignore[method-assign]
    assert "was cut off" in await refused(world.worker())
    await world.worker().enter(Rebuild())
    await world.worker().enter()


async def test_a_flushed_redis_is_filled_again_where_the_log_is_whole(world: World) -> None:
    guard = world.worker()
    await guard.enter()
    await world.used()
    world.store.flush()
    assert await guard.check({0: None}) == {0: 0}
    assert world.lost == 1
    await world.worker().enter()


async def test_a_flushed_redis_beside_a_log_that_is_not_whole_is_refused(world: World) -> None:
    await world.used()
    guard = world.worker()
    await guard.enter()
    world.store.flush()
    world.log.expire(NAMES.events, 1, 1)
    with pytest.raises(Refused, match=r"begins later by now in partitions 1"):
        await guard.check({0: None})
    assert await world.store.identity() is None


@pytest.mark.parametrize("exactly_once", [True, False])
async def test_a_flushed_redis_is_not_filled_where_that_would_publish_twice(
    world: World, exactly_once: bool
) -> None:
    await world.used()
    guard = world.worker(exactly_once=exactly_once)
    await guard.enter()
    world.store.flush()
    world.log.reached.clear()
    with pytest.raises(Refused, match="nothing tells what was published"):
        await guard.check({0: None})


async def test_a_worker_sees_that_another_pipeline_took_its_keys(world: World) -> None:
    await world.used()
    guard = world.worker()
    await guard.enter()
    world.store.flush()
    world.log.ids = ("another", "log")
    world.log.reached.clear()
    other = World()
    other.store, other.log = world.store, MemoryLog(ManualClock(1), NAMES, 2)
    other.log.ids = ("another", "log")
    await other.worker().enter()
    with pytest.raises(Refused, match="another Kafka cluster"):
        await guard.check({0: None})


def test_a_run_of_unusable_records_is_too_much() -> None:
    garbage = Garbage()
    assert garbage.take(0, RUN_MAX, Normalized(bad=RUN_MAX, bad_run=RUN_MAX)) is None
    assert garbage.take(1, 10, Normalized(bad=10, bad_run=10)) is None
    told = garbage.take(0, 1, Normalized(bad=1, bad_run=1))
    assert told == f"more than {RUN_MAX} unusable records in a row"


def test_a_usable_record_ends_a_run() -> None:
    garbage = Garbage()
    for _ in range(3):
        assert garbage.take(0, RUN_MAX + 1, Normalized(bad_run=RUN_MAX)) is None
        assert garbage.take(0, RUN_MAX + 1, Normalized()) is None


@pytest.mark.parametrize(("bad", "much"), [(50, False), (51, True)])
def test_a_share_of_unusable_records_is_too_much(bad: int, much: bool) -> None:
    garbage = Garbage()
    told = [garbage.take(n % 3, 100, Normalized(bad=bad)) for n in range(WINDOW // 100)]
    assert not any(told[:-1])
    assert told[-1] == (f"{bad * 50} of the last {WINDOW} records unusable" if much else None)


def test_a_share_is_one_of_the_last_records() -> None:
    garbage = Garbage()
    for _ in range(100):
        assert garbage.take(0, 100, Normalized()) is None
    told = [garbage.take(0, 100, Normalized(bad=90)) for _ in range(50)]
    assert told.index(next(filter(None, told))) == 27


async def test_outputs_left_beside_a_forgotten_place_are_refused_and_may_be_accepted(
    world: World,
) -> None:
    await world.used()
    before = await world.store.watermark(0)
    left = Entry(Mark(5, 1), NAMES.decisions, b"k", b"{}")
    assert await world.store.commit(0, before, Change(Mark(6, 0), outward=[left]))
    world.write(0, b"x")
    await world.worker().enter()  # the place is known
    world.log.reached.clear()
    text = await refused(world.worker())
    assert text.startswith("Kafka has forgotten how far outputs were published")
    assert "partitions 0)" in text
    await world.worker().enter(repeats=True)


async def test_outputs_left_before_anything_was_ever_published_are_no_matter(world: World) -> None:
    await world.worker().enter()
    world.write(0, DATA)
    left = Entry(Mark(0, 1), NAMES.decisions, b"k", b"{}")
    assert await world.store.commit(0, None, Change(Mark(1, 0), outward=[left]))
    await world.worker().enter()


async def test_a_state_of_an_older_version_is_gone_on_with_and_refused_to_that_version(
    world: World,
) -> None:
    await world.used()
    value = await world.store.identity()
    assert value is not None
    made = decode_identity(value)
    older = msgspec.structs.replace(made, version=OLDEST)
    await world.store.identify(encode_identity(older), replace=True)
    await world.worker().enter()
    assert await world.store.identity() == value
