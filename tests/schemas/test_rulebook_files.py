"""The schemas of a rulebook's files, the sample rulebook in deploy/ and the one of the demo."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.rulebook.check import check
from pipeline.rulebook.conditions import (
    AUDIENCE_NAMES,
    START_NAMES,
    UNLESS_NAMES,
    compile_condition,
    fields_read_without_has,
)
from pipeline.rulebook.journeys import read_journey
from pipeline.rulebook.shape import Node
from tests.schemas.schema_documents import EXAMPLES, ROOT, SAMPLE, faults, read_yaml, schema

JOURNEY = "rulebook/journey.schema.json"
TESTS = "rulebook/tests.schema.json"
BOOKS = (SAMPLE, EXAMPLES / "rulebook")
JOURNEYS = [path for book in BOOKS for path in sorted(book.glob("journeys/*.yaml"))]
TEST_FILES = sorted(SAMPLE.glob("tests/*.yaml"))
MINIMAL = {
    "journey": "j",
    "version": 1,
    "start": {"event": "A"},
    "steps": [{"after": "1h", "channel": "sms"}],
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", JOURNEYS, ids=named)
def test_journeys_validate(path: Path) -> None:
    """Every journey of both rulebooks validates and has its file's name."""
    journey = read_yaml(path)
    assert faults(JOURNEY, journey) == []
    assert journey["journey"] == path.stem


@pytest.mark.parametrize("path", TEST_FILES, ids=named)
def test_test_files_validate(path: Path) -> None:
    """Every test file of the sample rulebook validates, and its cases have names of their own."""
    content = read_yaml(path)
    assert faults(TESTS, content) == []
    names = [case["name"] for case in content["cases"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("book", BOOKS, ids=named)
def test_policies_validate(book: Path) -> None:
    """Consent and identity files of both rulebooks validate."""
    for path in sorted(book.glob("*.yaml")):
        assert faults(f"rulebook/{path.stem}.schema.json", read_yaml(path)) == []


@pytest.mark.parametrize("book", BOOKS, ids=named)
def test_the_code_finds_nothing_wrong(book: Path) -> None:
    """Checking either rulebook gives warnings at most, and those about cancels on purpose only."""
    findings = check(book)
    assert [finding for finding in findings if finding.severity == "error"] == []
    assert all("the wait ends" in finding.message for finding in findings)


@pytest.mark.parametrize("path", [*JOURNEYS, *TEST_FILES], ids=named)
def test_editors_find_the_schema(path: Path) -> None:
    """A file of the sample rulebook names its schema, relative to itself, for editors."""
    if not path.is_relative_to(SAMPLE):
        return
    first = path.read_text(encoding="utf-8").splitlines()[0]
    _, marker, target = first.partition("# yaml-language-server: $schema=")
    assert marker
    assert (path.parent / target).resolve().is_file()


@pytest.mark.parametrize("path", JOURNEYS, ids=named)
def test_conditions_compile_and_read_nothing_unsure(path: Path) -> None:
    """Every condition compiles; start and audience read only what has() or count makes sure."""
    journey = read_yaml(path)
    sure = []
    if audience := journey.get("audience"):
        compile_condition(audience, AUDIENCE_NAMES)
        sure.append(audience)
    if where := journey["start"].get("where"):
        compile_condition(where, START_NAMES)
        sure.append(where)
    for cancel in journey.get("unless", []):
        if where := cancel.get("where"):
            compile_condition(where, UNLESS_NAMES)
    assert [fields_read_without_has(text) for text in sure] == [[] for _ in sure]


def test_every_journey_is_tested() -> None:
    """Each journey of the sample has at least five cases, some that fire and some that do not."""
    for path in sorted(SAMPLE.glob("journeys/*.yaml")):
        cases = read_yaml(SAMPLE / "tests" / path.name)["cases"]
        firing = [
            case for case in cases if any(e.get("trigger") == path.stem for e in case["expect"])
        ]
        assert len(cases) >= 5
        assert firing
        assert len(firing) < len(cases)


def test_the_samples_show_every_outcome_and_retraction() -> None:
    """Together the sample's cases show every outcome, and every reason that a retraction has."""
    cases = [case for path in TEST_FILES for case in read_yaml(path)["cases"]]
    outcomes = {each["outcome"] for case in cases for each in case.get("decisions", [])}
    assert outcomes == set(schema(TESTS)["$defs"]["decision"]["properties"]["outcome"]["enum"])
    reasons = {each["reason"] for case in cases for each in case["expect"] if "reason" in each}
    assert reasons == set(schema(TESTS)["$defs"]["retraction"]["properties"]["reason"]["enum"])


def test_defaults_are_those_of_the_code() -> None:
    """To write what the schema gives as a key's default is to leave the key out."""
    content = schema(JOURNEY)
    plain = _read(MINIMAL)
    for name, part in content["properties"].items():
        if "default" in part:
            assert _read({**MINIMAL, name: part["default"]}) == plain, name
    for name, part in content["$defs"]["step"]["properties"].items():
        if "default" in part:
            deadline = {"until": "properties.due"} if name in DATED else {"after": "1h"}
            step = {**deadline, "channel": "sms"}
            written = {**step, name: part["default"]}
            assert _read({**MINIMAL, "steps": [written]}) == _read({**MINIMAL, "steps": [step]}), (
                name
            )


DATED = {"offset", "within"}
"""Keys of a step that go with `until` only."""


def _read(journey: dict[str, Any]) -> dict[str, Any]:
    findings: list[Any] = []
    read = read_journey(Node(copy.deepcopy(journey), "j.yaml", findings))
    assert findings == []
    return read


STARTS: list[Any] = [
    {"event": "A"},
    {"event": ["A", "B"]},
    {"event": {"type": "page", "name": "Pricing"}},
    {"event": ["A", {"type": "screen", "name": ["Home", "Start"]}]},
    {"type": "page", "name": "Pricing", "where": "true"},
    {"type": "page"},
    ["A", {"event": "B", "where": "properties.n > 1"}],
]


@pytest.mark.parametrize("start", STARTS, ids=json.dumps)
def test_forms_of_a_start(start: Any) -> None:
    """Every form that a start may have validates, and the code reads it without a fault."""
    journey = {**MINIMAL, "start": start}
    assert faults(JOURNEY, journey) == []
    findings: list[Any] = []
    read_journey(Node(copy.deepcopy(journey), "j.yaml", findings))
    assert findings == []


EXPERIMENT = {"salt": "x", "variants": {"a": 99.5, "b": 0.5}}
STEPS: list[dict[str, Any]] = [
    {"after": "1h", "every": "24h", "times": 30, "when": 'traits.plan == "gold"'},
    {"until": "properties.due"},
    {"until": "context.trial.end", "offset": "-2d", "within": "400d", "variant": "a"},
    {"until": "properties.due", "offset": "+1h"},
]


@pytest.mark.parametrize("step", STEPS, ids=json.dumps)
def test_forms_of_a_step(step: dict[str, Any]) -> None:
    """Every form that a step may have validates, and the code reads it without a fault."""
    both = [{"name": name, "percent": 50} for name in "ab"]
    steps = [{"after": "0s", "channel": "email"}, {"channel": "sms", **step}]
    for experiment in (EXPERIMENT, {"salt": "x", "variants": both}):
        journey = {**MINIMAL, "experiment": experiment, "steps": steps}
        assert faults(JOURNEY, journey) == []
        findings: list[Any] = []
        read_journey(Node(copy.deepcopy(journey), "j.yaml", findings))
        assert findings == []


def _step(**keys: Any) -> dict[str, Any]:
    return {"steps": [{"channel": "sms", **keys}]}


def _variants(variants: Any, **more: Any) -> dict[str, Any]:
    return {"experiment": {"salt": "x", "variants": variants, **more}}


BROKEN_JOURNEYS: list[dict[str, Any]] = [
    _step(after="1h", every="1h"),
    _step(after="1h", times=2),
    _step(after="1h", every="1h", times=1),
    _step(after="1h", every="1h", times=31),
    _step(after="1h", every="1h", times="3"),
    _step(after="1h", offset="1h"),
    _step(after="1h", within="1h"),
    _step(until="dueDate"),
    _step(until="traits.birthday"),
    _step(until="properties.due", every="1h", times=2),
    _step(until="properties.due", offset="--2d"),
    _step(until="properties.due", offset=-2),
    _step(until="properties.due", within="-2d"),
    _step(after="1h", when=True),
    _step(after="1h", when=""),
    _step(after="1h", variant="a b"),
    {"experiment": {"variants": {"a": 50, "b": 50}}},
    {"experiment": {"salt": "x"}},
    {"experiment": "x"},
    _variants({"a": 100}),
    _variants({f"v{n}": 100 / 11 for n in range(11)}),
    _variants({"a": 100, "b": 0}),
    _variants({"a": 50, "b": "50"}),
    _variants({"a": 50, "b c": 50}),
    _variants(["a", "b"]),
    _variants({"a": 50, "b": 50}, colour="red"),
    {"journey": None},
    {"version": 0},
    {"version": "1"},
    {"colour": "blue"},
    {"key": "loanId"},
    {"key": "traits.loanId"},
    {"match": "key"},
    {"match": "device", "key": "properties.id"},
    {"start": {"event": []}},
    {"start": {"event": "A", "name": "B"}},
    {"start": {"type": "alias"}},
    {"start": {"type": "track", "name": "A"}},
    {"start": {"where": "true"}},
    {"start": {"event": "A", "were": "true"}},
    {"unless": [{"event": 7}]},
    {"lookback": "5 minutes"},
    {"lookback": "1.5h"},
    {"lateness": 600},
    {"lateness": "-5m"},
    {"repeat": "always"},
    {"once": "true"},
    {"holdout": {"percent": 101}},
    {"holdout": {"salt": "x"}},
    {"steps": []},
    {"steps": [{"channel": "sms"}]},
    {"steps": [{"after": "1h"}]},
    {"steps": [{"after": "1h", "channel": "fax"}]},
    {"steps": [{"after": "1h", "channel": "sms", "until": "2h"}]},
    {"steps": [{"after": "1w", "channel": "sms"}]},
    {"steps": [{"after": "1h", "channel": "sms", "include": ["amount"]}]},
]


@pytest.mark.parametrize("change", BROKEN_JOURNEYS, ids=json.dumps)
def test_broken_journeys_are_refused(change: dict[str, Any]) -> None:
    """A journey with an unknown key or a value out of range is refused, by the code as well."""
    journey = {**MINIMAL, **change}
    assert faults(JOURNEY, journey)
    findings: list[Any] = []
    read_journey(Node(copy.deepcopy(journey), "j.yaml", findings))
    assert findings


BROKEN_CASES: list[dict[str, Any]] = [
    {"name": ""},
    {"expects": []},
    {"events": [{"user": "u1", "track": "A"}]},
    {"events": [{"at": "2026-03-03T15:00:00Z", "track": "A"}]},
    {"events": [{"at": "2026-03-03T15:00:00Z", "user": "u1"}]},
    {"events": [{"at": "2026-03-03T15:00:00Z", "user": "u1", "track": "A", "page": "B"}]},
    {"events": [{"at": "2026-03-03 15:00", "user": "u1", "track": "A"}]},
    {"events": [{"raw": {}}]},
    {"events": [{"at": "2026-03-03T15:00:00Z", "user": "u1", "identify": {}, "traits": {}}]},
    {"events": [{"arrives": "2026-03-03T15:00:00Z", "user": "u1", "raw": {}}]},
    {"given": {"u1": {"phones": ["+12125550100"]}}},
    {"given": {"u1": {"optIn": {"fax": "2026-01-01T00:00:00Z"}}}},
    {"given": {"u1": {"optIn": {"voice": "always"}}}},
    {"until": "tomorrow"},
    {"expect": [{"user": "u1"}]},
    {"expect": [{"trigger": "j", "retraction": "j"}]},
    {"expect": [{"trigger": "j", "reason": "late_cancel"}]},
    {"expect": [{"retraction": "j", "reason": "cancelled"}]},
    {"decisions": [{"journey": "j", "outcome": "done"}]},
    {"decisions": [{"outcome": "fired"}]},
]


@pytest.mark.parametrize("change", BROKEN_CASES, ids=json.dumps)
def test_broken_cases_are_refused(change: dict[str, Any]) -> None:
    """A test case with an unknown key, no action, two actions or an unreadable time is refused."""
    case = {"name": "n", "events": [], "expect": []}
    assert faults(TESTS, {"cases": [case]}) == []
    assert faults(TESTS, {"cases": [{**case, **change}]})


BROKEN_POLICIES: list[tuple[str, Any]] = [
    ("consent", {"event": []}),
    ("consent", {"events": [{"event": "A", "channels": [], "subscribed": True}]}),
    ("consent", {"events": [{"event": "A", "channels": ["fax"], "subscribed": True}]}),
    ("consent", {"events": [{"event": "A", "channels": ["sms"], "subscribed": "yes"}]}),
    ("consent", {"events": [{"event": "A", "channels": ["sms"]}]}),
    ("identity", {"alias": "always"}),
    ("identity", {"refuse": [7]}),
    ("identity", {"merge": True}),
]


@pytest.mark.parametrize(("name", "content"), BROKEN_POLICIES)
def test_broken_policies_are_refused(name: str, content: Any) -> None:
    """A consent or identity file with an unknown key or word is refused."""
    assert faults(f"rulebook/{name}.schema.json", content)
