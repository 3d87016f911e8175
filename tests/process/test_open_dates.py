"""What becomes of the dates of open waits when another version comes into force."""

import pytest

from pipeline.domain.versions import Ruling
from tests.process.changing import Changing, journey

MOVE = Ruling(move=2)
UNTIL = {"until": "properties.due", "channel": "sms"}
CALL = {"after": "1h", "channel": "voice"}


async def test_a_date_that_is_lacking_still_is_told_once() -> None:
    world = Changing()
    await world.apply("08:00", journey(steps=[CALL, UNTIL, {**CALL, "after": "3h"}]))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    later = [CALL, {**UNTIL, "offset": "1h"}, {**CALL, "after": "4h"}]
    await world.apply("11:30", journey(2, steps=later), j=MOVE)
    await world.until("20:00")

    assert world.fired() == [("u1", 1, "11:00"), ("u1", 2, "14:00")]
    assert world.decided() == [("u1", 2, "ignored", "missing_date", "10:00")]


async def test_a_step_that_was_decided_lacks_no_date() -> None:
    world = Changing()
    await world.apply("08:00", journey(steps=[CALL, {**CALL, "after": "3h"}]))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    await world.apply("11:30", journey(2, steps=[UNTIL, {**CALL, "after": "4h"}]), j=MOVE)
    await world.until("20:00")

    assert world.fired() == [("u1", 1, "11:00"), ("u1", 2, "14:00")]
    assert world.decided() == []


@pytest.mark.parametrize(
    ("within", "outcome"),
    [("3h", ("suppressed", "no_consent", "12:00")), ("1h", ("ignored", "missing_date", "11:30"))],
)
async def test_a_date_that_was_known_must_be_near_enough_for_the_new_version(
    within: str, outcome: tuple[str, str, str]
) -> None:
    """The property itself is kept by no wait."""
    world = Changing()
    await world.apply("08:00", journey(steps=[UNTIL]))
    await world.known("u1")
    due = {"id": "L1", "due": "2026-03-03T12:00:00Z"}
    await world.send("10:00", "track", "u1", event="Approved", properties=due)
    await world.apply("11:30", journey(2, steps=[{**UNTIL, "within": within}]), j=MOVE)
    await world.until("20:00")

    assert [each[2:] for each in world.decided()] == [outcome]


async def test_a_wait_that_goes_on_gives_up_the_old_date_of_a_step() -> None:
    """The new version reads another one, that its start does not name."""
    world = Changing()
    await world.apply("08:00", journey(steps=[UNTIL]))
    await world.known("u1")
    due = {"id": "L1", "due": "2026-03-03T12:00:00Z"}
    await world.send("10:00", "track", "u1", event="Approved", properties=due)
    await world.apply("11:30", journey(2, steps=[{**UNTIL, "until": "properties.end"}]), j=MOVE)
    await world.until("20:00")

    assert [each[2:] for each in world.decided()] == [("ignored", "missing_date", "11:30")]
