"""The next instant at which somebody may be called, and the rule that decided it."""

import pytest

from pipeline.domain.calling import NO_HOURS, UNKNOWN_ZONE, Opening, next_open
from pipeline.domain.calling_rules import Place
from pipeline.domain.times import DAY, HOUR
from tests.domain.calling_cases import CHICAGO, NEW_YORK, at, place, rules

NINE_TO_EIGHT = rules(hours={"voice": "09:00-20:00"})
LAW = [{"name": "us-telemarketing", "date": "2025-11-01"}]


def opens(text: str, zone: str = NEW_YORK, hours: object = "09:00-20:00", fold: int = 0) -> int:
    opening = next_open(at(text, zone, fold), rules(hours={"voice": hours}), place(zone), "voice")
    assert opening.at is not None
    return opening.at


def test_open_now() -> None:
    now = at("2026-03-03T12:34:56.789", NEW_YORK)
    opening = next_open(now, NINE_TO_EIGHT, place(NEW_YORK), "voice")
    assert opening == Opening(now, "voice hours 09:00-20:00", NEW_YORK)


def test_the_boundaries() -> None:
    assert opens("2026-03-03T08:59:59.999") == at("2026-03-03T09:00", NEW_YORK)
    assert opens("2026-03-03T09:00") == at("2026-03-03T09:00", NEW_YORK)
    assert opens("2026-03-03T19:59:59.999") == at("2026-03-03T19:59:59.999", NEW_YORK)
    assert opens("2026-03-03T20:00") == at("2026-03-04T09:00", NEW_YORK)


def test_an_opening_in_the_gap_is_at_its_end() -> None:
    # 2026-03-08: 02:00 to 03:00 is skipped
    assert opens("2026-03-08T00:30", hours="02:30-05:00") == at("2026-03-08T03:00", NEW_YORK)
    assert opens("2026-03-08T00:30", hours="03:00-05:00") == at("2026-03-08T03:00", NEW_YORK)


def test_hours_that_are_skipped_do_not_come() -> None:
    assert opens("2026-03-08T00:30", hours="02:00-03:00") == at("2026-03-09T02:00", NEW_YORK)


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    # 2026-11-01: 01:00 to 02:00 comes twice
    hours = "01:15-01:45"
    first, second = (at("2026-11-01T01:15", NEW_YORK, fold) for fold in (0, 1))
    assert second - first == HOUR
    assert opens("2026-11-01T00:00", hours=hours) == first
    assert opens("2026-11-01T01:45", hours=hours) == second
    assert opens("2026-11-01T01:45", hours=hours, fold=1) == at("2026-11-02T01:15", NEW_YORK)


def test_half_an_hour_of_summer_time() -> None:
    zone = "Australia/Lord_Howe"  # 2026-10-04: 02:00 becomes 02:30
    assert opens("2026-10-04T01:00", zone, "02:10-04:00") == at("2026-10-04T02:30", zone)


def test_a_date_that_is_skipped() -> None:
    zone = "Pacific/Apia"  # there was no 2011-12-30
    made = {"hours": "09:00-20:00", "days": ["fri"]}
    assert opens("2011-12-29T21:00", zone, made) == at("2012-01-06T09:00", zone)


def test_over_midnight_and_a_change_of_the_clock() -> None:
    hours = {"hours": "22:00-02:30", "days": ["sat"]}
    assert opens("2026-11-01T01:59", hours=hours, fold=1) == at("2026-11-01T01:59", NEW_YORK, 1)
    assert opens("2026-03-08T03:00", hours=hours) == at("2026-03-14T22:00", NEW_YORK)


def test_several_zones_must_all_be_open() -> None:
    both = place(NEW_YORK, CHICAGO)
    opening = next_open(at("2026-03-03T09:30", NEW_YORK), NINE_TO_EIGHT, both, "voice")
    assert opening == Opening(at("2026-03-03T09:00", CHICAGO), "voice hours 09:00-20:00", CHICAGO)
    opening = next_open(at("2026-03-03T19:30", CHICAGO), NINE_TO_EIGHT, both, "voice")
    assert opening.at == at("2026-03-04T09:00", CHICAGO)


def test_zones_with_different_dates() -> None:
    calling = rules(hours={"voice": {"hours": "09:00-21:00", "days": ["sat"]}})
    far = place("Pacific/Auckland", "Pacific/Honolulu")
    opening = next_open(at("2026-03-01T00:00"), calling, far, "voice")
    assert opening.at is None  # 23 hours apart: no common Saturday within these hours
    calling = rules(hours={"voice": {"days": ["sat"]}})
    opening = next_open(at("2026-03-01T00:00"), calling, far, "voice")
    assert opening.at == at("2026-03-07T00:00", "Pacific/Honolulu")


def test_days_without_overlap_never_open() -> None:
    calling = rules(
        hours={"voice": {"days": ["mon"]}},
        data=[{"name": "d", "date": "2026-01-01", "rules": [{"days": ["tue"]}]}],
    )
    opening = next_open(at("2026-03-03T12:00"), calling, place(NEW_YORK), "voice")
    assert opening.at is None
    assert opening.rule in {"voice hours 00:00-24:00 mon", "hours 00:00-24:00 tue"}


def test_the_horizon_is_included() -> None:
    now, opening = at("2026-03-03T20:00", NEW_YORK), at("2026-03-04T09:00", NEW_YORK)
    wait = opening - now
    assert next_open(now, NINE_TO_EIGHT, place(NEW_YORK), "voice", horizon=wait).at == opening
    assert next_open(now, NINE_TO_EIGHT, place(NEW_YORK), "voice", horizon=wait - 1).at is None
    assert next_open(opening, NINE_TO_EIGHT, place(NEW_YORK), "voice", horizon=0).at == opening


def test_once_in_four_years_is_beyond_the_horizon_or_not() -> None:
    calling = rules(
        hours={"voice": {"hours": "09:00-20:00", "days": ["tue"], "holidays": ["most"]}},
        holidays={"most": ["2028-02-22", "2028-02-29"]},
    )
    opening = next_open(at("2028-02-16T00:00", NEW_YORK), calling, place(NEW_YORK), "voice")
    assert opening.at == at("2028-03-07T09:00", NEW_YORK)


def test_a_channel_without_hours_is_always_open_also_in_an_unknown_zone() -> None:
    now = at("2026-03-03T03:00")
    assert next_open(now, NINE_TO_EIGHT, Place(), "email") == Opening(now, NO_HOURS, "")


def test_unknown_zones() -> None:
    now = at("2026-03-03T09:30", NEW_YORK)
    assert next_open(now, NINE_TO_EIGHT, Place(), "voice") == Opening(None, UNKNOWN_ZONE, "")
    hours = {"voice": "09:00-20:00"}
    assumed = rules(hours=hours, unknown={"zone": {"assume": NEW_YORK}})
    assert next_open(now, assumed, Place(), "voice").at == now
    strict = rules(hours=hours, unknown={"zone": {"strictest": [NEW_YORK, CHICAGO]}})
    assert next_open(now, strict, Place(), "voice").at == at("2026-03-03T09:00", CHICAGO)


def test_a_step_narrows() -> None:
    window = rules(hours={"voice": "10:00-18:00"}).own[0].window
    opening = next_open(
        at("2026-03-03T09:30", NEW_YORK), NINE_TO_EIGHT, place(NEW_YORK), "voice", window
    )
    assert opening.at == at("2026-03-03T10:00", NEW_YORK)


def test_our_own_hours_are_those_of_the_smallest_region() -> None:
    calling = rules(
        hours={"voice": "09:00-20:00"},
        places={"US": {"voice": "10:00-20:00"}, "US-CA": {"voice": "07:00-20:00"}},
    )

    def hour(*regions: str) -> int:
        somewhere = place("Europe/London", regions=regions)
        opening = next_open(at("2026-01-15T00:00"), calling, somewhere, "voice")
        assert opening.at is not None
        return opening.at % DAY // HOUR

    assert (hour("GB"), hour("US-NY"), hour("US-CA")) == (9, 10, 7)
    assert hour("US-CA", "US-NY") == 10
    assert hour("US") == 10
    assert hour() == 10


def test_the_law_holds_beside_our_own_hours() -> None:
    calling = rules(hours={"voice": "07:00-22:00"}, data=LAW)
    now = at("2026-03-03T20:30", NEW_YORK)
    assert next_open(now, calling, place(NEW_YORK), "voice").at == now
    florida = place(NEW_YORK, regions=("US-FL",))
    opening = next_open(now, calling, florida, "voice")
    assert opening == Opening(at("2026-03-04T08:00", NEW_YORK), "US-FL hours 08:00-20:00", NEW_YORK)


def test_a_number_of_a_state_may_fall_under_its_law() -> None:
    calling = rules(hours={"voice": "07:00-22:00"}, data=LAW)
    now = at("2026-03-03T20:30", NEW_YORK)
    cases = {"US-FL": "2026-03-04T08:00", "US-MA": "2026-03-03T20:30", "US": "2026-03-03T20:30"}
    for number, opening in cases.items():
        moved = place(NEW_YORK, number_regions=(number,))
        assert next_open(now, calling, moved, "voice").at == at(opening, NEW_YORK)


def test_a_state_that_is_not_known() -> None:
    sunday = at("2026-03-08T12:00", NEW_YORK)
    somewhere = place(NEW_YORK, regions=("US",))
    strict = rules(data=LAW)
    assert next_open(sunday, strict, somewhere, "voice").at == at("2026-03-09T10:00", NEW_YORK)
    nowhere = place(NEW_YORK, regions=())
    assert next_open(sunday, strict, nowhere, "voice").at == at("2026-03-09T10:00", NEW_YORK)
    loose = rules(data=LAW, unknown={"region": "ignore"})
    assert next_open(sunday, loose, nowhere, "voice").at == sunday
    assert next_open(sunday, loose, somewhere, "voice").at == sunday


def test_thanksgiving_in_alabama() -> None:
    calling = rules(data=LAW)
    opening = next_open(
        at("2026-11-26T09:00", CHICAGO), calling, place(CHICAGO, regions=("US-AL",)), "sms"
    )
    assert opening.at == at("2026-11-27T08:00", CHICAGO)
    assert "us-federal" in opening.rule


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (place(regions=("US-FL",)), ["3 voice per 1d and address", "US-FL"]),
        (place(number_regions=("US-OK",)), ["3 voice per 1d and address", "US-OK"]),
        (place(), ["3 voice per 1d and address"]),
    ],
)
def test_limits(where: Place, names: list[str]) -> None:
    calling = rules(data=LAW, limits=[{"max": 3, "per": "24h", "channels": "voice"}])
    found = calling.limits_for(where, "voice")
    assert len(found) == len(names)
    assert all(name in limit.name for limit, name in zip(found, names, strict=True))
    assert {limit.per for limit in found} == {DAY}
    assert calling.limits_for(where, "email") == []
