"""A journey in shadow decides beside the live one, and nothing comes of it."""

from typing import Any

import orjson
import pytest

from pipeline.domain.versions import Ruling
from tests.process.changing import Changing, journey

SOONER = [{"after": "1h", "channel": "voice"}]


@pytest.fixture(params=["person", "key"])
def match(request: pytest.FixtureRequest) -> str:
    """Where the facts of a wait meet."""
    found: str = request.param
    return found


def shadow(match: str = "person", **more: Any) -> dict[str, Any]:
    return journey(2, **({"match": match, "steps": SOONER, "status": "shadow"} | more))


def topics(world: Changing) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in world.replay.outputs:
        if entry.value is not None:
            found.setdefault(entry.topic, []).append(orjson.loads(entry.value))
    return found


def shadowed(world: Changing, type_: str = "trigger") -> list[dict[str, Any]]:
    return [one for one in topics(world).get("journey.shadow", []) if one.get("type") == type_]


async def run(*journeys: dict[str, Any], calling: Any = None) -> Changing:
    """Approved at 10:00 and 10:30, the second signed at 11:40."""
    world = Changing(partitions=2)
    await world.apply("08:00", *journeys, calling=calling)
    await world.known("u1", "u2")
    await world.track("10:00", "u1", "Approved", "L1")
    await world.track("10:30", "u2", "Approved", "L2")
    await world.track("11:40", "u2", "Signed", "L2")
    await world.until("20:00")
    return world


async def test_both_decide_by_themselves(match: str) -> None:
    world = await run(journey(match=match), shadow(match))

    assert world.fired() == [("u1", 1, "12:00")]
    assert [(one["userId"], one["version"], one["firedAt"][11:16]) for one in shadowed(world)] == [
        ("u1", 2, "11:00"),
        ("u2", 2, "11:30"),
    ]
    (retraction,) = shadowed(world, "retraction")
    assert (retraction["userId"], retraction["reason"]) == ("u2", "cancelled_after_fire")


async def test_what_is_live_is_the_same_with_and_without_a_shadow(match: str) -> None:
    """Also cooldown, limits and what Segment is told."""
    live = journey(match=match, steps=[{"after": "2h", "channel": "voice", "cooldown": "1h"}])
    calling = {"limits": [{"max": 1, "per": "1d", "scope": "address"}]}
    alone = topics(await run(live, calling=calling))
    beside = topics(await run(live, shadow(match), calling=calling))

    assert beside.pop("journey.shadow")
    assert {name: len(records) for name, records in beside.items()} == {
        name: len(records) for name, records in alone.items()
    }
    for topic in ("journey.triggers", "journey.decisions", "segment.outbound", "contacts"):
        assert beside.get(topic) == alone.get(topic)


@pytest.mark.parametrize("scope", ["person", "address"])
async def test_limits_are_judged_in_shadow_and_count_for_nobody(match: str, scope: str) -> None:
    calling = {"limits": [{"max": 1, "per": "1d", "scope": scope}]}
    later = [{"after": "2h", "channel": "voice"}]
    live = journey(match=match, steps=SOONER)
    world = await run(live, shadow(match, steps=later), calling=calling)

    assert [one["firedAt"][11:16] for one in world.sent() if one["type"] == "trigger"][:1] == [
        "11:00"
    ]
    assert shadowed(world) == []
    decided = [one for one in topics(world)["journey.shadow"] if "outcome" in one]
    assert ("suppressed", "limits") in {(one["outcome"], one["reason"]) for one in decided}


async def test_ids_and_values_are_those_it_would_have_live(match: str) -> None:
    beside = await run(shadow(match))
    live = await run(shadow(match, status="active"))

    assert beside.sent() == []
    assert shadowed(beside) == [one for one in live.sent() if one["type"] == "trigger"]
    assert shadowed(beside, "retraction") == [
        one for one in live.sent() if one["type"] == "retraction"
    ]


async def test_a_hold_out_and_an_experiment_fall_out_as_they_would_live(match: str) -> None:
    variants = {"salt": "s", "variants": {"short": 50, "long": 50}}
    dealt = {"experiment": variants, "holdout": {"percent": 50, "salt": "t"}}
    beside, live = (
        await run(shadow(match, **dealt)),
        await run(shadow(match, status="active", **dealt)),
    )

    assert shadowed(beside) == [one for one in live.sent() if one["type"] == "trigger"]


async def test_a_promoted_shadow_is_live_and_open_waits_stay_with_the_old_version(
    match: str,
) -> None:
    world = Changing()
    await world.apply("08:00", journey(match=match), shadow(match))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved", "L1")
    await world.apply("10:30", shadow(match, status="active"), **{"\x1fj": Ruling(drop=3)})
    await world.track("10:45", "u1", "Approved", "L2")
    await world.until("20:00")

    assert world.fired() == [("u1", 2, "11:45"), ("u1", 1, "12:00")]
    assert [(one["outcome"], one["reason"]) for one in topics(world)["journey.shadow"]] == [
        ("superseded", "dropped")
    ]


async def test_an_erasure_takes_back_what_is_in_shadow(match: str) -> None:
    world = Changing()
    await world.apply("08:00", shadow(match))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved", "L1")
    await world.track("10:50", "u1", "Approved", "L2")
    await world.until("11:10")
    await world.replay.erase("u1", world.replay.now + 1)
    await world.until("20:00")

    assert world.sent() == []
    assert [one["reason"] for one in shadowed(world, "retraction")] == ["erased"]


async def test_what_a_shadow_fires_takes_no_room_of_the_person_from_the_live_one(
    match: str,
) -> None:
    calling = {"limits": [{"max": 1, "per": "1d", "scope": "person"}]}
    world = await run(journey(match=match), shadow(match), calling=calling)

    assert [clock for _, _, clock in world.fired()] == ["12:00"]
    assert shadowed(world)[0]["firedAt"][11:16] == "11:00"
