"""A paused journey takes what comes and fires nothing; a retired one opens nothing."""

from tests.process.changing import Changing, at, journey

EVENING = {"hours": {"voice": "13:00-15:00"}}
"""In New York, 18:00 to 20:00 UTC."""


async def test_what_comes_due_in_a_pause_fires_at_the_resume(world: Changing, match: str) -> None:
    await world.apply("11:00", journey(match=match, status="paused"))
    await world.until("12:59")
    assert world.fired() == []
    await world.apply("13:00", journey(match=match))
    await world.until("20:00")

    assert world.fired() == [("u1", 1, "13:00")]
    assert world.decided() == []


async def test_starts_and_cancels_are_taken_in_a_pause(world: Changing, match: str) -> None:
    await world.apply("11:00", journey(match=match, status="paused"))
    await world.track("11:10", "u1", "Approved", "L2")
    await world.track("11:20", "u1", "Signed", "L1")
    await world.apply("13:00", journey(match=match))
    await world.until("20:00")

    assert world.decided() == [("u1", 1, "cancelled", "cancelled", "11:20")]
    assert world.fired() == [("u1", 1, "13:10")]


async def test_what_is_of_no_use_after_the_pause_expires_in_it(match: str) -> None:
    world = Changing()
    steps = [{"after": "2h", "channel": "voice", "expires": "30m"}]
    await world.apply("08:00", journey(match=match, steps=steps))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    await world.apply("11:00", journey(match=match, steps=steps, status="paused"))
    await world.until("14:00")
    assert world.decided() == [("u1", 1, "expired", "paused", "12:30")]
    await world.apply("14:00", journey(match=match, steps=steps))
    await world.until("20:00")

    assert world.fired() == []


async def test_a_pause_costs_no_tick_while_nothing_expires(world: Changing, match: str) -> None:
    await world.apply("11:00", journey(match=match, status="paused"))
    await world.until("12:00")
    due = (await world.store.progress([0]))[0].due

    assert due is not None
    assert due > world.replay.now + 3_600_000


async def test_a_hold_that_ends_in_a_pause_is_released_at_the_resume(match: str) -> None:
    world = Changing()
    await world.apply("08:00", journey(match=match), calling=EVENING)
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    await world.apply("13:00", journey(match=match, status="paused"), calling=EVENING)
    await world.until("18:30")
    assert world.fired() == []
    await world.apply("19:00", journey(match=match), calling=EVENING)
    await world.until("23:00")

    assert world.fired() == [("u1", 1, "19:00")]


async def test_a_hold_that_is_resumed_out_of_hours_waits_for_them_again(match: str) -> None:
    world = Changing()
    steps = [{"after": "2h", "channel": "voice", "expires": "9h"}]
    await world.apply("08:00", journey(match=match, steps=steps), calling=EVENING)
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    await world.apply("13:00", journey(match=match, steps=steps, status="paused"), calling=EVENING)
    await world.apply("20:30", journey(match=match, steps=steps), calling=EVENING)
    await world.until("23:00")

    assert world.fired() == []
    assert world.decided() == [("u1", 1, "expired", "best_before", "21:00")]


async def test_an_attempt_that_the_pause_overtakes_waits_at_its_person() -> None:
    world = Changing()
    steps = [{"after": "2h", "channel": "voice", "cooldown": "1h"}]  # judged one tick later
    await world.apply("08:00", journey(steps=steps))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    await world.until("11:59")
    await world.tick_once("12:00")
    await world.apply_now(journey(steps=steps, status="paused"))
    await world.until("15:00")
    assert world.fired() == []
    await world.apply("16:00", journey(steps=steps))
    await world.until("20:00")

    assert world.fired() == [("u1", 1, "16:00")]


async def test_another_journey_fires_beside_a_paused_one(world: Changing, match: str) -> None:
    other = journey(match=match, journey="other")
    await world.apply("10:30", journey(match=match, status="paused"), other)
    await world.track("11:00", "u1", "Approved", "L2")
    await world.until("20:00")

    assert [(one["journey"], one["firedAt"][11:16]) for one in world.sent()] == [("other", "13:00")]


async def test_a_retired_journey_opens_nothing_and_runs_out(world: Changing, match: str) -> None:
    await world.apply("11:00", journey(match=match, status="retired"))
    await world.track("11:30", "u1", "Approved", "L2")
    await world.until("20:00")

    assert world.fired() == [("u1", 1, "12:00")]
    assert world.decided() == []


async def test_a_journey_removed_in_its_pause_runs_out(world: Changing, match: str) -> None:
    await world.apply("11:00", journey(match=match, status="paused"))
    await world.apply("13:00")
    await world.until("20:00")

    assert world.fired() == [("u1", 1, "13:00")]


async def test_what_had_expired_before_a_pause_did_not_expire_by_it() -> None:
    """It is decided late, as after an outage."""
    world = Changing()
    steps = [{"after": "2h", "channel": "voice", "expires": "30m"}]
    await world.apply("08:00", journey(steps=steps))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    world.replay.now = at("13:00")
    await world.apply_now(journey(steps=steps, status="paused"))
    await world.until("14:00")

    assert world.decided() == [("u1", 1, "expired", "best_before", "13:00")]


async def test_of_what_a_pause_kept_the_latest_deadline_goes_out_not_the_last_in_the_file() -> None:
    world = Changing()
    steps = [{"until": "properties.due", "channel": "voice"}, {"after": "1h", "channel": "voice"}]
    await world.apply("08:00", journey(steps=steps))
    await world.known("u1")
    due = {"id": "L1", "due": "2026-03-03T12:00:00Z"}
    await world.send("10:00", "track", "u1", event="Approved", properties=due)
    await world.apply("10:30", journey(steps=steps, status="paused"))
    await world.apply("12:30", journey(steps=steps))
    await world.until("20:00")

    assert world.decided() == [("u1", 2, "superseded", "later_step", "12:30")]
    assert [one["step"] for one in world.sent()] == [1]
