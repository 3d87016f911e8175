"""Where somebody is, by the order of evidence; and what the clocks show there."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from phonenumbers.tzdata import TIMEZONE_DATA

from pipeline.domain.times import DAY, HOUR
from pipeline.rulebook.clocks import clock, zone_names
from pipeline.rulebook.us_places import us_places
from pipeline.rulebook.zones import locate
from tests.domain.calling_cases import at, zone_info

NEW_YORK, CHICAGO, DENVER = "America/New_York", "America/Chicago", "America/Denver"
PACIFIC, BERLIN, PERTH = "America/Los_Angeles", "Europe/Berlin", "Australia/Perth"
NYC, MIAMI, PENSACOLA, TOLL_FREE = "+12125550100", "+13055550100", "+18505550100", "+18005550100"


def address(**parts: Any) -> dict[str, Any]:
    return {"address": parts}


EVERYTHING: dict[str, Any] = {
    "timezone": PACIFIC,
    "address": {"postalCode": "32501", "state": "TN", "country": "US"},
}


@pytest.mark.parametrize(
    ("traits", "phone", "context", "zones", "source"),
    [
        (EVERYTHING, NYC, {"timezone": BERLIN}, [PACIFIC], "traits.timezone"),
        ({"timezone": "america/los_angeles"}, NYC, {}, [PACIFIC], "traits.timezone"),
        ({"timezone": "Etc/UTC"}, NYC, {}, [NEW_YORK], "phone"),
        ({"timezone": "UTC"}, NYC, {}, [NEW_YORK], "phone"),
        ({"timezone": "GMT+2"}, NYC, {}, [NEW_YORK], "phone"),
        ({"timezone": "../../etc/passwd"}, NYC, {}, [NEW_YORK], "phone"),
        ({"timezone": ["x"]}, NYC, {}, [NEW_YORK], "phone"),
        (address(postalCode="32501", state="FL"), NYC, {}, [CHICAGO], "address.postalCode"),
        (address(zipcode="33101-1234"), NYC, {}, [NEW_YORK], "address.postalCode"),
        (address(postalCode=2108), TOLL_FREE, {}, [NEW_YORK], "address.postalCode"),
        ({"zip": "79901"}, NYC, {}, [CHICAGO, DENVER], "address.postalCode"),
        (address(postalCode="09012"), NYC, {}, [NEW_YORK], "phone"),
        (address(postalCode="1234"), NYC, {}, [NEW_YORK], "phone"),
        (address(state="fl"), NYC, {}, [NEW_YORK, CHICAGO], "address.state"),
        (address(state="Florida", country="USA"), None, {}, [NEW_YORK, CHICAGO], "address.state"),
        ({"state": "CO"}, NYC, {}, [DENVER], "address.state"),
        (address(state="WA"), "+61291234567", {}, ["Australia/Sydney"], "phone"),
        (address(postalCode="10115"), "+4930123456", {}, [BERLIN], "phone"),
        ({}, PENSACOLA, {"timezone": BERLIN}, [NEW_YORK, CHICAGO], "phone"),
        ({}, MIAMI, {}, [NEW_YORK], "phone"),
        ({}, "+442079460000", {}, ["Europe/London"], "phone"),
        ({}, "+16045550123", {}, ["America/Vancouver"], "phone"),
        ({}, TOLL_FREE, {"timezone": BERLIN}, [BERLIN], "context.timezone"),
        ({}, "+61412345678", {"timezone": PERTH}, [PERTH], "context.timezone"),
        (address(country="Germany"), NYC, {"timezone": BERLIN}, [BERLIN], "context.timezone"),
        (address(country="FR"), NYC, {}, ["Europe/Paris"], "country"),
        (address(country="PR"), None, {}, ["America/Puerto_Rico"], "address.state"),
        ({}, "+393331234567", {}, ["Europe/Rome"], "country"),
        ({}, "+883510000", {}, [], "unknown"),
        ({}, None, {}, [], "unknown"),
        (address(postalCode="33101"), None, {}, [], "unknown"),
        ({"address": "1 Main St, FL 33101"}, None, {"timezone": 7}, [], "unknown"),
    ],
)  # fmt: skip
def test_zones(
    traits: dict[str, Any],
    phone: str | None,
    context: dict[str, Any],
    zones: list[str],
    source: str,
) -> None:
    place = locate(traits, phone, context)
    assert place.zone_source == source
    assert sorted(place.zones) == sorted(zones)


@pytest.mark.parametrize(
    ("traits", "phone", "regions", "source", "number"),
    [
        (address(state="FL"), NYC, ["US-FL"], "address.state", ["US-NY"]),
        (address(state="TX", zip="33101"), NYC, ["US-TX", "US-FL"], "address.state", ["US-NY"]),
        (address(postalCode="06390"), NYC, ["US-CT", "US-NY"], "address.postalCode", ["US-NY"]),
        ({}, MIAMI, ["US-FL"], "phone", ["US-FL"]),
        ({}, TOLL_FREE, ["US"], "country", ["US"]),
        (address(country="US"), MIAMI, ["US-FL"], "phone", ["US-FL"]),
        (address(country="GB"), MIAMI, ["GB"], "country", ["US-FL"]),
        (address(country="GU"), None, ["US-GU"], "address.state", []),
        ({}, "+17875550123", ["US-PR"], "phone", ["US-PR"]),
        ({}, "+4930123456", ["DE"], "country", ["DE"]),
        ({}, None, [], "unknown", []),
    ],
)  # fmt: skip
def test_regions(
    traits: dict[str, Any], phone: str | None, regions: list[str], source: str, number: list[str]
) -> None:
    place = locate(traits, phone, {})
    assert (list(place.regions), place.region_source) == (regions, source)
    assert list(place.number_regions) == number


def test_all_zones_of_a_toll_free_number_are_those_of_the_states() -> None:
    zones = locate({}, TOLL_FREE, {}).zones
    assert {NEW_YORK, CHICAGO, DENVER, PACIFIC, "Pacific/Honolulu"} <= set(zones)
    assert "Pacific/Guam" not in zones


def test_every_zone_in_the_data_is_one() -> None:
    places = us_places()
    prefixes = [*places.zips.values(), *places.areas.values()]
    named = {zone for prefix in prefixes for zone in prefix.zones}
    assert named <= set(zone_names().values())
    assert len(places.states) == 56
    for prefix in prefixes:
        assert prefix.states
        assert prefix.zones


WINTER, SUMMER = at("2026-01-15T12:00"), at("2026-07-15T12:00")


def shows(zones: set[str]) -> set[tuple[int, int]]:
    return {(clock(zone)(WINTER)[0], clock(zone)(SUMMER)[0]) for zone in zones}


def test_area_codes_allow_every_zone_that_libphonenumber_knows() -> None:
    known = {
        "689",
        "907",
    }  # 689 is Orlando; 907 is in part as Honolulu's, which is Adak's in winter
    for area, prefix in us_places().areas.items():
        zones = {
            zone
            for start, zones in TIMEZONE_DATA.items()
            if start.startswith(f"1{area}")
            for zone in zones
        }
        assert area in known or shows(zones) <= shows(set(prefix.zones)), area


@pytest.mark.parametrize("zone", ["America/New_York", "Africa/Casablanca", "Australia/Lord_Howe"])
def test_the_clock_shows_what_zoneinfo_shows(zone: str) -> None:
    read, info = clock(zone), zone_info(zone)
    instant = at("2025-12-30T00:00")
    end = instant + 800 * DAY
    changes = 0
    while instant < end:
        ahead, until = read(instant)
        assert until > instant
        for probe in (*range(instant, until, 12 * HOUR), until - 1):
            local = datetime.fromtimestamp(probe / 1000, info).utcoffset()
            assert local == timedelta(milliseconds=ahead)
        changes += read(until)[0] != ahead
        instant = until
    assert changes >= 2


def test_the_clock_changes_to_the_second() -> None:
    change = at("2026-03-08T07:00")
    assert clock(NEW_YORK)(change - 1) == (-5 * HOUR, change)
    assert clock(NEW_YORK)(change)[0] == -4 * HOUR
    assert clock(NEW_YORK)(change)[1] == at("2026-11-01T06:00")


def test_the_end_of_time() -> None:
    instant = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1000
    ahead, until = clock(NEW_YORK)(instant)
    assert ahead == -5 * HOUR
    assert until > instant
