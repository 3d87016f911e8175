"""`pipeline shadow`: what a journey in shadow does otherwise than the live one."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Call
from tests.commands.memory import ENVIRON, MemoryReach, reachable_world
from tests.commands.rulebooks import Rulebook
from tests.commands.running import Told
from tests.process.changing import Changing, journey


def shadow(**more: Any) -> dict[str, Any]:
    return journey(2, **({"steps": [{"after": "1h", "channel": "voice"}]} | more), status="shadow")


@pytest.fixture
def rulebook(tmp_path: Path) -> Rulebook:
    return Rulebook(tmp_path / "rulebook")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Changing:
    made = Changing()
    reachable_world(monkeypatch, made)
    return made


@pytest.fixture
def ask(call: Call, world: Changing) -> Call:
    def asks(*words: object) -> Told:
        return call(*words, **ENVIRON, PIPELINE_PARTITIONS="1")

    return asks


async def traffic(world: Changing) -> None:
    """u1 and u2 are called by both, u3 signs between the two deadlines, u4 is of one audience."""
    await world.apply("08:00", journey(), shadow(audience="!has(traits.vip)"))
    await world.known("u1", "u2", "u3", "u4")
    await world.send("09:30", "identify", "u4", traits={"vip": True})
    for number, user in enumerate(("u1", "u2", "u3", "u4"), 1):
        await world.track("10:00", user, "Approved", f"L{number}")
    await world.track("11:30", "u3", "Signed", "L3")
    await world.until("20:00")


def test_what_both_and_what_only_one_of_them_fired(ask: Call, world: Changing) -> None:
    asyncio.run(traffic(world))
    told = ask("shadow", "j", "--json")

    assert told.status == 0, told.err
    *rows, summary = told.lines
    assert sorted((row["type"], row["userId"], row["reason"]) for row in rows) == [
        ("both", "u1", None),
        ("both", "u2", None),
        ("onlyLive", "u4", "suppressed audience"),
        ("onlyShadow", "u3", "cancelled cancelled"),
    ]
    (taken_back,) = (row for row in rows if row["retracted"])
    assert (taken_back["userId"], taken_back["retracted"]) == ("u3", "shadow")
    assert (summary["both"], summary["onlyLive"], summary["onlyShadow"]) == (2, 1, 1)


def test_the_table_names_reasons_and_counts(ask: Call, world: Changing) -> None:
    asyncio.run(traffic(world))
    told = ask("shadow", "j")

    assert told.last == "fired by both 2, only live 1, only shadow 1"
    assert "suppressed audience" in told.out
    assert "cancelled cancelled" in told.out


def test_from_and_to_pick_by_the_time_of_firing(ask: Call, world: Changing) -> None:
    asyncio.run(traffic(world))

    told = ask("shadow", "j", "--from", "2026-03-03T12:00:00Z")
    assert told.last == "fired by both 2, only live 1, only shadow 0"
    told = ask("shadow", "j", "--to", "2026-03-03T11:59:00Z")
    assert told.last == "fired by both 0, only live 0, only shadow 1"
    told = ask("shadow", "j", "--from", "2026-03-04", "--to", "2026-03-03")
    assert (told.status, told.err.count("\n")) == (2, 1)
    assert "--to is before --from" in told.err


def test_a_journey_without_a_shadow_is_told_in_one_line(ask: Call, world: Changing) -> None:
    asyncio.run(traffic(world))
    for name in ("k", 'quo"te', "\x1fj", ""):
        told = ask("shadow", name)
        assert (told.status, told.err.count("\n")) == (1, 1)
        assert "status: shadow" in told.err


def test_a_shadow_is_planned_applied_and_promoted(
    ask: Call, rulebook: Rulebook, world: Changing
) -> None:
    beside = rulebook.write(journey(), shadow())
    told = ask("plan", beside)
    assert "+ j (version 1)" in told.out
    assert "+ j (shadow) (version 2)" in told.out
    assert ask("apply", beside).status == 0
    assert ask("plan", beside).last == "nothing changes"
    told = ask("plan", rulebook.write(shadow() | {"status": "active"}))
    assert "~ j (version 1 -> 2)" in told.out
    assert "- j (shadow): opens no more waits" in told.out
    assert "!" not in told.out
    assert ask("apply", rulebook.folder, "--open-waits", "j=re-evaluate").status == 0


def test_a_shadow_of_no_higher_version_is_refused(ask: Call, rulebook: Rulebook) -> None:
    told = ask("check", rulebook.write(journey(2), shadow()))
    assert told.status == 1
    assert "`version` is not above 2, that of the live journey" in told.out + told.err
    told = ask("check", rulebook.write(journey(), shadow(), shadow()))
    assert "a journey `j (shadow)` stands in" in told.out + told.err
    told = ask("check", rulebook.write(journey(), journey()))
    assert "a journey `j` stands in" in told.out + told.err


def test_a_shadow_needs_its_topic(
    ask: Call, rulebook: Rulebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryReach, "topics", False)
    told = ask("apply", rulebook.write(journey(), shadow()))

    assert (told.status, told.err.count("\n")) == (1, 1)
    assert "there is no topic journey.shadow: run `pipeline topics create`" in told.err
    assert ask("apply", rulebook.write(journey())).status == 0


def test_pause_means_the_live_journey(ask: Call, rulebook: Rulebook) -> None:
    assert ask("apply", rulebook.write(journey(), shadow())).status == 0
    assert ask("pause", "j").status == 0
    told = ask("plan", rulebook.folder)
    assert "~ j (version 1)\n    status: paused -> active\n" in told.out
    assert "(shadow)" not in told.out


def test_a_promotion_may_re_evaluate_all_that_the_apply_touches(
    ask: Call, rulebook: Rulebook
) -> None:
    """The shadow that goes has nothing to go on with."""
    assert ask("apply", rulebook.write(journey(), shadow())).status == 0
    promoted = rulebook.write(shadow() | {"status": "active"})
    told = ask("apply", promoted, "--open-waits", "re-evaluate")

    assert told.status == 0, told.err
    assert told.out.count("open waits of") == 1
