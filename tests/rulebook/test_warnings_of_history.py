"""`check --history` holds a rulebook against what has come: names, fields, keys, opt-ins."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.domain.events import Source
from pipeline.rulebook.check import Beside, check_sources
from pipeline.rulebook.checks import observed as limits
from pipeline.rulebook.checks.observed import Observer
from pipeline.rulebook.compile import compile_rulebook
from pipeline.rulebook.findings import Finding, errors
from pipeline.rulebook.load import read
from pipeline.wire.segment import decode

JOURNEY = """\
journey: j
version: 1
key: properties.loanId
start: {event: Loan Approved}
unless: [Loan Signed]
steps:
  - {after: 24h, channel: voice}
"""
OPT_IN = {"channel": "voice", "subscribed": True, "timestamp": "2026-01-01", "ip": "192.0.2.1"}
GOOD = [
    {"type": "track", "event": "Loan Approved", "properties": {"loanId": 7, "amount": 9}},
    {"type": "track", "event": "Loan Signed", "properties": {"loanId": "7"}},
    {"type": "identify", "traits": {"firstName": "R", "phone": "+12125550100", "optIn": [OPT_IN]}},
]  # fmt: skip


def track(event: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": event, "properties": properties}


def found(
    at: Path, history: list[dict[str, Any]], text: str = JOURNEY, **files: str
) -> list[Finding]:
    (at / "journeys").mkdir(exist_ok=True)
    (at / "journeys" / "j.yaml").write_text(text)
    for name, content in files.items():
        (at / f"{name}.yaml").write_text(content)
    sources = read(at)
    assert errors(sources.findings) == []
    observer = Observer(compile_rulebook(sources.document))
    for offset, call in enumerate(history):
        record = {"userId": "u1", "timestamp": "2026-03-03T15:00:00Z", **call}
        for event in decode(orjson.dumps(record), Source("t", 0, offset), 1).events:
            observer.take(event)
    findings = check_sources(sources, Beside(None, observer.observed))
    assert errors(findings) == []
    return [each for each in findings if each.code != "read-without-has"]


def told(findings: list[Finding]) -> list[tuple[int, str, str]]:
    return [(each.line, each.code, each.remedy) for each in findings]


def test_a_history_that_has_everything_gives_no_warning(tmp_path: Path) -> None:
    assert found(tmp_path, GOOD) == []


def test_a_name_that_never_came_is_told_with_the_one_that_did(tmp_path: Path) -> None:
    history = [*GOOD, track("Loan signed", loanId=1), track("Loan signed", loanId=2)]
    del history[1]
    assert told(found(tmp_path, history)) == [
        (5, "unseen-event", "did you mean `Loan signed` (2 in the history)?")
    ]
    assert told(found(tmp_path, [GOOD[0], track("Loan Singed", loanId=7), GOOD[2]])) == [
        (5, "unseen-event", "did you mean `Loan Singed` (1 in the history)?")
    ]
    assert told(found(tmp_path, [GOOD[1], GOOD[2]], JOURNEY.replace("Loan Approved", "X"))) == [
        (4, "unseen-event", "see whether somebody sends it under another name")
    ]


def test_names_in_conditions_and_of_consent_events_are_looked_for_too(tmp_path: Path) -> None:
    text = JOURNEY + 'audience: events["Loan Paid"].count == 0\n'
    consent = "events: [{event: Opted Out, channels: [voice], subscribed: false}]\n"
    lines = [(each.file, each.code) for each in found(tmp_path, GOOD, text, consent=consent)]
    assert lines == [("consent.yaml", "unseen-event"), ("journeys/j.yaml", "unseen-event")]


def test_a_page_is_not_a_track_event_of_its_name(tmp_path: Path) -> None:
    text = JOURNEY.replace("[Loan Signed]", "[{type: page, name: Loan Signed}]")
    (finding,) = found(tmp_path, GOOD, text)
    assert (finding.line, finding.code) == (5, "unseen-event")
    assert "no page `Loan Signed`" in finding.message


def test_a_field_that_no_such_event_has_is_told_with_the_one_it_has(tmp_path: Path) -> None:
    text = JOURNEY.replace("{event: Loan Approved}", '{event: Loan Approved, where: "WHERE"}')
    text = text.replace("WHERE", "has(properties.amuont) || properties.loanId == 7")
    assert told(found(tmp_path, GOOD, text)) == [
        (4, "unseen-field", "did you mean properties.amount?")
    ]


def test_fields_of_the_start_and_the_person_are_looked_for_where_they_are(tmp_path: Path) -> None:
    text = JOURNEY.replace("[Loan Signed]", '[{event: Loan Signed, where: "WHERE"}]').replace(
        "WHERE", "start.properties.amount > 1 && start.properties.kind == 1"
    )
    audience = "audience: traits.firstname == 'R' && start.properties.loanId == 7\n"
    findings = found(tmp_path, GOOD, text + audience)
    assert [(each.line, each.code) for each in findings] == [
        (5, "unseen-field"), (8, "unseen-field"),
    ]  # fmt: skip
    assert "properties.kind is read, and no start of the history has it" in findings[0].message
    assert findings[1].remedy == "did you mean traits.firstName?"


def test_what_a_trigger_would_include_and_no_start_has_is_told(tmp_path: Path) -> None:
    include = "include: [properties.amount, properties.term, traits.lastName]"
    text = JOURNEY.replace("channel: voice", f"channel: voice, {include}")
    messages = [each.message for each in found(tmp_path, GOOD, text)]
    assert messages == [
        "properties.term is read, and no start of the history has it",
        "traits.lastName is read, and nobody in the history has it",
    ]


def test_a_history_without_identify_calls_says_nothing_of_traits(tmp_path: Path) -> None:
    text = JOURNEY.replace("channel: voice", "channel: voice, include: [traits.lastName]")
    assert {each.code for each in found(tmp_path, GOOD[:2], text)} == {"no-opt-in"}


def test_a_date_to_wait_for_that_no_start_has_is_told(tmp_path: Path) -> None:
    text = JOURNEY.replace("after: 24h", "until: properties.dueDate")
    (finding,) = found(tmp_path, GOOD, text)
    assert (finding.line, finding.code) == (7, "unseen-field")


def test_a_cancel_without_the_key_ends_nothing_and_is_told(tmp_path: Path) -> None:
    history = [GOOD[0], track("Loan Signed", loan=7), track("Loan Signed", loanId=" "), GOOD[2]]
    (finding,) = found(tmp_path, history)
    assert (finding.line, finding.code) == (5, "unseen-field")
    assert finding.message == "no `Loan Signed` of the history has properties.loanId"


@pytest.mark.parametrize(
    ("start", "cancel", "meets"),
    [(7, "7", True), ("7.50", 7.5, True), (7, "L7", False), (True, "L7", False), ("x", "y", True)],
)
def test_keys_of_two_kinds_never_meet(
    tmp_path: Path, start: object, cancel: object, meets: bool
) -> None:
    history = [track("Loan Approved", loanId=start), track("Loan Signed", loanId=cancel), GOOD[2]]
    codes = [(each.line, each.code) for each in found(tmp_path, history)]
    assert codes == ([] if meets else [(3, "unlike-keys")])


def test_a_condition_that_was_true_of_no_event_is_told(tmp_path: Path) -> None:
    text = JOURNEY.replace("{event: Loan Approved}", '{event: Loan Approved, where: "WHERE"}')
    text = text.replace("WHERE", "properties.amount >= 5000")
    history = [*GOOD, track("Loan Approved", loanId=8, amount="9000")]
    (finding,) = found(tmp_path, history, text)
    assert (finding.line, finding.code) == (4, "never-true")
    assert "true of none of 2 `Loan Approved`, 1 could not be judged" in finding.message
    assert found(tmp_path, [*history, track("Loan Approved", loanId=9, amount=5000)], text) == []


def test_a_channel_that_nobody_opted_in_to_is_told(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, GOOD, JOURNEY + "  - {after: 48h, channel: sms}\n")
    assert (finding.line, finding.code) == (8, "no-opt-in")
    consent = "events: [{event: Joined, channels: [sms], subscribed: true}]\n"
    history = [*GOOD, track("Joined")]
    text = JOURNEY + "  - {after: 48h, channel: sms}\n"
    assert found(tmp_path, history, text, consent=consent) == []


def test_of_more_names_or_fields_than_are_remembered_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "NAMES_MAX", 3)
    others = [track(f"E{n}") for n in range(3)]
    text = JOURNEY.replace("Loan Signed", "Loan Paid")
    assert {each.code for each in found(tmp_path, [*others, *GOOD], text)} <= {"no-opt-in"}
    monkeypatch.setattr(limits, "NAMES_MAX", 100)
    monkeypatch.setattr(limits, "FIELDS_MAX", 1)
    include = JOURNEY.replace("channel: voice", "channel: voice, include: [properties.term]")
    assert found(tmp_path, GOOD, include) == []
