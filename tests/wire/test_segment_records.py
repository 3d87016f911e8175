"""Bytes of raw records: broken JSON, exact integers, limits, batches."""

from typing import Any

import orjson
import pytest

from pipeline.domain.events import Source
from pipeline.domain.times import parse_instant
from pipeline.wire.segment import Decoded, RejectReason, decode

SOURCE = Source("segment.raw", 0, 7)
NOON = 1_772_539_200_000  # 2026-03-03T12:00:00Z
TRACK: dict[str, Any] = {"type": "track", "event": "e", "userId": "u1"}
HEAD = b'{"type":"track","event":"e","userId":'


def decoded(record: Any) -> Decoded:
    return decode(record if isinstance(record, bytes) else orjson.dumps(record), SOURCE, NOON)


def reasons(record: Any) -> list[tuple[int, str]]:
    return [(it.index, it.reason.value) for it in decoded(record).rejected]


def nested(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels - 1):
        value = [value]
    return TRACK | {"properties": value}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", "no_value"),
        (b" ", "invalid_json"),
        (b'{"type":"track"', "invalid_json"),
        (HEAD + b'"u"} x', "invalid_json"),
        (HEAD + b'"u"}{}', "invalid_json"),
        (HEAD + b"NaN}", "invalid_json"),
        (HEAD + b"-Infinity}", "invalid_json"),
        (HEAD + b"1e999}", "invalid_json"),
        (HEAD + b"1" * 5000 + b"}", "invalid_json"),
        (HEAD + b'"\\ud800"}', "invalid_json"),
        (HEAD + b'"\xff"}', "invalid_json"),
        (b"\xef\xbb\xbf" + HEAD + b'"u"}', "invalid_json"),
        ((HEAD + b'"u"}').decode().encode("utf-16"), "invalid_json"),
        (b"\x00\x00\x00\x00\x07avro", "invalid_json"),
        (b'""', "not_an_object"),
        (b"null", "not_an_object"),
        (b"[]", "not_an_object"),
        (b"3", "not_an_object"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (b"{}", "missing_type"),
    ],
)
def test_what_is_not_a_json_object_is_refused_by_reason(value: bytes, expected: str) -> None:
    assert reasons(value) == [(0, expected)]


def test_a_tombstone_is_refused() -> None:
    assert [it.reason for it in decode(None, SOURCE, NOON).rejected] == [RejectReason.NO_VALUE]


def test_details_hold_nothing_of_the_record() -> None:
    for value in [b'{"phone":"+12125550100",]', b'"+12125550100"', b'{"type":"+12125550100"}']:
        assert "2125550100" not in decoded(value).rejected[0].detail


def test_every_reason_explains_itself() -> None:
    assert all(it.meaning and it == it.value for it in RejectReason)


@pytest.mark.parametrize(
    "digits",
    [
        *["9007199254740993", "9223372036854775807", "18446744073709551615"],
        *["18446744073709551616", "1180591620717411303424", "-9223372036854775809", "1" * 300],
    ],
)
def test_integers_are_exact_however_large(digits: str) -> None:
    raw = f'{{"type":"track","event":"e","userId":{digits},"properties":{{"loanId":{digits}}}}}'
    event = decoded(raw.encode()).events[0]
    assert event.user_id == digits
    assert str(event.properties["loanId"]) == digits


def test_long_fractions_stay_numbers() -> None:
    raw = HEAD + b'"u","properties":{"x":0.12345678901234567890,"y":"12345678901234567890"}}'
    assert decoded(raw).events[0].properties == {
        "x": 0.12345678901234568,
        "y": "12345678901234567890",
    }


def test_the_last_of_duplicate_keys_counts() -> None:
    raw = b'{"type":"track","event":"e","userId":"a","userId":"b"}'
    assert decoded(raw).events[0].user_id == "b"
    long = raw[:-1] + b',"properties":{"n":123456789012345678901}}'
    assert decoded(long).events[0].user_id == "b"


@pytest.mark.parametrize("wrap", [lambda call: call, lambda call: {"batch": [call]}])
def test_an_event_may_be_32_levels_deep(wrap: Any) -> None:
    assert len(decoded(wrap(nested(32) | {"context": {}})).events) == 1
    assert reasons(wrap(nested(33))) == [(0, "too_deep")]
    deep_and_long = orjson.dumps(wrap(nested(33))).replace(b'"u1"', b'"12345678901234567890"')
    assert reasons(deep_and_long) == [(0, "too_deep")]


def test_many_objects_side_by_side_are_not_deep() -> None:
    assert len(decoded(TRACK | {"properties": {"products": [{"a": [1]}] * 500}}).events) == 1


@pytest.mark.parametrize("wrap", [lambda call: call, lambda call: {"batch": [call]}])
def test_an_event_may_be_64_kb_large(wrap: Any) -> None:
    room = 64 * 1024 - len(orjson.dumps(TRACK | {"properties": {"x": ""}}))
    assert len(decoded(wrap(TRACK | {"properties": {"x": "y" * room}})).events) == 1
    assert reasons(wrap(TRACK | {"properties": {"x": "y" * (room + 1)}})) == [(0, "too_large")]


def test_blanks_between_tokens_do_not_count() -> None:
    assert len(decoded(HEAD + b" " * 70_000 + b'"u1"}').events) == 1


def test_ten_thousand_properties_are_too_large() -> None:
    properties = {f"p{number}": 0 for number in range(10_001)}
    assert reasons(TRACK | {"properties": properties}) == [(0, "too_large")]
    assert reasons(TRACK | {"k" * 1_000_000: 1}) == [(0, "too_large")]


def test_one_bad_event_of_a_batch_leaves_the_others() -> None:
    batch = [
        TRACK,
        3,
        None,
        TRACK | {"event": ""},
        {"batch": [TRACK]},
        TRACK | {"big": "x" * 70_000},
    ]
    result = decoded({"batch": [*batch, TRACK | {"userId": "u2"}]})
    assert [(it.index, it.user_id) for it in result.events] == [(0, "u1"), (6, "u2")]
    assert [(it.index, it.reason.value) for it in result.rejected] == [
        (1, "not_an_object"),
        (2, "not_an_object"),
        (3, "missing_event_name"),
        (4, "missing_type"),
        (5, "too_large"),
    ]


def test_what_the_envelope_says_holds_where_an_event_says_nothing_else() -> None:
    first, second = decoded(
        {
            "batch": [
                TRACK
                | {"context": {"ip": "203.0.113.2"}, "sentAt": None}
                | {"originalTimestamp": "2026-03-03T07:00:00Z"},
                TRACK | {"context": None, "received_at": "2026-03-03T05:00:00Z"},
            ],
            "sent_at": "2026-03-03T08:00:00Z",
            "receivedAt": "2026-03-03T09:00:00Z",
            "context": {"ip": "203.0.113.1", "locale": "en-US"},
            "writeKey": "secret",
        }
    ).events
    assert first.context == {"ip": "203.0.113.2", "locale": "en-US"}
    assert first.time == parse_instant("2026-03-03T08:00:00Z")
    assert second.context == {"ip": "203.0.113.1", "locale": "en-US"}
    assert second.time == parse_instant("2026-03-03T05:00:00Z")


def test_traits_of_a_shared_context_reach_every_identify_call() -> None:
    identify = {"type": "identify", "userId": "u1"}
    result = decoded({"batch": [identify, identify], "context": {"traits": {"plan": "b"}}})
    assert [(it.traits, it.context) for it in result.events] == [({"plan": "b"}, {})] * 2


def test_integrations_of_the_envelope_switch_each_event_that_does_not_say_otherwise() -> None:
    on = TRACK | {"integrations": {"Regal": True}}
    result = decoded({"batch": [TRACK, on], "integrations": {"All": False}})
    assert [it.index for it in result.events] == [1]
    assert [(it.index, it.reason.value) for it in result.dropped] == [(0, "integration_off")]


def test_derived_message_ids_differ_within_a_batch_and_are_the_same_on_replay() -> None:
    first, second = (decoded({"batch": [TRACK, TRACK]}).events for _ in range(2))
    assert len({it.message_id for it in first}) == 2
    assert first == second


def test_a_batch_that_is_none_is_refused() -> None:
    assert reasons({"batch": {"0": TRACK}}) == [(0, "invalid_batch")]
    assert reasons({"batch": None}) == [(0, "invalid_batch")]


def test_an_empty_batch_is_counted_as_dropped() -> None:
    result = decoded({"batch": [], "sentAt": "2026-03-03T08:00:00Z"})
    assert [it.reason.value for it in result.dropped] == ["empty_batch"]
    assert (result.events, result.rejected) == ([], [])


def test_a_call_with_a_batch_field_of_its_own_is_a_call() -> None:
    assert len(decoded(TRACK | {"batch": "spring"}).events) == 1


def test_a_batch_is_cut_at_2500_events() -> None:
    result = decoded({"batch": [TRACK] * 2503})
    assert len(result.events) == 2500
    assert [(it.index, it.reason.value) for it in result.rejected] == [(2500, "batch_too_long")]
    assert result.rejected[0].detail.startswith("3 events")


def test_a_large_shared_context_can_not_blow_a_batch_up() -> None:
    context = {"x": "y" * 60_000}
    assert reasons({"batch": [TRACK] * 2000, "context": context}) == [(0, "too_large")]
    assert reasons({"batch": [TRACK], "context": {"x": "y" * 70_000}}) == [(0, "too_large")]
    assert len(decoded({"batch": [TRACK] * 100, "context": context}).events) == 100
