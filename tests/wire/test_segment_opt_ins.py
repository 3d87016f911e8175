"""Opt-in entries of an identify call: which address they mean, what in them is clear."""

from typing import Any

import orjson
import pytest

from pipeline.domain.events import Event, OptInEntry, Source
from pipeline.wire.segment import Decoded, decode

NOON = 1_772_539_200_000  # 2026-03-03T12:00:00Z
PHONE = "+12125550100"
OTHER = "+12125550101"
EMAIL = "r@example.com"
AUGUST = 1_598_390_623_000  # 2020-08-25T21:23:43Z
ENTRY = {"subscribed": True, "timestamp": "2020-08-25T21:23:43Z", "ip": "172.16.254.1"}


def decoded(traits: Any, **fields: Any) -> Decoded:
    call = {"type": "identify", "userId": "u1", "traits": traits} | fields
    return decode(orjson.dumps(call), Source("segment.raw", 0, 7), NOON)


def identified(traits: Any, **fields: Any) -> Event:
    return decoded(traits, **fields).events[0]


def entries(traits: Any) -> list[tuple[Any, ...]]:
    return [(it.channel, it.subscribed, it.address, it.named) for it in identified(traits).opt_ins]


def test_an_entry_of_the_array_means_the_address_of_its_own_call() -> None:
    event = identified(
        {
            "phone": "(212) 555-0100",
            "optIn": [ENTRY | {"channel": "SMS", "source": "booking_flow", "text": "I agree"}],
        }
    )
    assert event.opt_ins == (
        OptInEntry(
            channel="sms",
            subscribed=True,
            timestamp=AUGUST,
            ip="172.16.254.1",
            source="booking_flow",
            text="I agree",
            address=PHONE,
            named=True,
        ),
    )


@pytest.mark.parametrize(
    ("own", "channel", "address", "named"),
    [
        ({"phone": PHONE}, "voice", PHONE, True),
        ({"phone": PHONE}, " Email ", None, False),
        ({"email": "R@example.com"}, "email", EMAIL, True),
        ({"phone": "911"}, "voice", None, True),
        ({"phone": None}, "voice", None, False),
        ({}, "sms", None, False),
        ({"phones": {PHONE: {}}}, "sms", None, False),
        ({"phone": PHONE}, "fax", None, False),
        ({"phone": PHONE}, 7, None, False),
    ],
)
def test_an_entry_without_an_address_in_its_call_names_none(
    own: dict[str, Any], channel: Any, address: str | None, named: bool
) -> None:
    known = {"voice": "voice", "sms": "sms", " Email ": "email", "email": "email"}.get(channel)
    given = own | {"optIn": [ENTRY | {"channel": channel}]}
    assert entries(given) == [(known, True, address, named)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        *[(True, True), (False, False), ("true", True), ("false", False)],
        *[("TRUE", None), ("yes", None), (1, None), (0, None), (None, None), ({}, None)],
    ],
)
def test_only_booleans_and_their_exact_text_are_clear(given: Any, expected: bool | None) -> None:
    assert entries({"optIn": [{"channel": "sms", "subscribed": given}]})[0][1] is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"ip": "", "timestamp": "", "text": 3, "source": None}, (None, None, None, None)),
        ({"ip": " ", "timestamp": "soon"}, (None, None, None, None)),
        ({"timestamp": 1598390623, "source": ""}, (AUGUST, None, "", None)),
        ({"timestamp": "1598390623000", "ip": "::1"}, (AUGUST, "::1", None, None)),
    ],
)
def test_what_an_entry_does_not_say_is_none(fields: dict[str, Any], expected: Any) -> None:
    entry = identified({"optIn": [{"channel": "sms"} | fields]}).opt_ins[0]
    assert (entry.timestamp, entry.ip, entry.source, entry.text) == expected


@pytest.mark.parametrize(
    ("opt_in", "count"),
    [(None, 0), ([], 0), ({"channel": "sms"}, 1), ("yes", 1), ([None, 3, []], 3)],
)
def test_an_entry_that_is_no_object_is_there_and_says_nothing(opt_in: Any, count: int) -> None:
    assert [it[1] for it in entries({"opt_in": opt_in})] == [None] * count


def test_opt_ins_under_a_number_or_email_mean_that_one() -> None:
    assert entries(
        {
            "phone": PHONE,
            "optIn": [{"channel": "voice", "subscribed": True}],
            "phones": {
                OTHER: {"voiceOptIn": ENTRY, "smsOptIn": {"subscribed": "false"}},
                "911": {"voiceOptIn": False, "smsOptIn": None},
            },
            "emails": {EMAIL: {"emailOptIn": "no", "voiceOptIn": ENTRY}},
        }
    ) == [
        ("voice", True, PHONE, True),
        ("voice", True, OTHER, True),
        ("sms", False, OTHER, True),
        ("voice", False, None, True),
        ("email", None, EMAIL, True),
    ]


def test_entries_beyond_a_hundred_are_cut_and_no_opt_out_is_among_the_first_to_go() -> None:
    many = [{"channel": "sms", "subscribed": True}] * 5000 + [
        {"channel": "voice", "subscribed": False}
    ]
    result = decoded({"phone": PHONE, "optIn": many[4900:]})
    assert [it.reason.value for it in result.rejected] == ["too_many_entries"]
    taken = result.events[0].opt_ins
    assert (len(taken), taken[0].subscribed) == (100, False)
    assert decoded({"optIn": many[-100:]}).rejected == []


def test_phones_beyond_a_hundred_are_cut_likewise() -> None:
    phones: dict[str, Any] = {
        f"+1212555{number:04d}": {"isPrimary": False} for number in range(150)
    }
    phones["+13125550100"] = {"smsOptIn": {"subscribed": False}}
    result = decoded({"phones": phones})
    assert [it.reason.value for it in result.rejected] == ["too_many_entries"]
    assert len(result.events[0].addresses) == 100
    assert [it.address for it in result.events[0].opt_ins] == ["+13125550100"]


def test_opt_outs_of_a_call_without_an_id_are_kept() -> None:
    result = decoded({"phone": PHONE, "optIn": {"channel": "sms", "subscribed": False}}, userId="")
    assert [it.reason.value for it in result.rejected] == ["no_id"]
    assert [(it.address, it.subscribed) for it in result.events[0].opt_ins] == [(PHONE, False)]


def test_the_samples_of_both_pages_are_read() -> None:
    opt_in = [ENTRY | {"channel": channel} for channel in ("sms", "voice")]
    event = identified(
        {"phone": "+19175554444", "age": 30, "firstName": "Anne", "lastName": "Smith"}
        | {"optIn": opt_in}
    )
    assert event.traits.keys() == {"phone", "age", "firstName", "lastName"}
    assert [(it.channel, it.subscribed, it.address) for it in event.opt_ins] == [
        ("sms", True, "+19175554444"),
        ("voice", True, "+19175554444"),
    ]
