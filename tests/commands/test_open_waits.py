"""`plan`, `apply`, `pause` and `resume` on a pipeline in which somebody waits."""

import asyncio
from pathlib import Path

import pytest

from tests.commands.conftest import Call
from tests.commands.memory import ENVIRON, reachable_world
from tests.commands.rulebooks import Rulebook
from tests.commands.running import Told
from tests.process.changing import Changing, journey

SOONER = [{"after": "1h", "channel": "voice", "expires": "20m"}]


@pytest.fixture
def rulebook(tmp_path: Path) -> Rulebook:
    return Rulebook(tmp_path / "rulebook")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Changing:
    """One waits since 10:00, one since 10:50; two hours each. It is 11:10."""
    made = Changing(partitions=2)

    async def begin() -> None:
        await made.apply("08:00", journey())
        await made.known("u1", "u2")
        await made.track("10:00", "u1", "Approved", "L1")
        await made.track("10:50", "u2", "Approved", "L2")
        await made.until("11:10")

    asyncio.run(begin())
    reachable_world(monkeypatch, made)
    return made


@pytest.fixture
def ask(call: Call, world: Changing) -> Call:
    def asks(*words: object) -> Told:
        return call(*words, **ENVIRON, PIPELINE_PARTITIONS="2")

    return asks


def test_plan_tells_every_value_that_changes(ask: Call, rulebook: Rulebook) -> None:
    changed = journey(2, steps=SOONER, unless=["Signed", {"type": "page"}])
    told = ask("plan", rulebook.write(changed, journey(journey="new")))

    assert told.status == 0, told.err
    assert "+ new (version 1)" in told.out
    assert "~ j (version 1 -> 2)\n" in told.out
    assert "    step 1, after: 2h -> 1h\n" in told.out
    assert "    step 1, expires: 1d -> 20m\n" in told.out
    assert "    unless: Signed -> Signed; any page\n" in told.out


@pytest.mark.parametrize("left", [[], [journey(status="retired")]], ids=["removed", "retired"])
def test_plan_tells_that_a_paused_journey_that_goes_ends_its_pause(
    ask: Call, rulebook: Rulebook, left: list[dict[str, object]]
) -> None:
    warning = "its pause ends with that"
    assert warning not in ask("plan", rulebook.write(*left)).out
    assert ask("pause", "j").status == 0
    assert warning in ask("plan", rulebook.write(*left)).out
    assert warning not in ask("plan", rulebook.write(journey())).out


def test_plan_counts_what_each_policy_would_do_and_does_nothing(
    ask: Call, rulebook: Rulebook, world: Changing
) -> None:
    before = [dict(world.store._of(n).entities) for n in (0, 1)]
    told = ask("plan", rulebook.write(journey(2, steps=SOONER)))

    assert "  j, version 1: 2 open waits\n" in told.out
    assert "    --open-waits keep (default): all go on by version 1\n" in told.out
    assert (
        "    --open-waits j=re-evaluate: 2 go on by the new version, 1 with a step due at once,"
        " 0 with one expired\n" in told.out
    )
    assert "    --open-waits j=drop: 2 end\n" in told.out
    assert [dict(world.store._of(n).entities) for n in (0, 1)] == before


def test_plan_as_json_has_the_same(ask: Call, rulebook: Rulebook) -> None:
    steps = [{"after": "15m", "channel": "voice", "expires": "10m"}]
    (said,) = ask("plan", rulebook.write(journey(2, steps=steps)), "--json").lines

    assert said["openWaits"] == [
        {
            "journey": "j",
            "version": 1,
            "open": 2,
            "held": 0,
            "keep": 2,
            "reEvaluate": {"waits": 2, "dueAtOnce": 1, "expired": 1, "kept": 0},
            "drop": 2,
        }
    ]
    assert {"what": "version", "old": "1", "new": "2"} in said["changed"]["j"]
    assert said["needsVersion"] == {}


def test_apply_keeps_open_waits_without_a_word(
    ask: Call, rulebook: Rulebook, world: Changing
) -> None:
    told = ask("apply", rulebook.write(journey(2, steps=SOONER)))

    assert told.status == 0, told.err
    assert told.last.endswith("is in force in every partition")
    asyncio.run(world.until("20:00"))
    assert world.fired() == [("u1", 1, "12:00"), ("u2", 1, "12:50")]


def test_apply_drops_open_waits(ask: Call, rulebook: Rulebook, world: Changing) -> None:
    told = ask("apply", rulebook.write(journey(2)), "--open-waits", "drop")

    assert told.status == 0, told.err
    assert "  open waits of j are dropped\n" in told.out
    assert sorted(each[:4] for each in world.decided()) == [
        ("u1", 1, "superseded", "dropped"),
        ("u2", 1, "superseded", "dropped"),
    ]


def test_apply_re_evaluates_the_open_waits_of_one_journey(
    ask: Call, rulebook: Rulebook, world: Changing
) -> None:
    told = ask("apply", rulebook.write(journey(2, steps=SOONER)), "--open-waits", "j=re-evaluate")
    assert told.status == 0, told.err
    asyncio.run(world.until("20:00"))

    assert world.fired() == [("u1", 2, "11:10"), ("u2", 2, "11:50")]


def test_what_is_in_force_can_be_applied_again_to_drop_what_is_left(
    ask: Call, rulebook: Rulebook, world: Changing
) -> None:
    folder = rulebook.write(journey(2))
    assert ask("apply", folder).status == 0
    assert ask("apply", folder).last.endswith("is in force already: nothing done")
    told = ask("plan", folder)
    assert "  j, version 1: 2 open waits\n" in told.out
    assert ask("apply", folder, "--open-waits", "j=drop").status == 0
    assert len(world.decided()) == 2
    assert ask("apply", folder, "--open-waits", "j=drop").last.endswith("nothing done")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["later"], "'later' is no policy: write one of keep, re-evaluate, drop"),
        (["=drop"], "'=drop' is no policy"),
        (["j="], "'j=' is no policy"),
        (["drop", "keep"], "is given twice"),
        (["j=drop", "j=keep"], "is given twice"),
        (["jj=drop"], "there is no journey `jj`: did you mean `j`?"),
        (["nothing like it=drop"], "there is no journey `nothing like it`: name one"),
    ],
)
def test_a_policy_that_can_not_be_meant_is_refused(
    ask: Call, rulebook: Rulebook, world: Changing, given: list[str], said: str
) -> None:
    words = [word for each in given for word in ("--open-waits", each)]
    told = ask("apply", rulebook.write(journey(2)), *words)

    assert told.status in {1, 2}
    assert said in told.err
    assert world.decided() == []


@pytest.mark.parametrize(
    ("journeys", "why"),
    [
        ([journey(2, key="properties.other")], "its `key` changes"),
        ([journey(2, match="key")], "its `match` changes"),
        ([journey(2, status="retired")], "it opens no more waits"),
        ([], "it opens no more waits"),
    ],
)
def test_a_re_evaluation_that_can_not_be_is_refused_with_what_to_write(
    ask: Call, rulebook: Rulebook, journeys: list[dict[str, object]], why: str
) -> None:
    told = ask("apply", rulebook.write(*journeys), "--open-waits", "re-evaluate")

    assert told.status == 1
    assert f"open waits of `j` can't be re-evaluated, {why}: write --open-waits j=keep" in told.err
    assert told.err.count("\n") == 1


def test_a_version_whose_waits_were_dropped_does_not_come_back(
    ask: Call, rulebook: Rulebook
) -> None:
    assert ask("apply", rulebook.write(), "--open-waits", "j=drop").status == 0
    told = ask("apply", rulebook.write(journey()))

    assert told.status == 1
    assert "`j`: write `version: 2`" in told.err
    assert ask("apply", rulebook.write(journey(2))).status == 0


def test_a_version_whose_waits_were_re_evaluated_does_not_come_back_either(
    ask: Call, rulebook: Rulebook
) -> None:
    """What it opened would go on under the later one at the next tick."""
    later = journey(2, steps=[{"after": "4h", "channel": "voice"}])
    assert ask("apply", rulebook.write(later), "--open-waits", "re-evaluate").status == 0
    assert ask("apply", rulebook.write()).status == 0
    told = ask("apply", rulebook.write(journey()))

    assert told.status == 1
    assert "`j`: write `version: 2`" in told.err


def test_pause_and_resume_are_in_force_at_once_and_plan_shows_the_drift(
    ask: Call, rulebook: Rulebook, world: Changing
) -> None:
    folder = rulebook.write(journey())
    told = ask("pause", "j")
    assert told.status == 0, told.err
    assert told.out.startswith("j, paused, is in force in every partition\n")
    assert "write `status: paused` in its file" in told.last
    assert ask("pause", "j").last == "j is paused already: nothing done"
    assert "    status: paused -> active" in ask("plan", folder).out
    asyncio.run(world.until("13:00"))
    assert world.fired() == []

    told = ask("resume", "j", "--json")
    assert told.lines[0]["status"] == "active"
    assert told.lines[0]["applied"]
    assert ask("plan", folder).last == "nothing changes"
    asyncio.run(world.until("20:00"))
    assert world.fired() == [("u1", 1, "13:00"), ("u2", 1, "13:00")]


def test_a_pause_needs_no_higher_version_in_the_file(ask: Call, rulebook: Rulebook) -> None:
    assert ask("apply", rulebook.write(journey(status="paused"))).status == 0
    assert ask("apply", rulebook.write(journey(status="retired"))).status == 0
    assert ask("apply", rulebook.write(journey())).status == 0


def test_what_can_not_be_paused_is_told_in_one_line(ask: Call, rulebook: Rulebook) -> None:
    told = ask("pause", "k")
    assert (told.status, told.err.count("\n")) == (1, 1)
    assert "no journey `k` is in force" in told.err
    assert ask("apply", rulebook.write(journey(status="retired"))).status == 0
    told = ask("resume", "j")
    assert told.status == 1
    assert "`j` is retired and opens nothing" in told.err
