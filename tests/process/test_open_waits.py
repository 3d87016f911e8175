"""What becomes of waits that are open when another rulebook comes into force."""

from pipeline.domain.versions import Ruling
from tests.process.changing import Changing, journey

DROP = Ruling(drop=2)
MOVE = Ruling(move=2)
LATER = [{"after": "4h", "channel": "voice"}]
SOONER = [{"after": "1h", "channel": "voice"}]
EVENING = {"hours": {"voice": "13:00-15:00"}}
"""In New York, 18:00 to 20:00 UTC."""


async def test_without_a_ruling_a_wait_goes_on_under_its_version(
    world: Changing, match: str
) -> None:
    await world.apply("11:00", journey(2, match=match, steps=LATER))
    await world.until("20:00")

    assert world.fired() == [("u1", 1, "12:00")]


async def test_a_dropped_wait_ends_at_the_apply(world: Changing, match: str) -> None:
    await world.apply("11:00", journey(2, match=match), j=DROP)
    assert world.decided() == [("u1", 1, "superseded", "dropped", "11:00")]
    await world.until("20:00")

    assert world.fired() == []
    assert len(world.decided()) == 1


async def test_after_a_drop_the_next_start_opens_a_wait(world: Changing, match: str) -> None:
    await world.apply("11:00", journey(2, match=match), j=DROP)
    await world.track("11:30", "u1", "Approved")
    await world.until("20:00")

    assert world.fired() == [("u1", 2, "13:30")]


async def test_a_removed_journey_can_be_dropped_too(world: Changing) -> None:
    await world.apply("11:00", j=DROP)
    await world.until("20:00")

    assert world.fired() == []
    assert world.decided() == [("u1", 1, "superseded", "dropped", "11:00")]


async def test_a_removed_journey_runs_out_without_a_ruling(world: Changing) -> None:
    await world.apply("11:00")
    await world.track("11:30", "u1", "Approved", "L2")
    await world.until("20:00")

    assert world.fired() == [("u1", 1, "12:00")]


async def test_a_re_evaluated_wait_has_the_deadlines_of_the_new_version(
    world: Changing, match: str
) -> None:
    await world.apply("11:00", journey(2, match=match, steps=LATER), j=MOVE)
    await world.until("20:00")

    assert world.fired() == [("u1", 2, "14:00")]
    assert world.decided() == []


async def test_a_re_evaluated_wait_that_is_due_by_now_fires_at_once(
    world: Changing, match: str
) -> None:
    await world.apply("11:10", journey(2, match=match, steps=SOONER), j=MOVE)
    await world.until("20:00")

    assert world.fired() == [("u1", 2, "11:10")]


async def test_a_re_evaluated_wait_whose_best_before_has_passed_expires(
    world: Changing, match: str
) -> None:
    steps = [{"after": "1h", "channel": "voice", "expires": "5m"}]
    await world.apply("11:10", journey(2, match=match, steps=steps), j=MOVE)
    await world.until("20:00")

    assert world.fired() == []
    assert world.decided() == [("u1", 1, "expired", "best_before", "11:10")]


async def test_a_re_evaluated_wait_ends_by_the_new_unless(world: Changing, match: str) -> None:
    await world.apply("11:00", journey(2, match=match, unless=["Withdrawn"]), j=MOVE)
    await world.track("11:10", "u1", "Signed")
    assert world.decided() == []
    await world.track("11:20", "u1", "Withdrawn")
    await world.until("20:00")

    assert world.decided() == [("u1", 1, "cancelled", "cancelled", "11:20")]


async def test_a_re_evaluated_wait_is_judged_by_the_new_gates(world: Changing, match: str) -> None:
    await world.apply("11:00", journey(2, match=match, audience="traits.vip == true"), j=MOVE)
    await world.until("20:00")

    assert world.decided() == [("u1", 1, "suppressed", "audience", "12:00")]


async def test_what_is_settled_stays_and_a_step_that_is_gone_is_told(match: str) -> None:
    world = Changing()
    three = [{"after": f"{n}h", "channel": "voice"} for n in (1, 3, 5)]
    await world.apply("08:00", journey(match=match, steps=three))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    two = [{"after": "2h", "channel": "voice"}, {"after": "6h", "channel": "voice"}]
    await world.apply("11:30", journey(2, match=match, steps=two), j=MOVE)
    assert world.decided() == [("u1", 3, "superseded", "dropped", "11:30")]
    await world.until("20:00")

    assert world.fired() == [("u1", 1, "11:00"), ("u1", 2, "16:00")]


async def test_a_version_with_fewer_steps_knows_the_end_of_a_wait_that_restarts(match: str) -> None:
    world = Changing()
    three = [{"after": f"{n}h", "channel": "voice"} for n in (1, 2, 5)]
    await world.apply("08:00", journey(match=match, steps=three, repeat="restart"))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    one = [{"after": "4h", "channel": "voice"}]
    await world.apply("12:30", journey(2, match=match, steps=one, repeat="restart"), j=MOVE)
    await world.track("13:00", "u1", "Approved")
    await world.track("15:00", "u1", "Approved")
    await world.until("23:00")

    assert world.fired() == [("u1", 1, "11:00"), ("u1", 1, "12:00"), ("u1", 2, "19:00")]
    assert world.decided() == [
        ("u1", 3, "superseded", "dropped", "12:30"),
        ("u1", 1, "ignored", "stale_start", "13:00"),
    ]


async def test_a_cancel_takes_back_what_fired_before_a_re_evaluation(match: str) -> None:
    world = Changing()
    steps = [{"after": "1h", "channel": "voice"}, {"after": "4h", "channel": "voice"}]
    await world.apply("08:00", journey(match=match, steps=steps))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    await world.apply("11:30", journey(2, match=match, steps=steps), j=MOVE)
    await world.track("12:00", "u1", "Signed")
    await world.until("12:30")

    (retraction,) = (one for one in world.sent() if one["type"] == "retraction")
    assert (retraction["reason"], retraction["version"]) == ("cancelled_after_fire", 1)
    assert world.decided() == [("u1", 2, "cancelled", "cancelled", "12:00")]


async def test_a_wait_of_another_key_is_kept_where_it_can_not_be_re_evaluated(
    world: Changing, match: str
) -> None:
    await world.apply("11:00", journey(2, match=match, key="properties.other"), j=MOVE)
    await world.until("20:00")

    assert world.fired() == [("u1", 1, "12:00")]


async def test_a_dropped_hold_is_not_released(match: str) -> None:
    world = Changing()
    await world.apply("08:00", journey(match=match), calling=EVENING)
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    await world.apply("13:00", journey(2, match=match), calling=EVENING, j=DROP)
    await world.until("23:00")

    assert world.fired() == []
    assert world.decided() == [("u1", 1, "superseded", "dropped", "13:00")]


async def test_a_re_evaluation_keeps_a_hold(match: str) -> None:
    world = Changing()
    await world.apply("08:00", journey(match=match), calling=EVENING)
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    await world.apply("13:00", journey(2, match=match), calling=EVENING, j=MOVE)
    await world.until("23:00")

    assert world.fired() == [("u1", 1, "18:00")]
    assert world.decided() == []


async def test_a_drop_of_long_ago_does_not_touch_waits_of_newer_versions(
    world: Changing, match: str
) -> None:
    await world.apply("11:00", journey(2, match=match), j=DROP)
    await world.track("11:30", "u1", "Approved", "L2")
    await world.apply("11:40", journey(3, match=match, steps=LATER))
    await world.until("23:00")

    assert world.fired() == [("u1", 2, "13:30")]


async def test_a_re_evaluation_reads_the_date_that_the_start_named(match: str) -> None:
    world = Changing()
    steps = [{"until": "properties.due", "offset": "-1h", "channel": "voice"}]
    await world.apply("08:00", journey(match=match, steps=steps))
    await world.known("u1")
    properties = {"id": "L1", "due": "2026-03-03T15:00:00Z"}
    await world.send("10:00", "track", "u1", event="Approved", properties=properties)
    moved = [{"until": "properties.due", "offset": "-2h", "channel": "voice"}]
    await world.apply("11:00", journey(2, match=match, steps=moved), j=MOVE)
    await world.until("20:00")

    assert world.fired() == [("u1", 2, "13:00")]


async def test_a_trigger_of_the_old_version_is_taken_back_while_it_may_be_acted_upon() -> None:
    """However short the memory of the version that its wait went on under."""
    world = Changing()
    long, short = ({"after": "1h", "channel": "voice", "expires": each} for each in ("10h", "2h"))
    await world.apply("08:00", journey(steps=[long, {**long, "after": "3h"}]))
    await world.known("u1")
    await world.track("09:00", "u1", "Approved")
    await world.apply("10:30", journey(2, steps=[short]), j=MOVE)
    await world.track("16:00", "u1", "Signed")

    assert [one["type"] for one in world.sent()] == ["trigger"]
    await world.until("20:00")
    assert [one["type"] for one in world.sent()] == ["trigger", "retraction"]


async def test_a_start_of_before_a_drop_that_arrives_after_it_belonged_to_the_dropped_wait(
    world: Changing, match: str
) -> None:
    await world.apply("11:00", journey(2, match=match), j=DROP)
    late = {"timestamp": "2026-03-03T10:30:00Z"}
    await world.track("11:10", "u1", "Approved", **late)
    await world.until("20:00")

    assert world.fired() == []
    assert world.decided()[-1][2:] == ("ignored", "stale_start", "11:10")


async def test_a_re_evaluated_wait_ends_by_the_new_version_whatever_was_forgotten_before() -> None:
    """A cancel of long ago is forgotten while the wait is open; that fixes its end."""
    world = Changing()
    step = {"after": "2h", "channel": "voice", "expires": "1h"}
    await world.apply("08:00", journey(steps=[step]))
    await world.known("u1", clock="08:05")
    await world.track("08:10", "u1", "Signed")
    await world.track("12:00", "u1", "Approved")
    await world.track("13:30", "u1", "Approved")
    await world.apply("13:40", journey(2, steps=[{**step, "after": "4h"}]), j=MOVE)
    await world.track("15:00", "u1", "Approved")
    await world.until("23:00")

    assert world.fired() == [("u1", 2, "16:00")]
    assert [each[2:] for each in world.decided()] == [
        ("superseded", "repeat", "13:30"),
        ("superseded", "repeat", "15:00"),
    ]


async def test_a_cancel_of_before_a_version_ends_the_wait_of_a_start_that_comes_late_under_it(
    match: str,
) -> None:
    world = Changing()
    await world.apply("08:00", journey(match=match))
    await world.known("u1")
    await world.track("10:10", "u1", "Signed")
    await world.apply("11:00", journey(2, match=match))
    await world.track("11:30", "u1", "Approved", timestamp="2026-03-03T10:00:00Z")
    await world.until("20:00")

    assert world.fired() == []
    assert world.decided() == [("u1", 1, "cancelled", "cancelled", "11:30")]


async def test_a_version_that_was_known_says_itself_what_its_cancels_are(match: str) -> None:
    world = Changing()
    await world.apply("08:00", journey(match=match))
    await world.known("u1")
    await world.apply("10:00", journey(2, match=match, unless=["Withdrawn"]))
    await world.track("10:10", "u1", "Signed")
    await world.track("11:30", "u1", "Approved", timestamp="2026-03-03T10:05:00Z")
    await world.until("20:00")

    assert world.fired() == [("u1", 2, "12:05")]


async def test_what_a_late_cancel_opens_anew_was_dropped_with_the_rest(match: str) -> None:
    """It ends the wait that the second start belonged to."""
    world = Changing()
    await world.apply("08:00", journey(match=match))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    await world.track("10:30", "u1", "Approved")
    await world.apply("11:00", journey(2, match=match), j=DROP)
    await world.track("11:10", "u1", "Signed", timestamp="2026-03-03T10:15:00Z")

    assert world.decided()[-1] == ("u1", 1, "superseded", "dropped", "11:10")
    await world.until("20:00")
    assert world.fired() == []


async def test_what_a_late_cancel_opens_anew_goes_on_under_the_version_that_the_rest_does(
    match: str,
) -> None:
    world = Changing()
    await world.apply("08:00", journey(match=match, steps=LATER))
    await world.known("u1")
    await world.track("10:00", "u1", "Approved")
    await world.track("10:30", "u1", "Approved")
    await world.apply("10:45", journey(2, match=match, steps=SOONER), j=MOVE)
    await world.track("10:50", "u1", "Signed", timestamp="2026-03-03T10:15:00Z")
    await world.until("20:00")

    assert world.fired() == [("u1", 2, "11:30")]
