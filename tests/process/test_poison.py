"""Records on which our own code fails, and stored bytes that it can't read."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline import ports
from pipeline.domain import fold
from pipeline.domain.messages import Did
from pipeline.domain.refs import Ref
from pipeline.process import portion
from pipeline.process.normalize import Normalizer
from pipeline.process.state import POISON_RUN_MAX, Halted, Overtaken
from pipeline.wire import records
from pipeline.wire.records import Tick, encode_control
from pipeline.wire.state import LEDGER_KEY, SHELF_KEY, entity_key
from tests.process.folding import BEGIN, HOUR, NAMES, RULES, Folding, Logged

ANN, BOB = Ref("person", "ann"), Ref("person", "bob")


class Bug(Exception):
    """Ours."""


@pytest.fixture
def world() -> Folding:
    made = Folding()
    made.write(*RULES)
    return made


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The fold fails on track events of this name, half way through."""
    take = fold.take

    def fail_on(name: str) -> None:
        def failing_take(entity: Any, ref: Ref, message: Any, turn: Any) -> Any:
            made = take(entity, ref, message, turn)
            if isinstance(message, Did) and message.event.name == name:
                raise Bug("what an event holds must not be told")
            return made

        monkeypatch.setattr(fold, "take", failing_take)

    return fail_on


async def test_only_the_record_that_the_fold_fails_on_is_put_aside(
    world: Folding, failing: Callable[[str], None]
) -> None:
    failing("Poison")
    world.known("ann")
    world.call("ann", event="Poison")
    at = len(world.log) - 1
    world.known("bob")
    await world.take()
    world.tick(2)
    await world.take()
    assert world.letters() == [
        {
            "reason": "fold_failed",
            "detail": "Bug",
            "source-topic": NAMES.events,
            "source-partition": "0",
            "source-offset": str(at),
        }
    ]
    (letter,) = world.published(NAMES.dead_letters)
    assert (letter.mark, letter.value) == (ports.Mark(at, 1), world.log[at].value)
    assert world.counts["fold_failed"] == 1
    assert len(world.published(NAMES.triggers)) == 2


async def test_nothing_of_a_record_put_aside_is_kept(
    world: Folding, failing: Callable[[str], None]
) -> None:
    clean = Folding()
    clean.write(*RULES)
    failing("Poison")
    for each in (world, clean):
        each.known("ann")
        await each.take()
    world.call("ann", event="Poison")
    await world.take()
    assert world.entities()[entity_key(ANN)] == clean.entities()[entity_key(ANN)]


async def test_a_run_of_records_that_fail_halts_also_after_a_restart(
    world: Folding, failing: Callable[[str], None]
) -> None:
    failing("Poison")
    for _ in range(POISON_RUN_MAX + 5):
        world.call("ann", event="Poison")
    said = f"events/0 at {2 + POISON_RUN_MAX}: more than {POISON_RUN_MAX} records in a row"
    with pytest.raises(Halted, match=said):
        await world.take()
    world.again()
    with pytest.raises(Halted, match=said):
        await world.take()
    assert len(world.letters()) == POISON_RUN_MAX


async def test_a_record_that_works_ends_a_run(
    world: Folding, failing: Callable[[str], None]
) -> None:
    failing("Poison")
    for _ in range(3):
        for _ in range(POISON_RUN_MAX):
            world.call("ann", event="Poison")
        world.call("ann", event="Fine")
    await world.take()
    assert len(world.letters()) == 3 * POISON_RUN_MAX


async def test_a_store_that_is_away_makes_no_poison(world: Folding) -> None:
    world.known("ann")
    load = world.store.load

    async def away(*_: Any) -> Any:
        raise ports.StoreUnavailable("away")

    await world.process.open()
    world.store.load = away  # type: ignore[method-assign, assignment]
    with pytest.raises(ports.StoreUnavailable):
        await world.process.apply(world.log)
    world.store.load = load  # type: ignore[method-assign]
    await world.take()
    assert world.letters() == []


async def test_a_tick_on_which_the_fold_fails_halts_and_is_decided_by_a_version_that_can(
    world: Folding, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.known("ann")
    await world.take()
    before = world.entities()

    def failing(*_: Any) -> Any:
        raise Bug

    with monkeypatch.context() as patch:
        patch.setattr(fold, "tick", failing)
        world.tick(2)
        for _ in range(2):
            with pytest.raises(Halted, match=r"a tick failed with Bug for entity pe:[0-9a-f]{32}"):
                await world.take()
    assert world.entities() == before
    world.again()
    await world.take()
    assert len(world.published(NAMES.triggers)) == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda value: value[:-3], "stored state is not readable"),
        (lambda value: value[:1] + b"\x03" + value[2:], "state version 3, this code reads 1 to 2"),
    ],
    ids=["corrupt", "newer"],
)
async def test_an_entity_that_cannot_be_read_halts_and_stays_as_it_is(
    world: Folding, damage: Callable[[bytes], bytes], said: str
) -> None:
    world.known("ann")
    await world.take()
    stored = world.store._of(0).entities
    stored[entity_key(ANN)] = damage(stored[entity_key(ANN)])
    before = world.entities()
    place = len(world.log)
    world.again()
    world.call("bob", event="Fine")
    world.call("ann", event="Fine")
    with pytest.raises(Halted, match=f"events/0 at {place}: entity pe:[0-9a-f]{{32}}: {said}"):
        await world.take()
    world.again()
    world.log[place:] = []
    world.tick(2)
    with pytest.raises(Halted, match=f"at {place}: entity pe:[0-9a-f]{{32}}: {said}"):
        await world.take()
    assert world.entities() == before
    assert world.letters() == []


async def test_an_entity_of_another_kind_under_a_key_halts(world: Folding) -> None:
    world.known("ann")
    await world.take()
    stored = world.store._of(0).entities
    phone = next(key for key in stored if key.startswith(b"ad"))
    stored[entity_key(ANN)] = stored[phone]
    world.again()
    world.call("ann", event="Fine")
    with pytest.raises(Halted, match="it is of kind address"):
        await world.take()


@pytest.mark.parametrize("key", [LEDGER_KEY, SHELF_KEY])
async def test_a_ledger_or_shelf_of_a_newer_version_halts(world: Folding, key: bytes) -> None:
    await world.take()
    stored = world.store._of(0).entities
    stored[key] = stored[key][:1] + b"\x03" + stored[key][2:]
    world.again()
    with pytest.raises(Halted, match="state version 3, this code reads 1 to 2"):
        await world.process.open()


async def test_state_without_its_place_or_ledger_halts(world: Folding) -> None:
    world.known("ann")
    await world.take()
    snapshot = world.store.snapshot()
    world.store._of(0).watermark = None
    with pytest.raises(Halted, match="lost a part of this partition's state"):
        await world.process.open()
    world.store.restore(snapshot)
    del world.store._of(0).entities[LEDGER_KEY]
    with pytest.raises(Halted, match="lost a part of this partition's state"):
        await world.process.open()


async def test_a_record_of_a_newer_version_halts_and_is_not_passed_over(
    world: Folding, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(records, "VERSION", 3)
        world.call("ann", event="Fine")
    world.call("ann", event="Fine")
    with pytest.raises(Halted, match="events/0 at 2: record version 3, this code reads 1 to 2"):
        await world.take()
    assert (await world.process.open()).offset == 2


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\x00" * (ports.MAX_RECORD + 1)])
async def test_what_is_none_of_our_records_is_a_dead_letter(
    world: Folding, value: bytes | None
) -> None:
    world.write(value)
    world.known("ann")
    await world.take()
    (letter,) = world.published(NAMES.dead_letters)
    copied = value is None or len(value) <= ports.MAX_RECORD
    assert letter.value == (value if copied else None)
    assert world.letters()[0]["reason"] == "unreadable"
    assert entity_key(ANN) in world.entities()


async def test_what_causes_a_record_over_the_limit_is_put_aside_without_ending_the_stream(
    world: Folding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portion, "MAX_RECORD", 20_000)
    for _ in range(POISON_RUN_MAX + 1):
        # a person's facts grow until what they hand over would be too large
        properties = {"loanId": "ann", "text": "x" * 300}
        world.call("ann", event="Approved", properties=properties)
    world.call("bob", "alias", previousId="ann")
    at = len(world.log) - 1
    world.known("cid")
    await world.take()
    letters = world.letters()
    assert letters
    assert {letter["reason"] for letter in letters} == {"too_large"}
    assert all("too large: " in letter["detail"] for letter in letters)
    assert all(int(letter["source-offset"]) >= at for letter in letters)
    world.tick(2)
    await world.take()
    fired = world.published(NAMES.triggers)
    assert [entry.key for entry in fired] == [b"cid"]


def test_a_raw_record_over_the_limit_leaves_a_dead_letter_without_its_bytes() -> None:
    normalizer = Normalizer(1, "US", NAMES.events, NAMES.dead_letters)
    room = ports.MAX_RECORD - len(b"key")
    fits, over = (Logged(7, BEGIN, b"key", b"x" * size) for size in (room, room + 1))
    (letter,) = normalizer.normalize(NAMES.raw, 0, [fits]).dead_letters
    assert letter.value == fits.value
    (letter,) = normalizer.normalize(NAMES.raw, 0, [over]).dead_letters
    assert (letter.key, letter.value) == (b"key", None)
    assert b"bytes are not copied, see the source" in dict(letter.headers)["detail"]
    assert dict(letter.headers)["source-offset"] == b"7"


async def test_a_gap_is_asked_for_once_more_and_then_believed(world: Folding) -> None:
    await world.take()
    world.call("ann", event="Fine")
    world.call("ann", event="Fine")
    with pytest.raises(Overtaken):
        await world.process.apply(world.log[3:])
    await world.process.apply(world.log[3:])
    assert world.process.watermark.offset == 4


async def test_a_log_with_another_record_at_the_last_place_halts(world: Folding) -> None:
    world.call("ann", event="Fine")
    await world.take()
    last = world.log[-1]
    assert world.process.begin == last.offset
    await world.process.apply([last])
    for other in (last._replace(value=world.log[0].value), last._replace(timestamp=BEGIN + HOUR)):
        with pytest.raises(Halted, match="is not the one that was taken there"):
            await world.process.apply([other])


async def test_a_tick_of_a_clock_that_runs_ahead_decides_nothing_before_its_time(
    world: Folding,
) -> None:
    world.known("ann")
    ahead = encode_control(Tick(world.log[-1].timestamp + 48 * HOUR))
    world.write(ahead)

    await world.take()

    assert world.published(NAMES.triggers) == []
    world.tick(2)
    await world.take()
    assert len(world.published(NAMES.triggers)) == 1
