"""Ids, messageId and event time, in every form in which SDKs send them."""

from typing import Any

import orjson
import pytest

from pipeline.domain.events import Event, Source
from pipeline.domain.times import parse_instant
from pipeline.wire.segment import Decoded, decode

SOURCE = Source("segment.raw", 2, 118)
NOON = 1_772_539_200_000  # 2026-03-03T12:00:00Z, when Kafka got it
ABSENT = object()


def decoded(**fields: Any) -> Decoded:
    call: dict[str, Any] = {"type": "track", "event": "Loan Signed", "userId": "u1"} | fields
    call = {name: value for name, value in call.items() if value is not ABSENT}
    return decode(orjson.dumps(call), SOURCE, NOON)


def event(**fields: Any) -> Event:
    result = decoded(**fields)
    assert (result.rejected, result.dropped) == ([], [])
    return result.events[0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("u1", "u1"),
        ("  u1\n", "u1"),
        ("\u00a0\u200bu1\ufeff\u202e", "u1"),
        ("u\u200b1", "u\u200b1"),  # what is inside is the id's own
        ("U1", "U1"),
        ("e\u0301", "e\u0301"),
        (456, "456"),
        (7.0, "7"),
        ("7", "7"),
        (157963456373623802, "157963456373623802"),
        ("}{p3}:wm", "}{p3}:wm"),
        ("__proto__", "__proto__"),
    ],
)
def test_an_id_is_trimmed_text_or_a_number_as_text(given: Any, expected: str) -> None:
    assert event(userId=given).user_id == expected
    assert event(userId=None, anonymousId=given).anonymous_id == expected


@pytest.mark.parametrize(
    "given",
    [
        *[None, "", "   ", "\u200b", True, False, {"id": 456}, [1], 0, -1, "0", "0000-0000"],
        *["None", "NULL", '"undefined"', "[object Object]", "anonymousId", "nan", "guest"],
    ],
)
def test_what_stands_for_nobody_is_no_id(given: Any) -> None:
    kept = event(userId=given, anonymousId="a1")
    assert (kept.user_id, kept.anonymous_id) == (None, "a1")


def test_an_event_without_an_id_is_refused_and_still_there_for_its_opt_outs() -> None:
    result = decoded(userId=None, properties={"phone": "+12125550100"})
    assert [rejected.reason for rejected in result.rejected] == ["no_id"]
    assert [(it.own_id, it.named) for it in result.events] == [("", {"phone": "+12125550100"})]


@pytest.mark.parametrize("field", ["userId", "anonymousId"])
def test_a_nul_in_an_id_leaves_the_event_without_one(field: str) -> None:
    result = decoded(**{"userId": "u1", "anonymousId": "a1", field: "x\0y"})
    assert [rejected.reason for rejected in result.rejected] == ["nul_in_id"]
    assert [it.own_id for it in result.events] == [""]


def test_both_spellings_of_the_common_fields_are_read_and_camel_case_wins() -> None:
    snake = event(
        userId=None, user_id="u2", anonymous_id="a2", message_id="m2", received_at="2026-03-03"
    )
    assert (snake.user_id, snake.anonymous_id, snake.message_id) == ("u2", "a2", "m2")
    assert snake.time == parse_instant("2026-03-03")
    assert event(user_id="u2").user_id == "u1"
    assert event(type="alias", previous_id="a1").previous_id == "a1"
    assert event(type="group", group_id="g1").type == "group"


@pytest.mark.parametrize(
    ("given", "expected"),
    [("m-1", "m-1"), (" m ", " m "), ("a\0b", "a\0b"), (7, "7"), ("x" * 100, "x" * 100)],
)
def test_a_usable_message_id_is_kept(given: Any, expected: str) -> None:
    assert event(messageId=given).message_id == expected


@pytest.mark.parametrize("given", [ABSENT, None, "", " ", "\u200b\u00a0", "x" * 101, True, {}, []])
def test_another_message_id_is_derived_from_the_place_in_kafka(given: Any) -> None:
    derived = event(messageId=given).message_id
    assert len(derived) == 32
    assert derived == event(messageId=None).message_id
    call = orjson.dumps({"type": "track", "event": "e", "userId": "u"})
    elsewhere = decode(call, Source("segment.raw", 2, 119), NOON).events[0].message_id
    assert derived != elsewhere


AT_8 = "2026-03-03T08:00:00Z"
AT_9 = "2026-03-03T09:00:00Z"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"timestamp": AT_8, "receivedAt": AT_9}, AT_8),
        ({"timestamp": "2026-3-03T08:00:00Z"}, AT_8),
        ({"timestamp": "2026-03-03t08:00:00z"}, AT_8),
        ({"timestamp": "2026-03-03T13:30:00.000+05:30"}, AT_8),
        ({"timestamp": "2026-03-03 03:00:00 -05:00"}, AT_8),
        ({"timestamp": 1772524800}, AT_8),
        ({"timestamp": "1772524800"}, AT_8),
        ({"timestamp": 1772524800000}, AT_8),
        # (receivedAt, sentAt, originalTimestamp): corrected by the client's skew
        (
            {
                "receivedAt": AT_9,
                "sentAt": "2020-01-01T01:00:00Z",
                "originalTimestamp": "2020-01-01T00:00:00Z",
            },
            AT_8,
        ),
        (
            {"timestamp": "safaff", "received_at": AT_9, "sent_at": AT_9}
            | {"original_timestamp": AT_8},
            AT_8,
        ),
        ({"timestamp": "", "receivedAt": AT_8}, AT_8),
        ({"receivedAt": AT_8, "originalTimestamp": AT_9}, AT_8),
        ({"receivedAt": AT_8, "sentAt": AT_9}, AT_8),
        (
            {"receivedAt": AT_8, "sentAt": "9999-01-01T00:00:00Z", "originalTimestamp": 1000000000},
            AT_8,
        ),
        ({"originalTimestamp": AT_8}, AT_8),  # RudderStack's name for an uncorrected timestamp
        ({"originalTimestamp": AT_8, "sentAt": AT_9}, "2026-03-03T12:00:00Z"),
        ({}, "2026-03-03T12:00:00Z"),
        ({"timestamp": "2026-02-30T00:00:00Z"}, "2026-03-03T12:00:00Z"),
        ({"timestamp": True}, "2026-03-03T12:00:00Z"),
        ({"timestamp": "9999-12-31T00:00:00Z"}, "2026-03-03T12:05:00Z"),
        ({"receivedAt": "2026-03-03T12:07:00Z"}, "2026-03-03T12:05:00Z"),
        ({"timestamp": "2012-12-02T00:30:08.276Z"}, "2012-12-02T00:30:08.276Z"),
    ],
)
def test_the_event_time_follows_rule_1(times: dict[str, Any], expected: str) -> None:
    assert event(**times).time == parse_instant(expected)
