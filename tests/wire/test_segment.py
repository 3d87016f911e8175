"""What one Segment call becomes: type, name, properties, context; what it can't do without."""

from typing import Any

import orjson
import pytest

from pipeline.domain.events import Details, Event, Source
from pipeline.wire.segment import Decoded, DropReason, RejectReason, decode

SOURCE = Source("segment.raw", 2, 118)
NOON = 1_772_539_200_000  # 2026-03-03T12:00:00Z, when Kafka got it
MINUTE = 60_000
ABSENT = object()


def decoded(**fields: Any) -> Decoded:
    call: dict[str, Any] = {"type": "track", "event": "Loan Signed", "userId": "u1"} | fields
    call = {name: value for name, value in call.items() if value is not ABSENT}
    return decode(orjson.dumps(call), SOURCE, NOON)


def event(**fields: Any) -> Event:
    result = decoded(**fields)
    assert (result.rejected, result.dropped) == ([], [])
    return result.events[0]


def reason(**fields: Any) -> RejectReason:
    result = decoded(**fields)
    assert (result.events, len(result.rejected)) == ([], 1)
    return result.rejected[0].reason


def test_a_track_call_keeps_name_properties_context_and_place() -> None:
    assert event(
        messageId="m-1",
        anonymousId="a1",
        timestamp="2026-03-03T11:00:00.000Z",
        properties={"loanId": "L1", "amount": 30000},
        context={"ip": "203.0.113.9", "traits": {"email": "r@example.com"}},
    ) == Event(
        type="track",
        name="Loan Signed",
        user_id="u1",
        anonymous_id="a1",
        message_id="m-1",
        time=NOON - 60 * MINUTE,
        kafka_time=NOON,
        source=SOURCE,
        details=Details({"loanId": "L1", "amount": 30000}, {"ip": "203.0.113.9"}),
    )


@pytest.mark.parametrize("name", [" Loan Signed ", "loan signed", "<b>\u202e\r\n\x1b[31m", "a\0b"])
def test_an_event_name_is_kept_to_the_letter(name: str) -> None:
    assert event(event=name).name == name


@pytest.mark.parametrize("name", [ABSENT, None, "", " \t", 7, {}, True])
def test_a_track_call_without_a_name_is_refused(name: Any) -> None:
    assert reason(event=name) == "missing_event_name"


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_a_page_or_screen_has_its_name_or_none(kind: str) -> None:
    named = event(type=kind, name="Pricing", properties={"path": "/p"})
    assert (named.type, named.name, named.properties) == (kind, "Pricing", {"path": "/p"})
    assert event(type=kind, event=ABSENT).name == ""


@pytest.mark.parametrize("kind", ["TRACK", "Track"])
def test_capitals_in_a_type_are_tolerated(kind: str) -> None:
    assert event(type=kind).type == "track"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ABSENT, "missing_type"),
        (None, "missing_type"),
        ("delete", "unknown_type"),
        ("", "unknown_type"),
        (3, "unknown_type"),
        # kinds of internal records are nothing a producer may send
        ("tick", "unknown_type"),
        ("link", "unknown_type"),
        ("handoff", "unknown_type"),
        ("rulebook", "unknown_type"),
    ],
)
def test_only_the_six_calls_are_known(kind: Any, expected: str) -> None:
    assert reason(type=kind) == expected


def test_the_traits_of_a_group_are_its_properties() -> None:
    group = event(type="group", groupId=7, traits={"plan": "b2b", "phone": "+12125550100"})
    assert group.properties == {"plan": "b2b", "phone": "+12125550100"}
    assert (group.traits, group.addresses) == ({}, ())


@pytest.mark.parametrize("group_id", [ABSENT, None, "", "null", True, "g\0"])
def test_a_group_needs_a_group_id(group_id: Any) -> None:
    assert reason(type="group", groupId=group_id) == "missing_group_id"


@pytest.mark.parametrize("previous", ["a1", 7])
def test_an_alias_has_its_previous_id_as_text(previous: Any) -> None:
    assert event(type="alias", previousId=previous, anonymousId=None).previous_id == str(previous)


@pytest.mark.parametrize(
    "fields",
    [
        {"previousId": ABSENT},
        {"previousId": "undefined"},
        {"previousId": "a1", "userId": None},
        {"previousId": "a1", "userId": "guest"},
        {"previousId": "a1", "userId": ABSENT, "anonymousId": "a2"},  # analytics-ruby allows it
    ],
)
def test_an_alias_needs_both_of_its_ids(fields: dict[str, Any]) -> None:
    assert reason(type="alias", **fields) == "alias_without_ids"


@pytest.mark.parametrize(
    ("integrations", "off"),
    [
        (None, False),
        ("all", False),
        ({}, False),
        ({"All": True}, False),
        ({"All": False}, True),
        ({"All": False, "Regal Voice": True}, False),
        ({"All": False, "Regal.io": {"apiKey": "k"}}, False),
        ({"All": False, "regal": True}, True),
        ({"all": False}, False),
        ({"Regal": False}, True),
        ({"All": True, "pipeline": False}, True),
        ({"Regal": False, "pipeline": True}, True),
        ({"Mixpanel": False}, False),
        ({"All": 0}, False),
        ({"All": False, "Regal": None}, True),
    ],
)
def test_integrations_switch_us_off_as_they_switch_any_destination(
    integrations: Any, off: bool
) -> None:
    result = decoded(integrations=integrations)
    assert [it.reason for it in result.dropped] == [DropReason.INTEGRATION_OFF] * off
    assert (len(result.events), result.rejected) == (not off, [])


@pytest.mark.parametrize("field", ["properties", "context", "traits", "integrations"])
@pytest.mark.parametrize("value", [None, "x", 3, [], True])
def test_objects_that_are_none_count_as_empty(field: str, value: Any) -> None:
    for kind in ("track", "identify"):
        call = event(**{"type": kind, field: value})
        assert (call.properties, call.context, call.traits) == ({}, {}, {})


def test_odd_keys_and_values_are_plain_data() -> None:
    odd = {"__class__": 1, "$where": "x", "a.b": {"{p3}:*\r\n": "\u2028\0"}, "=cmd()": "<script>"}
    assert event(properties=odd).properties == odd


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({}, {}),
        ({"phone": None, "email": None}, {}),
        ({"phone": "(212) 555-0100"}, {"phone": "+12125550100"}),
        (
            {"phone": "undefined", "email": " R@Example.com"},
            {"phone": None} | {"email": "r@example.com"},
        ),
        ({"email": ["r@example.com"]}, {"email": None}),
    ],
)
def test_a_track_call_names_the_addresses_among_its_properties(
    properties: dict[str, Any], named: dict[str, Any]
) -> None:
    assert event(properties=properties).named == named
