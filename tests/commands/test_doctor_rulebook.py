"""`doctor` on the rulebook that is in force."""

import pytest

from pipeline.commands.doctor_checks import _paused, _rulebook
from pipeline.commands.doctor_redis import Finding
from pipeline.process.rulebook_change import in_force
from tests.process.changing import Changing, journey


async def findings(world: Changing) -> list[Finding]:
    now = await in_force(world.store, 1)
    return [_rulebook(now), *_paused(now)]


@pytest.mark.parametrize("status", ["active", "retired", "shadow"])
async def test_nothing_is_said_of_a_journey_that_does_as_its_file_says(status: str) -> None:
    world = Changing()
    await world.apply("08:00", journey(status=status))

    (found,) = await findings(world)
    assert found.level == "ok"


async def test_a_pause_that_nobody_ended_is_told() -> None:
    world = Changing()
    await world.apply("08:00", journey(status="paused"), journey(journey="other"))

    ok, paused = await findings(world)
    assert "2 journeys" in ok.what
    assert (paused.level, paused.what) == ("warn", "j is paused")
    assert "pipeline resume" in (paused.remedy or "")
