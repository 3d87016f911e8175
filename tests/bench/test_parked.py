"""People who fill a state, and their visits: the product's own replay gives what is expected."""

import orjson
import yaml

from pipeline.adapters.memory_store import MemoryStore
from pipeline.process.replay import Replay
from pipeline.rulebook.compile import canonical_document
from tests.bench.expected import Found, faults
from tests.bench.generator import Load, Pace, make
from tests.bench.job import RULEBOOK, WAIT
from tests.bench.parked import (
    JOURNEY,
    chunks,
    deadlines,
    identities,
    probes,
    visits,
    waits,
)

BEGIN = 1_772_323_200_000
PEOPLE = range(40)
PARKED = 600


async def filled() -> tuple[Replay, Load]:
    replay = Replay(MemoryStore(), partitions=4)
    replay.now = BEGIN - 1_000
    journeys = [yaml.safe_load(text) for text in (RULEBOOK % WAIT, JOURNEY % PARKED)]
    await replay.enforce(canonical_document({"journeys": journeys}), "d" * 32)
    known = identities(PEOPLE, BEGIN - 60_000)
    for load in (known, waits(PEOPLE, BEGIN - 30_000)):
        await replay.feed_all([call.value for call in load.calls], BEGIN)
    return replay, known


async def test_visits_bring_their_triggers_and_waits_theirs_at_their_deadlines() -> None:
    replay, known = await filled()
    pace = Pace(BEGIN, span=60.0)
    coming = [visits(len(PEOPLE), pace, nth) for nth in (1, 2)]
    assert all(len(load.triggers) > 3 for load in coming)
    for call in sorted((c for load in coming for c in load.calls), key=lambda call: call.due):
        await replay.feed(call.value, BEGIN + int(call.due * 1000))
    await replay.advance(BEGIN + int((pace.length + WAIT) * 1000))
    assert faults(Found.of(replay.outputs), [known, *coming]) == []
    await replay.advance(BEGIN + PARKED * 1000)
    assert faults(Found.of(replay.outputs), [known, *coming, deadlines(PEOPLE)]) == []


async def test_a_probe_can_be_told_in_the_contact_that_it_changes() -> None:
    replay, known = await filled()
    load = probes(range(5), BEGIN, "after-kill")
    await replay.feed_all([call.value for call in load.calls], BEGIN + 1_000)
    told = {
        entry.key
        for entry in replay.outputs
        if entry.topic == "contacts" and b"after-kill" in (entry.value or b"")
    }
    assert told == {b"parked%07d" % number for number in range(5)}
    assert faults(Found.of(replay.outputs), [known]) == []


def test_chunks_are_all_people_once() -> None:
    assert [n for numbers in chunks(120_000) for n in numbers] == list(range(120_000))


def test_a_load_that_was_sent_still_tells_what_must_come() -> None:
    load, other = make(200, Pace(BEGIN, span=10.0)), make(100, Pace(BEGIN, span=10.0), first=100)
    calls, more = len(load.calls), len(other.calls)
    wanted = load.contacts | other.contacts
    load.forget()
    load.take(other)
    assert (load.calls, load.count) == ([], calls + more)
    assert load.contacts == wanted


def test_a_call_names_its_person_by_the_key_it_is_sent_with() -> None:
    for call in [*identities(range(3), BEGIN).calls, *waits(range(3), BEGIN).calls]:
        assert orjson.loads(call.value)["userId"] == call.key
