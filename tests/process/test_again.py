"""What comes again: from the log, from a rival, from a clock, after Redis has gone back."""

import random
from collections.abc import Mapping

import orjson
import pytest

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain import fold
from pipeline.domain.messages import Erase, Record
from pipeline.domain.refs import Ref
from pipeline.ports import Change, Entry, Mark
from pipeline.process import state
from pipeline.process.portion import Place
from pipeline.process.state import Overtaken, StateProcess
from pipeline.rulebook.compile import canonical_document
from pipeline.wire.records import Announce, Enforce, Tick, decode, encode, encode_control
from pipeline.wire.state import (
    LEDGER_KEY,
    SHELF_KEY,
    decode_entity,
    decode_ledger,
)
from tests.process.folding import BEGIN, HOUR, JOURNEY, NAMES, PHONE, RULES, Folding

ANN = Ref("person", "ann")


@pytest.fixture
def world() -> Folding:
    made = Folding()
    made.write(*RULES)
    return made


async def everything(world: Folding) -> None:
    """A history with links, a merge, an erasure, another rulebook, late cancels and ticks."""
    for user in ("ann", "bob", "cid"):
        world.call(user, "page", name="Home", anonymousId=f"a-{user}")
        world.known(user)
    await world.take()
    world.call("bob", "alias", previousId="ann")
    await world.take()
    world.tick(2)
    await world.take()
    longer = canonical_document(
        {"journeys": [JOURNEY | {"version": 2, "steps": [{"after": "3h", "channel": "voice"}]}]}
    )
    world.write(encode_control(Announce("e", longer)), encode_control(Enforce("e")))
    world.call("ann", event="Signed", properties={"loanId": "ann"})
    world.known("dan")
    world.write(encode(Record(Ref("person", "cid"), None, None, Erase())))
    await world.take()
    for hours in (4, 40):
        world.tick(hours)
        await world.take()


async def folded(world: Folding, portions: random.Random | None = None) -> list[Entry]:
    """What the log of another world gives on this one's store, from where that stands."""
    outputs: list[Entry] = []
    process = StateProcess(
        Place(0, 1, "", NAMES.events), world.store, lambda change: outputs.extend(change.outward)
    )
    at = (await process.open()).offset
    while at < len(world.log):
        count = portions.randint(1, 7) if portions else len(world.log)
        await process.apply(world.log[at : at + count])
        at += count
    return outputs


async def test_records_that_were_taken_are_passed_over(world: Folding) -> None:
    await everything(world)
    before, outputs = world.entities(), len(world.outputs)

    world.again()
    await world.process.open()
    await world.process.apply(world.log)

    assert world.entities() == before
    assert len(world.outputs) == outputs


@pytest.mark.parametrize("seed", range(5))
async def test_from_any_earlier_state_on_the_same_state_and_outputs_come(
    world: Folding, seed: int
) -> None:
    """Redis goes back to the state after any commit; the rest is read in portions of any size."""
    chance = random.Random(seed)
    pasts: list[tuple[Mark, Mapping[int, object]]] = []
    commit = world.store.commit

    async def remembered(partition: int, expected: Mark | None, change: Change) -> bool:
        done = await commit(partition, expected, change)
        pasts.append((change.watermark, world.store.snapshot()))
        return done

    world.store.commit = remembered  # type: ignore[method-assign]
    await everything(world)
    world.store.commit = commit  # type: ignore[method-assign]
    whole, outputs = world.entities(), world.outputs
    assert {entry.topic for entry in outputs} >= {NAMES.triggers, NAMES.contacts, NAMES.optins}

    for watermark, past in pasts:
        world.store.restore(past)
        again = await folded(world, chance)
        assert world.entities() == whole
        assert again == [entry for entry in outputs if entry.mark >= watermark]


async def test_what_its_sender_sends_again_is_dropped_by_its_position(world: Folding) -> None:
    """As normalize does after a restart, and a relay that was killed before it trimmed."""
    await everything(world)
    before, outputs = world.entities(), len(world.outputs)
    sent = [r.value for r in world.log if isinstance(decode(r.value or b""), Record)]
    positioned = [value for value in sent if _positioned(value)]

    world.write(*positioned, *positioned[len(positioned) // 2 :])
    await world.take()

    assert world.counts["repeated"] == len(positioned) + len(positioned[len(positioned) // 2 :])
    assert len(world.outputs) == outputs
    assert _without(world.entities(), LEDGER_KEY) == _without(before, LEDGER_KEY)


def _positioned(value: bytes | None) -> bool:
    read = decode(value or b"")
    return isinstance(read, Record) and read.position is not None


def _without(entities: dict[bytes, bytes], *keys: bytes) -> dict[bytes, bytes]:
    return {key: value for key, value in entities.items() if key not in keys}


async def test_a_zombie_writes_nothing_and_goes_on_from_where_the_store_stands(
    world: Folding,
) -> None:
    world.known("ann")
    await world.take()
    zombie, stood = world.process, world.process.watermark.offset
    world.again()  # a successor, which takes what comes next
    world.known("bob")
    await world.take()
    before = world.entities()

    world.call("ann", event="Signed", properties={"loanId": "ann"})
    with pytest.raises(Overtaken):
        await zombie.apply(world.log[stood:])

    assert world.entities() == before
    assert await zombie.open() == Mark(len(world.log) - 1, 0)
    await zombie.apply(world.log[-1:])
    assert zombie.watermark == Mark(len(world.log), 0)


async def test_what_was_folded_from_memory_alone_is_refused_like_any_other(world: Folding) -> None:
    """Nothing had to be read that would have told of the successor: the commit does."""
    zombie = world.process
    await zombie.open()
    world.known("ann")
    while (stood := zombie.watermark.offset) < len(world.log):
        await zombie.apply(world.log[stood:])
    world.again()
    world.call("ann", event="Signed", properties={"loanId": "ann"})
    await world.take()
    before, told = world.entities(), len(world.outputs)

    with pytest.raises(Overtaken):
        await zombie.apply(world.log[stood:])

    assert zombie.watermark.offset == stood
    assert (world.entities(), len(world.outputs)) == (before, told)


async def test_a_tick_for_many_is_several_commits_that_a_crash_may_part(
    world: Folding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an outage everybody is due at once: the oldest first, each once."""
    monkeypatch.setattr(state, "PORTION_MAX", 7)
    users = [f"u{n:02d}" for n in range(40)]
    for minute, user in enumerate(reversed(users)):
        world.call(user, event="Approved", properties={"loanId": user}, timestamp=_at(minute))
    await world.take()
    sizes: list[int] = []
    commit = world.store.commit

    async def dying(partition: int, expected: Mark | None, change: Change) -> bool:
        if len(sizes) % 3 == 2:
            sizes.append(0)
            raise ConnectionError
        sizes.append(sum(key.startswith(b"pe") for key in change.entities))
        return await commit(partition, expected, change)

    world.store.commit = dying  # type: ignore[method-assign]
    world.tick(30)
    while world.process.watermark.offset < len(world.log):
        world.again()
        try:
            await world.take()
        except ConnectionError:
            continue

    assert max(sizes) == 7
    assert sizes.count(0) >= 2
    decided = [entry.key for entry in world.published(NAMES.decisions)]
    assert decided == [user.encode() for user in reversed(users)]


async def test_a_bounded_tick_decides_what_is_due_longest_and_the_next_one_goes_on(
    world: Folding,
) -> None:
    """What came in between counts: the input does not wait for an outage's deadlines."""
    users = [f"u{n}" for n in range(5)]
    for minute, user in enumerate(users):
        world.call(user, event="Approved", properties={"loanId": user}, timestamp=_at(minute))
    world.tick(30, most=2)
    world.call("u2", event="Signed", properties={"loanId": "u2"}, timestamp=_at(5))
    for _ in range(3):
        world.tick(30, most=2)
    await world.take()

    decided = [orjson.loads(entry.value or b"") for entry in world.published(NAMES.decisions)]
    assert [each["userId"] for each in decided] == users
    assert [each["outcome"] for each in decided] == [
        "expired", "expired", "cancelled", "expired", "expired",
    ]  # fmt: skip


def _at(minute: int) -> int:
    """Epoch milliseconds, from a day before the log's begin on."""
    return BEGIN - 24 * HOUR + minute * 60_000


async def test_a_tick_that_is_older_than_the_last_one_decides_nothing(world: Folding) -> None:
    world.tick(3)
    await world.take()
    world.known("ann")
    await world.take()
    clock = world.process.clock

    for hours in (2, 1):
        world.write(encode_control(Tick(BEGIN + hours * HOUR)))
    await world.take()

    assert world.process.clock == clock == BEGIN + 3 * HOUR
    assert world.published(NAMES.triggers) == []


async def test_brokers_whose_clock_runs_ahead_make_nothing_due(world: Folding) -> None:
    world.known("ann")
    await world.take()
    last = world.log[-1]
    early = encode_control(Tick(BEGIN + HOUR // 2))
    world.log.append(last._replace(offset=last.offset + 1, timestamp=BEGIN + 9 * HOUR, value=early))

    await world.take()

    assert world.published(NAMES.triggers) == []


async def test_an_open_wait_keeps_the_rules_under_which_it_began_also_on_a_replay(
    world: Folding,
) -> None:
    world.known("ann")
    await world.take()
    later = JOURNEY | {"version": 2, "steps": [{"after": "5h", "channel": "voice"}]}
    document = canonical_document({"journeys": [later]})
    world.write(encode_control(Announce("e", document)), encode_control(Enforce("e")))
    world.known("bob")
    await world.take()
    world.tick(2)
    await world.take()
    assert [entry.key for entry in world.published(NAMES.triggers)] == [b"ann"]
    world.tick(6)
    await world.take()
    assert [entry.key for entry in world.published(NAMES.triggers)] == [b"ann", b"bob"]

    other = Folding(MemoryStore())
    other.log = world.log
    assert await folded(other) == world.outputs


async def test_after_an_erasure_no_output_tells_of_the_erased(world: Folding) -> None:
    world.call("ann", "page", name="Home", anonymousId="a-ann")
    world.known("ann")
    await world.take()
    world.write(encode(Record(ANN, None, None, Erase())))
    await world.take()
    outputs = len(world.outputs)

    world.known("ann")
    world.call("ann", "identify", anonymousId="a-ann", traits={"email": "ann@example.com"})
    world.call("ann", "alias", previousId="a-ann")
    world.call("ann", event="Signed", properties={"loanId": "ann"})
    world.tick(30)
    await world.take()

    assert world.outputs[outputs:] == []
    assert world.counts["erased"] > 3
    kept = b"".join(_without(world.entities(), LEDGER_KEY, SHELF_KEY).values())
    assert not [text for text in (PHONE.encode(), b"example.com", b"firstName") if text in kept]


async def test_what_is_due_in_the_store_is_what_the_entities_say(world: Folding) -> None:
    wrong: list[object] = []
    commit = world.store.commit

    async def compared(partition: int, expected: Mark | None, change: Change) -> bool:
        done = await commit(partition, expected, change)
        kept = world.store._of(partition)
        derived = {
            key: instant
            for key, value in kept.entities.items()
            if key not in {LEDGER_KEY, SHELF_KEY}
            and (instant := fold.due(decode_entity(value)[1])) is not None
        }
        if kept.due != derived:
            wrong.append((change.watermark, kept.due, derived))
        return done

    world.store.commit = compared  # type: ignore[method-assign]
    await everything(world)

    assert wrong == []


async def test_log_time_never_goes_back_whatever_the_brokers_stamp(world: Folding) -> None:
    """A leader of another broker may stamp earlier than the one before it."""
    seen: list[int] = []
    for stamp in (5 * HOUR, 2 * HOUR, 6 * HOUR, 0):
        world.call("ann", event="Fine")
        world.log[-1] = world.log[-1]._replace(timestamp=BEGIN + stamp)
        await world.take()
        seen.append(decode_ledger(world.entities()[LEDGER_KEY]).log_time - BEGIN)

    assert seen == [5 * HOUR, 5 * HOUR, 6 * HOUR, 6 * HOUR]
