"""The demo's sample data is well-formed and hangs together with what it must give."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from tests.schemas.schema_documents import EXAMPLES, faults, read_yaml, schema, texts

PLACEHOLDER = re.compile(r"\{now(?:[+-][0-9]+[smhd])?\}")
EXPECTED = read_yaml(EXAMPLES / "EXPECTED.yaml")
LINES = (EXAMPLES / "events.jsonl").read_text(encoding="utf-8").splitlines()
RECORDS: list[dict[str, Any]] = [json.loads(line) for line in LINES]
WAITS = {
    (journey, key): wait
    for journey, waits in EXPECTED["waits"].items()
    for key, wait in waits.items()
}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def calls() -> list[dict[str, Any]]:
    values = [record["value"] for record in RECORDS if "value" in record]
    return [call for value in values for call in value.get("batch", [value])]


def at_some_time(value: Any) -> Any:
    return json.loads(PLACEHOLDER.sub("2026-03-03T15:00:00.000Z", json.dumps(value)))


@pytest.mark.parametrize("record", RECORDS, ids=[f"line {n}" for n in range(1, len(RECORDS) + 1)])
def test_records_are_well_formed(record: dict[str, Any]) -> None:
    """A line is a broken text that is no JSON, or a key and a value that segment.raw takes."""
    assert record.keys() <= {"delayMs", "key", "value", "raw"}
    assert 0 <= record.get("delayMs", 0) <= 20_000
    if "raw" in record:
        with pytest.raises(json.JSONDecodeError):
            json.loads(record["raw"])
        return
    assert record["key"] is None or isinstance(record["key"], str)
    assert faults("input.schema.json", at_some_time(record["value"])) == []


def test_placeholders_are_well_formed() -> None:
    """Every brace in a text belongs to a placeholder of the time of sending."""
    for call in calls():
        for text in texts(call):
            assert not set("{}") & set(PLACEHOLDER.sub("", text)), text


def test_every_wait_of_the_data_is_expected() -> None:
    """The loans and applications of the data are exactly those that EXPECTED.yaml lists."""
    found = {value for call in calls() for value in _ids(call)}
    assert found == {key for _, key in WAITS}


def _ids(call: dict[str, Any]) -> list[str]:
    properties = call.get("properties") or {}
    return [properties[name] for name in ("loanId", "applicationId") if name in properties]


def test_expectations_are_consistent() -> None:
    """Reasons belong to their outcomes, triggers to what fired, and the totals add up."""
    for wait in WAITS.values():
        decision = {**schema("decision.schema.json")["examples"][0], "anonymousId": "a"}
        if wait["outcome"] is not None:
            decision |= {"outcome": wait["outcome"], "reason": wait["reason"]}
        assert faults("decision.schema.json", decision) == []
        assert wait["triggers"] == (wait["outcome"] == "fired")
        assert ("to" in wait) == (wait["triggers"] == 1)
        assert wait["retractions"] <= wait["triggers"]
    totals = EXPECTED["totals"]
    assert totals["triggers"] == sum(wait["triggers"] for wait in WAITS.values())
    assert totals["retractions"] == sum(wait["retractions"] for wait in WAITS.values())
    shown = {wait["reason"] for wait in WAITS.values()}
    assert shown >= {"cancelled", "opted_out", "no_consent", "no_address", "audience"}


def test_who_is_called_is_an_expected_contact_with_an_opt_in() -> None:
    """Every trigger goes to the primary address of a listed contact that is listed as opted in."""
    for (journey, _), wait in WAITS.items():
        if wait["triggers"]:
            channel = "voice" if journey.startswith("loan") else "sms"
            assert EXPECTED["contacts"][wait["user"]] == wait["to"]
            assert EXPECTED["optins"][f"{wait['to']}|{channel}"] == "subscribed"


def test_the_story_is_told() -> None:
    """The data has one repeated messageId, a batch, an alias, numeric ids and refused ones."""
    repeated = Counter(call["messageId"] for call in calls() if "messageId" in call)
    assert [count for count in repeated.values() if count > 1] == [2]
    assert any("batch" in record.get("value", {}) for record in RECORDS)
    assert any(call["type"] == "alias" for call in calls())
    assert any(isinstance(call.get("userId"), int) for call in calls())
    assert any(isinstance((call.get("traits") or {}).get("phone"), int) for call in calls())
    assert any(call.get("integrations") == {"All": False} for call in calls())
    without = [c for c in calls() if c.get("userId") in {None, "null"} and _nobody(c)]
    broken = [record for record in RECORDS if "raw" in record]
    assert len(without) + len(broken) == EXPECTED["deadLetters"]


def _nobody(call: dict[str, Any]) -> bool:
    return call.get("anonymousId") in {None, "undefined"}


def test_the_late_signature_is_late_and_the_demo_is_short() -> None:
    """Only the last record waits: twice as long as any deadline, and the whole under 30 seconds."""
    delays = [record.get("delayMs", 0) for record in RECORDS]
    journeys = [read_yaml(path) for path in sorted(EXAMPLES.glob("rulebook/journeys/*.yaml"))]
    afters = [step["after"] for journey in journeys for step in journey["steps"]]
    longest = max(int(after[:-1]) * SECONDS[after[-1]] for after in afters)
    assert delays[-1] >= 2000 * longest
    assert sum(delays[:-1]) <= 1000
    assert sum(delays) + 1000 * longest < 30_000
