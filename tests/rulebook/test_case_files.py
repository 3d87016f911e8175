"""A test file is read as the records that arrive, with every default of the contract."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.times import DAY, parse_instant
from pipeline.rulebook.cases import Arrival, Case, Erase, case_of, read_case_file
from pipeline.rulebook.check import check, errors
from pipeline.rulebook.load import RulebookError

AT = "2026-03-03T15:00:00.000Z"


def at(text: str) -> int:
    instant = parse_instant(text)
    assert instant is not None
    return instant


def records(case: Case) -> list[dict[str, Any]]:
    return [json.loads(step.value) for step in case.arrivals if isinstance(step, Arrival)]


def read(tmp_path: Path, text: str) -> tuple[list[Case], list[Any]]:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    return read_case_file(path, "tests/t.yaml")


@pytest.mark.parametrize(
    ("event", "record"),
    [
        ({"user": "u1", "track": "E", "properties": {"a": 1}},
         {"type": "track", "event": "E", "userId": "u1", "properties": {"a": 1}}),
        ({"anonymous": "a1", "page": "P"}, {"type": "page", "name": "P", "anonymousId": "a1"}),
        ({"anonymous": "a1", "screen": "S"}, {"type": "screen", "name": "S", "anonymousId": "a1"}),
        ({"user": "u1", "identify": {"email": "r@example.com", "optIn": [{"channel": "sms"}]}},
         {"type": "identify", "userId": "u1",
          "traits": {"email": "r@example.com", "optIn": [{"channel": "sms"}]}}),
        ({"user": "u1", "anonymous": "a1", "identify": None},
         {"type": "identify", "userId": "u1", "anonymousId": "a1", "traits": {}}),
        ({"user": "u1", "group": "g1", "traits": {"name": "G"}},
         {"type": "group", "userId": "u1", "groupId": "g1", "traits": {"name": "G"}}),
        ({"user": "u2", "alias": "u1"}, {"type": "alias", "userId": "u2", "previousId": "u1"}),
        ({"user": "u1", "track": "E", "context": {"ip": "192.0.2.9"}, "properties": None},
         {"type": "track", "event": "E", "userId": "u1", "context": {"ip": "192.0.2.9"},
          "properties": {}}),
        ({"user": None, "track": "E"}, {"type": "track", "event": "E", "userId": None}),
        ({"user": " 0 ", "track": "E"}, {"type": "track", "event": "E", "userId": " 0 "}),
        ({"user": 7, "messageId": "", "track": "E"},
         {"type": "track", "event": "E", "userId": 7, "messageId": ""}),
        ({"track": "E"}, {"type": "track", "event": "E"}),
    ],
)  # fmt: skip
def test_short_forms_become_segment_calls(event: dict[str, Any], record: dict[str, Any]) -> None:
    case = case_of({"events": [{"at": AT, **event}]})
    assert records(case) == [{"messageId": "m0001", "timestamp": AT, **record}]
    assert case.arrivals[0].at == case.until == at(AT)


def test_raw_events_arrive_as_they_are() -> None:
    raw = {"type": "track", "event": "E", "userId": "u1"}
    case = case_of(
        {
            "events": [
                {"at": AT, "raw": raw},
                {"arrives": AT, "raw": {"batch": [raw, raw]}},
                {"arrives": AT, "raw": "{not json"},
                {"arrives": AT, "raw": [1]},
            ]
        }
    )
    assert [step.value for step in case.arrivals if isinstance(step, Arrival)] == [
        json.dumps(raw).encode(),
        json.dumps({"batch": [raw, raw]}).encode(),
        b"{not json",
        b"[1]",
    ]


def test_events_arrive_in_order_and_those_of_one_instant_in_the_order_of_the_file() -> None:
    case = case_of(
        {
            "events": [
                {"at": "2026-03-03T15:00:00Z", "arrives": "2026-03-03T18:00:00Z", "track": "late"},
                {"at": "2026-03-03T16:00:00Z", "track": "first"},
                {"at": "2026-03-03T16:00:00Z", "erase": "u1"},
                {"at": "2026-03-03T16:00:00+00:00", "track": "second"},
            ],
            "until": "2026-03-05T00:00:00Z",
        }
    )
    assert [record["event"] for record in records(case)] == ["first", "second", "late"]
    assert [record["messageId"] for record in records(case)] == ["m0002", "m0004", "m0001"]
    assert case.arrivals[1] == Erase(at("2026-03-03T16:00:00Z"), "u1")
    assert case.arrivals[3].at == at("2026-03-03T18:00:00Z")
    assert case.until == at("2026-03-05T00:00:00Z")


def test_an_event_out_of_order_is_warned_of(tmp_path: Path) -> None:
    text = """
cases:
  - name: n
    events:
      - {at: 2026-03-03T16:00:00Z, user: u1, track: A}
      - {at: 2026-03-03T15:00:00Z, user: u1, track: B}
"""
    cases, findings = read(tmp_path, text)
    assert len(cases) == 1
    assert [(f.line, f.severity) for f in findings] == [(6, "warning")]


def test_a_known_person_has_phone_and_traits_long_before_and_each_opt_in_at_its_time() -> None:
    case = case_of(
        {
            "given": {
                "u1": {
                    "phone": "+12125550100",
                    "email": "r@example.com",
                    "traits": {"firstName": "Rebecca"},
                    "optIn": {
                        "voice": "2026-01-01T00:00:00Z",
                        "sms": {"subscribed": False, "timestamp": "2026-02-01T00:00:00Z"},
                        "email": True,
                    },
                }
            },
            "events": [{"at": AT, "user": "u1", "track": "A"}],
        }
    )
    known = [(step.at, json.loads(step.value)) for step in case.given]
    begin = at("2026-01-01T00:00:00Z") - 400 * DAY
    assert [moment for moment, _ in known] == [
        begin,
        begin + 2 * DAY,
        at("2026-01-01T00:00:00Z"),
        at("2026-02-01T00:00:00Z"),
    ]
    assert known[0][1]["traits"] == {
        "firstName": "Rebecca",
        "phone": "+12125550100",
        "email": "r@example.com",
    }
    entries = [record["traits"]["optIn"][0] for _, record in known[1:]]
    assert [(entry["channel"], entry["subscribed"]) for entry in entries] == [
        ("email", True),
        ("voice", True),
        ("sms", False),
    ]
    for moment, record in known:
        assert record["type"] == "identify"
        assert record["userId"] == "u1"
        assert record["context"]["ip"]
        assert at(record["timestamp"]) == moment
    assert all(
        at(entry["timestamp"]) == when for entry, (when, _) in zip(entries, known[1:], strict=True)
    )
    assert len({record["messageId"] for _, record in known} | {"m0001"}) == 5


def test_devices_are_known_alone_or_with_their_person() -> None:
    case = case_of(
        {
            "given": {
                "a1": {"anonymous": True, "phone": "+12125550100", "optIn": {"voice": True}},
                "a2": {"anonymous": "a2", "traits": {"x": 1}},
                "u1": {"anonymous": ["a3", "a4"], "email": "r@example.com"},
            },
            "until": AT,
        }
    )
    ids = [
        (record.get("userId"), record.get("anonymousId"))
        for record in (json.loads(step.value) for step in case.given)
    ]
    assert ids == [
        (None, "a1"), (None, "a2"), ("u1", None), ("u1", "a3"), ("u1", "a4"), (None, "a1"),
    ]  # fmt: skip
    assert case.until == at(AT)
    assert case.arrivals == ()


CASE = "cases:\n  - name: n\n    until: 2026-03-03T15:00:00Z\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("cases:\n  - name: n\n", 2, "neither an event nor `until`"),
        ("case: []\n", 1, "unknown key `case`"),
        ("cases: {}\n", 1, "not a list"),
        ("cases: [x]\n", 1, "not a case"),
        ("cases:\n  - until: 2026-03-03\n", 2, "`name` is missing"),
        (CASE + "    expects: []\n", 4, "unknown key `expects`"),
        (CASE.replace("15:00:00Z", "25:00:00Z"), 3, "not a time"),
        (CASE + "    events: [{at: 2026-03-04, track: A}]\n", 3, "before the last arrival"),
        (CASE + "    events: [{track: A}]\n", 4, "`at` is missing"),
        (CASE + "    events: [{at: 2026-03-01, arrives: x, track: A}]\n", 4, "`arrives` is `x`"),
        (CASE + "    events: [{at: 2026-03-01}]\n", 4, "has none of them"),
        (CASE + "    events: [{at: 2026-03-01, track: A, page: B}]\n", 4, "has `track` and `page`"),
        (CASE + "    events: [{at: 2026-03-01, tracks: A}]\n", 4, "unknown key `tracks`"),
        (CASE + "    events: [{at: 2026-03-01, user: [u], track: A}]\n", 4, "not a single value"),
        (CASE + "    events: [{at: 2026-03-01, track: A, properties: 5}]\n", 4, "not a map"),
        (CASE + "    events: [{at: 2026-03-01, identify: 5}]\n", 4, "not a map"),
        (CASE + "    events: [{at: 2026-03-01, identify: {}, traits: {}}]\n", 4, "beside"),
        (CASE + "    events: [{at: 2026-03-01, erase: [x]}]\n", 4, "not a text"),
        (CASE + "    events: [{at: 2026-03-01, user: u1, erase: u1}]\n", 4, "`user` does not go"),
        (CASE + "    events: [{raw: {}}]\n", 4, "`at` is missing"),
        (CASE + "    given: [u1]\n", 4, "not a map of people"),
        (CASE + "    given: {u1: x}\n", 4, "not what is known of a person"),
        (CASE + "    given: {u1: {phon: x}}\n", 4, "unknown key `phon`"),
        (CASE + "    given: {u1: {phone: 5}}\n", 4, "`phone` is `5`, not a text"),
        (CASE + "    given: {u1: {optIn: {voice: true}}}\n", 4, "opt-in for voice without phone"),
        (CASE + "    given: {u1: {phone: p, optIn: {fax: true}}}\n", 4, "unknown key `fax`"),
        (CASE + "    given: {u1: {phone: p, optIn: {sms: soon}}}\n", 4, "not a time"),
        (CASE + "    expect: [{journey: j}]\n", 4, "neither a trigger nor a retraction"),
        (CASE + "    expect: [{trigger: 5}]\n", 4, "`trigger` is `5`, not a text"),
        (CASE + "    expect: [{trigger: j, chanel: sms}]\n", 4, "unknown key `chanel`"),
        (CASE + "    expect: [{trigger: j, channel: fax}]\n", 4, "`channel` is `fax`"),
        (CASE + "    expect: [{trigger: j, at: noon}]\n", 4, "`at` is `noon`, not a time"),
        (CASE + "    expect: [{trigger: j, step: 0}]\n", 4, "`step` is `0`"),
        (CASE + "    expect: [{trigger: j, reason: x}]\n", 4, "unknown key `reason`"),
        (CASE + "    expect: [{trigger: j, user: u, userId: u}]\n", 4, "are the same"),
        (CASE + "    expect: [{retraction: j, reason: late}]\n", 4, "`reason` is `late`"),
        (CASE + "    decisions: [{journey: j, outcome: fire}]\n", 4, "`outcome` is `fire`"),
        (CASE + "    decisions: x\n", 4, "not a list"),
    ],
)
def test_a_case_that_cannot_be_meant_is_refused(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    cases, findings = read(tmp_path, text)
    assert cases == []
    assert [(f.file, f.line) for f in findings if message in f.message] == [("tests/t.yaml", line)]


def test_a_good_case_beside_a_bad_one_is_kept(tmp_path: Path) -> None:
    text = CASE + "  - {name: bad}\n  - {name: n, until: 2026-03-03}\n"
    cases, findings = read(tmp_path, text)
    assert [(case.name, case.line) for case in cases] == [("n", 2), ("n", 5)]
    assert [(f.line, f.severity) for f in findings] == [(4, "error"), (5, "warning")]


def test_plain_values_that_are_no_case_raise() -> None:
    with pytest.raises(RulebookError, match="neither an event"):
        case_of({})


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    assert "no such file" in read_case_file(tmp_path / "x.yaml", "x.yaml")[1][0].message


SAMPLES = Path(__file__).parents[2] / "deploy" / "rulebook"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample rulebook is not here")
def test_the_sample_rulebook_has_no_errors() -> None:
    assert errors(check(SAMPLES)) == []
