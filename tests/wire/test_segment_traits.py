"""Traits of an identify call: where they stand, how they are spelled, what is none."""

from typing import Any

import orjson
import pytest

from pipeline.domain.events import AddressFact, Event, Source
from pipeline.wire.segment import Decoded, decode

NOON = 1_772_539_200_000  # 2026-03-03T12:00:00Z
PHONE = "+12125550100"
ENTRY = {"subscribed": True, "timestamp": "2020-08-25T21:23:43Z", "ip": "172.16.254.1"}


def decoded(traits: Any, **fields: Any) -> Decoded:
    call = {"type": "identify", "userId": "u1", "traits": traits} | fields
    return decode(orjson.dumps(call), Source("segment.raw", 0, 7), NOON)


def identified(traits: Any, **fields: Any) -> Event:
    return decoded(traits, **fields).events[0]


def test_traits_of_the_call_win_over_those_of_its_context() -> None:
    context = {"traits": {"first_name": "Anne", "plan": "b2b"}, "locale": "en"}
    event = identified({"firstName": "Rebecca"}, context=context)
    assert event.traits == {"firstName": "Rebecca", "plan": "b2b"}
    assert event.context == {"locale": "en"}


def test_traits_may_stand_in_the_context_alone_as_rudderstack_sends_them() -> None:
    assert identified(None, context={"traits": {"age": 30}}).traits == {"age": 30}


def test_traits_within_traits_are_folded_under_the_outer_ones() -> None:
    inner = {"first_name": "Anne", "phones": {PHONE: {"isPrimary": True}}}
    event = identified({"userId": "u9", "firstName": "Rebecca", "traits": inner})
    assert event.traits == {"userId": "u9", "firstName": "Rebecca"}
    assert event.addresses == (AddressFact("phone", PHONE, "primary"),)
    assert identified({"traits": "vip"}).traits == {"traits": "vip"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"first_name": "A", "lastname": "B"}, {"firstName": "A", "lastName": "B"}),
        ({"firstname": "A", "last_name": "B"}, {"firstName": "A", "lastName": "B"}),
        ({"first_name": "x", "firstName": "A", "firstname": "y"}, {"firstName": "A"}),
        ({"created_at": "2020-01-01"}, {"createdAt": "2020-01-01"}),
        ({"firstName": None, "salaryBracket": None}, {"firstName": None, "salaryBracket": None}),
        ({"FIRSTNAME": "A", "phone_number": "1"}, {"FIRSTNAME": "A", "phone_number": "1"}),
        ({"savingsGoal": "New Home", "a.b": [1]}, {"savingsGoal": "New Home", "a.b": [1]}),
    ],
)
def test_documented_spellings_are_folded_and_all_others_are_custom(
    given: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert identified(given).traits == expected


FOLDED = {"street": "201 Maiden Lane", "city": "New York", "state": "NY"}
FOLDED |= {"postalCode": "10128", "country": "US"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (FOLDED, FOLDED),
        (
            {"AddressLine1": "201 Maiden Lane", "AddressLine2": "11M", "City": "New York"}
            | {"ZipOrPostcode": "10128", "StateProvinceCounty": "NY", "CountryId": "US"},
            FOLDED | {"AddressLine2": "11M"},
        ),
        ({"street": "x", "zipcode": "10128"}, {"street": "x", "postalCode": "10128"}),
        ({"zipcode": "1", "postalCode": "2", "postal_code": "3"}, {"postalCode": "2"}),
        ({"city": None}, {"city": None}),
        ("201 Maiden Lane", "201 Maiden Lane"),
        (None, None),
    ],
)
def test_an_address_has_segments_spelling(given: Any, expected: Any) -> None:
    assert identified({"address": given}).traits == {"address": expected}


def test_contact_lists_and_opt_ins_are_no_traits_but_phone_and_email_stay_as_given() -> None:
    traits = {"phone": "(212) 555-0100", "email": " R@example.com", "optIn": [], "phones": {}}
    event = identified(traits | {"emails": {}})
    assert event.traits == {"phone": "(212) 555-0100", "email": " R@example.com"}


def test_only_identify_calls_speak_of_a_person() -> None:
    traits = {"phone": PHONE, "optIn": [ENTRY]}
    for kind in ("track", "page", "group"):
        fields = {"type": kind, "event": "e", "groupId": "g", "context": {"traits": traits}}
        event = identified(traits, **fields)
        assert (event.traits, event.addresses, event.opt_ins) == ({}, (), ())
