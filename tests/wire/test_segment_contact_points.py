"""Phones and emails of an identify call: what is a possible one, what is said of it."""

from typing import Any

import orjson
import pytest

from pipeline.domain.events import AddressFact, Event, Source
from pipeline.wire.segment import Decoded, decode

NOON = 1_772_539_200_000  # 2026-03-03T12:00:00Z
PHONE = "+12125550100"
OTHER = "+12125550101"
EMAIL = "r@example.com"


def decoded(traits: Any, **fields: Any) -> Decoded:
    call = {"type": "identify", "userId": "u1", "traits": traits} | fields
    return decode(orjson.dumps(call), Source("segment.raw", 0, 7), NOON)


def identified(traits: Any, **fields: Any) -> Event:
    return decoded(traits, **fields).events[0]


def facts(traits: Any) -> list[tuple[str, str | None, str]]:
    return [(it.kind, it.value, it.via) for it in identified(traits).addresses]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("+19545552399", "+19545552399"),
        (19545552399, "+19545552399"),  # YAML or JavaScript took the plus for a sign
        (447748544123, "+447748544123"),
        (19545552399.0, "+19545552399"),
        ("5055077683", "+15055077683"),
        (9876543210, "+19876543210"),
        ("+12 345 678 900", "+12345678900"),
        ("+447748544123", "+447748544123"),
        ("+1 (555) 010-0000 ext 9", "+15550100000"),
        ("\uff12\uff11\uff12\uff15\uff15\uff15\uff10\uff11\uff10\uff10", PHONE),
        ("\u0662\u0661\u0662\u0665\u0665\u0665\u0660\u0661\u0660\u0660", PHONE),
        ("123321000", None),
        ("447748544123", None),
        ("5550100", None),  # can be dialled within its area only
        ("911", None),
        (911, None),
        ("+1911", None),
        ("+4911833", None),  # a short code abroad
        ("undefined", None),
        ("", None),
        (True, None),
        (-12125550100, None),
        (2125550100.5, None),
        ([PHONE], None),
        ("1" * 5000, None),
    ],
)
def test_a_possible_phone_becomes_e164_and_no_other(given: Any, expected: str | None) -> None:
    via = "trait" if expected else "unusable"
    assert facts({"phone": given}) == [("phone", expected, via)]
    assert identified({"phone": given}).traits == {"phone": given}


def test_a_phone_without_country_code_is_one_of_the_region() -> None:
    call = {"type": "identify", "userId": "u1", "traits": {"phone": "020 7946 0958"}}
    event = decode(orjson.dumps(call), Source("segment.raw", 0, 7), NOON, "GB").events[0]
    assert event.addresses == (AddressFact("phone", "+442079460958", "trait"),)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" R@Example.COM\u200b", EMAIL),
        ("r+tag@example.co.uk", "r+tag@example.co.uk"),
        ("[email protected]", None),
        ("r@", None),
        ("@example.com", None),
        ("r@b@example.com", None),
        ("r b@example.com", None),
        ("r\0@example.com", None),
        ("r@example.com\r\nx", None),
        ("r" * 250 + "@example.com", None),
        (7, None),
    ],
)
def test_a_possible_email_is_compared_in_lower_case(given: Any, expected: str | None) -> None:
    assert facts({"email": given}) == [("email", expected, "trait" if expected else "unusable")]


def test_a_null_address_is_told_apart_from_none_and_from_an_unusable_one() -> None:
    assert facts({"phone": None, "email": None}) == [
        ("phone", None, "trait"),
        ("email", None, "trait"),
    ]
    assert facts({}) == []


@pytest.mark.parametrize(
    "phones",
    [
        {
            "(212) 555-0100": {"isPrimary": True, "label": "cell"},
            OTHER: {"isPrimary": False},
            "+12125550102": {},
            "911": {"isPrimary": True},
            "+12125550103": None,
        },
        [
            {"phone": PHONE, "isPrimary": "true"},
            {"number": OTHER, "is_primary": False},
            "+12125550102",
            {"address": "911"},
            None,
            {"label": "none"},
        ],
    ],
)
def test_a_list_of_phones_says_which_are_known_and_which_is_primary(phones: Any) -> None:
    assert facts({"phones": phones}) == [
        ("phone", PHONE, "primary"),
        ("phone", OTHER, "not_primary"),
        ("phone", "+12125550102", "known"),
    ]


@pytest.mark.parametrize("phones", [None, "x", 3, True, [], {}])
def test_a_list_that_is_none_lists_nothing(phones: Any) -> None:
    assert facts({"phones": phones, "emails": phones}) == []


def test_a_list_of_emails_is_read_likewise() -> None:
    emails = {"R@example.com": {"isPrimary": True}, "none": {}}
    assert facts({"phone": PHONE, "emails": emails}) == [
        ("phone", PHONE, "trait"),
        ("email", EMAIL, "primary"),
    ]
