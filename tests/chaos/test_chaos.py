"""A minute of everything, and the oracle on its own."""

import subprocess
import sys

import pytest

from pipeline.local import LocalError
from tests.chaos.__main__ import show
from tests.chaos.faults import USUAL
from tests.chaos.mutants import MUTANTS
from tests.chaos.oracle import Published, judge
from tests.chaos.run import Plan, run
from tests.e2e.load import LOAN, Json, Wait

PLACE = (LOAN, "L-c1")
FIRES = {PLACE: Wait("fired", None, "t1", "+12122000001", "c1")}
QUIET = {PLACE: Wait("suppressed", "opted_out")}


def trigger(**other: str) -> Json:
    sent = {"type": "trigger", "id": "t1", "journey": LOAN, "key": "L-c1", "userId": "c1"}
    times = {"deadline": "2026-03-03T10:00:00.000Z", "firedAt": "2026-03-03T10:00:01.000Z"}
    return sent | times | {"to": "+12122000001"} | other


def decision(outcome: str = "fired", reason: str | None = None) -> Json:
    return {"journey": LOAN, "key": "L-c1", "outcome": outcome, "reason": reason}


def retraction(**other: str) -> Json:
    return {"id": "t1", "journey": LOAN, "key": "L-c1", "reason": "late_cancel"} | other


CASES: list[tuple[dict[tuple[str, str], Wait], set[str], Published, set[str]]] = [
    (FIRES, set(), Published([trigger()], [], [decision()]), set()),
    (FIRES, {"t1"}, Published([trigger()], [retraction()], [decision()]), set()),
    (FIRES, set(), Published([], [], [decision()]), {"lost"}),
    (FIRES, set(), Published([trigger(), trigger()], [], [decision()]), {"doubled"}),
    (FIRES, set(), Published([trigger()], [], [decision(), decision()]), {"decided otherwise"}),
    (FIRES, set(), Published([trigger()], [], []), {"decided otherwise"}),
    (FIRES, set(), Published([trigger()], [retraction()], [decision()]), {"wrongly retracted"}),
    (FIRES, {"t1"}, Published([trigger()], [], [decision()]), {"not retracted"}),
    (FIRES, {"t1"}, Published([trigger()], [retraction()] * 2, [decision()]),
     {"wrongly retracted"}),
    (FIRES, set(), Published([trigger(to="+12129999999")], [], [decision()]), {"of nobody's"}),
    (FIRES, set(), Published([trigger(firedAt="2026-03-03T09:59:59.999Z")], [], [decision()]),
     {"too early"}),
    (QUIET, set(), Published([], [], [decision("suppressed", "opted_out")]), set()),
    (QUIET, set(), Published([trigger()], [], [decision()]),
     {"without consent", "decided otherwise"}),
]  # fmt: skip


@pytest.mark.parametrize(("waits", "retracted", "published", "kinds"), CASES)
def test_the_oracle_names_what_is_wrong(
    waits: dict[tuple[str, str], Wait], retracted: set[str], published: Published, kinds: set[str]
) -> None:
    found = judge(waits, retracted, published).violations
    assert {kind for kind, each in found.items() if each} == kinds


def test_what_came_too_late_to_kafka_proves_only_that_nothing_is_doubled() -> None:
    waits = {PLACE: Wait("cancelled", "cancelled")}
    once = Published([trigger()], [retraction()], [decision()])
    assert judge(waits, set(), once, {PLACE}).good
    twice = Published([trigger(), trigger()], [], [decision()])
    assert judge(waits, set(), twice, {PLACE}).count("doubled") == 1


@pytest.mark.parametrize("name", MUTANTS)
def test_what_a_mutant_replaces_is_there(name: str) -> None:
    done = subprocess.run(  # it stays broken: a process of its own
        [sys.executable, "-c", f"from tests.chaos.mutants import MUTANTS; MUTANTS['{name}']()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.timeout(600)
async def test_a_minute_of_all_faults() -> None:
    try:
        outcome = await run(Plan(minutes=1, seed=1, faults=USUAL, rate=150, workers=2), print)
    except LocalError as error:
        pytest.skip(str(error))
    show(outcome)
    assert outcome.good, outcome.folder
