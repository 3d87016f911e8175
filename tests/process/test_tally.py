"""What is counted of a history, and by what."""

from typing import Any

import pytest

from pipeline.domain.times import format_instant, parse_instant
from pipeline.process.history import Came
from pipeline.process.tally import Ended, HourOfWeek, Tally, Went, hour_of_week, local_hour

NEW_YORK = "+12125550100"


def at(text: str) -> int:
    found = parse_instant(text)
    assert found is not None
    return found


def trigger(fired_at: str = "2026-03-03T15:20:00Z", **more: Any) -> Came:
    record = {"journey": "j", "version": 2, "channel": "voice", "to": NEW_YORK, "firedAt": fired_at}
    return Came("trigger", record | more)


def test_a_trigger_is_counted_by_journey_version_channel_variant_and_hour() -> None:
    tally = Tally()
    tally.take(trigger())
    tally.take(trigger(variant="short", channel="sms"))
    hour = at("2026-03-03T15:00:00Z")
    assert tally.hours == {
        (Went("j", 2, "voice", ""), hour): 1,
        (Went("j", 2, "sms", "short"), hour): 1,
    }
    assert tally.went() == {Went("j", 2, "voice", ""): 1, Went("j", 2, "sms", "short"): 1}
    assert tally.utc() == {HourOfWeek(1, 15): 2}
    assert tally.ended[Ended("j", 2, "short", "fired", "")] == 1


def test_a_retracted_trigger_counts_as_fired_and_as_retracted() -> None:
    tally = Tally()
    tally.take(trigger())
    tally.take(Came("retraction", {"journey": "j", "version": 2, "reason": "opted_out"}))
    decision = {"journey": "j", "version": 2, "outcome": "suppressed", "reason": "cooldown"}
    tally.take(Came("decision", decision))
    tally.take(Came("decision", {**decision, "outcome": "odd", "reason": None}))
    assert (tally.total("fired"), tally.total("retracted"), tally.not_fired) == (1, 1, 2)


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("1970-01-01T00:00:00.001Z", HourOfWeek(3, 0)),
        ("2026-03-01T23:59:59.999Z", HourOfWeek(6, 23)),
        ("2026-03-02T00:00:00.000Z", HourOfWeek(0, 0)),
    ],
)
def test_weeks_begin_on_monday(instant: str, expected: HourOfWeek) -> None:
    assert hour_of_week(at(instant)) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (NEW_YORK, HourOfWeek(6, 21)),  # still winter time, still Sunday there
        ("+442079460000", HourOfWeek(0, 2)),
        ("+18005550100", None),  # nowhere
        ("u1@example.com", None),
        ("", None),
    ],
)
def test_the_local_hour_is_that_of_the_phone_number(
    address: str, expected: HourOfWeek | None
) -> None:
    assert local_hour(address, at("2026-03-02T02:30:00Z")) == expected


def test_a_number_of_two_zones_has_an_hour_only_where_their_clocks_agree() -> None:
    phoenix_and_navajo = "+19285550100"  # Arizona without and with summer time
    assert local_hour(phoenix_and_navajo, at("2026-01-05T19:00:00Z")) == HourOfWeek(0, 12)


def test_hours_that_nobody_knows_are_counted_as_such() -> None:
    tally = Tally()
    tally.take(trigger(to="u1@example.com", channel="email"))
    assert tally.called() == {None: 1}
    assert format_instant(next(iter(tally.hours))[1]) == "2026-03-03T15:00:00.000Z"
