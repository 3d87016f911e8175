"""The JSON Schemas and the AsyncAPI document say what they should, and agree with the code."""

import copy
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from pipeline.domain.facts import Outcome
from pipeline.domain.outputs import GateName, RetractionReason
from pipeline.names import Names
from pipeline.wire.verdicts import RejectReason
from tests.schemas.schema_documents import (
    BASE,
    NAMES,
    RECORDS,
    SCHEMAS,
    faults,
    read_yaml,
    resolved,
    schema,
)

TRIGGER, RETRACTION, DECISION = (f"{n}.schema.json" for n in ("trigger", "retraction", "decision"))
EVIDENCE, OPTIN, CONTACT = (f"{n}.schema.json" for n in ("evidence", "optin", "contact"))
OUTBOUND, HEADERS, DEAD = (
    f"{n}.schema.json" for n in ("outbound", "headers", "dead-letter-headers")
)
INPUT = "input.schema.json"
WITH_EXAMPLES = [name for name in NAMES if name != "common.schema.json"]


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(schema(name)["examples"][0])
    return found


def constants(part: dict[str, Any]) -> set[str]:
    """The values of a `oneOf` of described constants."""
    return {each["const"] for each in part["oneOf"] if "const" in each}


@pytest.mark.parametrize("name", NAMES)
def test_is_a_schema(name: str) -> None:
    """Every file is a valid JSON Schema 2020-12 under its own name as `$id`."""
    content = schema(name)
    Draft202012Validator.check_schema(content)
    assert content["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert content["$id"] == BASE + name
    assert content["title"]
    assert content["description"]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_validate(name: str) -> None:
    """Every schema has examples, and each of them validates."""
    assert schema(name)["examples"]
    for each in schema(name)["examples"]:
        assert faults(name, each) == []


@pytest.mark.parametrize("record", RECORDS)
def test_records_are_closed_and_described(record: str) -> None:
    """A record of ours takes no unknown field, and each of its fields is described."""
    content = schema(f"{record}.schema.json")
    assert content["additionalProperties"] is False
    for name, part in content["properties"].items():
        told = resolved(part)
        choice = {"const", "enum", "oneOf"} & told.keys()
        assert told.get("description") or choice or name == "properties", name


def broken() -> Iterator[Any]:
    for record in (*RECORDS, "dead-letter-headers", "headers"):
        name = f"{record}.schema.json"
        for field in schema(name)["required"]:
            value = example(name)
            del value[field]
            yield pytest.param(name, value, id=f"{record} without {field}")
        if record in RECORDS:
            yield pytest.param(name, {**example(name), "extra": 1}, id=f"{record} with another")
    changes: list[tuple[str, dict[str, Any]]] = [
        (TRIGGER, {"type": "retraction"}),
        (TRIGGER, {"id": "5B0C7F1E2D3A49588C6B7A90E1F2D3C4"}),
        (TRIGGER, {"id": "5b0c"}),
        (TRIGGER, {"step": 0}),
        (TRIGGER, {"step": "1"}),
        (TRIGGER, {"key": 7}),
        (TRIGGER, {"key": ""}),
        (TRIGGER, {"userId": None}),
        (TRIGGER, {"channel": "fax"}),
        (TRIGGER, {"to": "2125550100"}),
        (TRIGGER, {"to": "rebecca@example.com"}),
        (TRIGGER, {"channel": "email"}),
        (TRIGGER, {"deadline": "2026-03-04T15:00:00Z"}),
        (TRIGGER, {"firedAt": "2026-03-04T15:00:00.000+00:00"}),
        (TRIGGER, {"expiresAt": "2026-13-04T15:00:00.000Z"}),
        (TRIGGER, {"expiresAt": 1772550000000}),
        (TRIGGER, {"consent": {**example(TRIGGER)["consent"], "status": "unsubscribed"}}),
        (TRIGGER, {"gates": [{"gate": "consent", "verdict": "fail"}]}),
        (TRIGGER, {"gates": [{"gate": "weather", "verdict": "pass"}]}),
        (TRIGGER, {"include": {"amount": 1}}),
        (TRIGGER, {"anchor": {**example(TRIGGER)["anchor"], "source": "segment.raw/2/118"}}),
        (RETRACTION, {"reason": "cancelled"}),
        (RETRACTION, {"cause": None}),
        (RETRACTION, {"at": None}),
        (DECISION, {"outcome": "done"}),
        (DECISION, {"reason": "no_consent"}),
        (DECISION, {"outcome": "suppressed"}),
        (DECISION, {"outcome": "suppressed", "reason": "once"}),
        (DECISION, {"outcome": "ignored", "reason": "bad_luck"}),
        (DECISION, {"anchor": None}),
        (CONTACT, {"phones": [], "emails": []}),
        (CONTACT, {"userId": None, "anonymousIds": []}),
        (CONTACT, {"phone": "212-555-0100"}),
        (CONTACT, {"phones": ["+12125550100"]}),
        (CONTACT, {"traits": {"salaryBracket": "$100k"}}),
        (OPTIN, {"status": "pending"}),
        (OPTIN, {"kind": "email"}),
        (OPTIN, {"channel": "email"}),
        (OPTIN, {"ip": None}),
        (OPTIN, {"via": "hearsay"}),
        (EVIDENCE, {"taken": False}),
        (EVIDENCE, {"reason": "older"}),
        (EVIDENCE, {"action": None}),
        (EVIDENCE, {"taken": False, "reason": "because"}),
        (EVIDENCE, {"address": "Rebecca@Example.com"}),
        (OUTBOUND, {"type": "identify"}),
        (OUTBOUND, {"event": "Contact Deleted"}),
        (OUTBOUND, {"properties": {"channel": "voice"}}),
        (OUTBOUND, {"event": "Journey Triggered"}),
        (DEAD, {"source-offset": 118}),
        (DEAD, {"reason": "Invalid JSON"}),
        (HEADERS, {"ce_specversion": "0.3"}),
        (HEADERS, {"position": "118"}),
        (INPUT, {"type": "delete"}),
        (INPUT, {"batch": "none"}),
        (INPUT, {"properties": [1]}),
    ]
    for name, change in changes:
        yield pytest.param(name, {**example(name), **change}, id=f"{name.split('.')[0]} {change}")


@pytest.mark.parametrize(("name", "value"), list(broken()))
def test_broken_records_are_refused(name: str, value: object) -> None:
    """A record with a field missing, added or out of range does not validate."""
    assert faults(name, value)


def test_a_trigger_is_no_retraction() -> None:
    """Each value of journey.triggers is one of its two kinds and never both."""
    assert faults(RETRACTION, example(TRIGGER))
    assert faults(TRIGGER, example(RETRACTION))
    assert faults("triggers.schema.json", example(TRIGGER)) == []
    assert faults("triggers.schema.json", example(RETRACTION)) == []
    assert faults("triggers.schema.json", example(DECISION))


def reasons_by_outcome() -> dict[str, set[str]]:
    rules = [rule for rule in schema(DECISION)["allOf"] if "if" in rule]
    return {
        rule["if"]["properties"]["outcome"]["const"]: set(
            rule["then"]["properties"]["reason"].get("enum", ())
        )
        for rule in rules
    }


def test_each_reason_has_one_outcome() -> None:
    """The list of reasons is closed, and each of them belongs to exactly one outcome."""
    by_outcome = reasons_by_outcome()
    listed = [reason for reasons in by_outcome.values() for reason in reasons]
    assert len(listed) == len(set(listed))
    assert set(listed) == constants(schema("common.schema.json")["$defs"]["reason"])
    assert by_outcome["fired"] == set()


def test_words_are_those_of_the_code() -> None:
    """Outcomes, reasons of retractions, gates and dead letters are those that the code can say."""
    assert constants(schema(DECISION)["properties"]["outcome"]) == set(get_args(Outcome))
    assert reasons_by_outcome().keys() == set(get_args(Outcome))
    assert constants(schema(RETRACTION)["properties"]["reason"]) == set(get_args(RetractionReason))
    gates = schema("common.schema.json")["$defs"]["gate"]["properties"]["gate"]["enum"]
    assert set(get_args(GateName)) <= set(gates)
    for reason in RejectReason:
        assert faults(DEAD, {**example(DEAD), "reason": reason.value}) == []


def test_asyncapi_names_every_topic() -> None:
    """The AsyncAPI document has a channel for each topic, and each is sent to or received from."""
    document = read_yaml(SCHEMAS / "asyncapi.yaml")
    names = Names()
    topics = {
        names.raw, names.events, names.triggers, names.decisions, names.shadow, names.contacts,
        names.optins, names.evidence, names.dead_letters, names.outbound,
    }  # fmt: skip
    channels = document["channels"]
    assert {channel["address"] for channel in channels.values()} == topics
    for channel in channels.values():
        assert channel["bindings"]["kafka"]["topic"] == channel["address"]
    used = {operation["channel"]["$ref"] for operation in document["operations"].values()}
    assert used == {f"#/channels/{name}" for name in channels}
    compacted = {
        channel["address"]
        for channel in channels.values()
        if "compact"
        in channel["bindings"]["kafka"].get("topicConfiguration", {}).get("cleanup.policy", ())
    }
    assert compacted == {"contacts", "optins"}


def test_asyncapi_references_resolve() -> None:
    """Every `$ref` of the AsyncAPI document leads to a part of it or to a schema file."""
    document = read_yaml(SCHEMAS / "asyncapi.yaml")

    def refs(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for part in value.values():
                yield from refs(part)
        elif isinstance(value, list):
            for part in value:
                yield from refs(part)

    found = set(refs(document))
    for ref in found:
        if ref.startswith("#/"):
            part = document
            for name in ref[2:].split("/"):
                part = part[name]
        else:
            assert ref.removeprefix("./") in NAMES
    wanted = {f"./{record}.schema.json" for record in RECORDS}
    assert wanted | {"./headers.schema.json", f"./{DEAD}", f"./{INPUT}"} <= found


def test_asyncapi_messages_have_keys_and_headers() -> None:
    """Every message says its key, and every output that is JSON says its headers."""
    messages = read_yaml(SCHEMAS / "asyncapi.yaml")["components"]["messages"]
    for name, message in messages.items():
        assert "bindings" in message, name
        plain = name in {"input", "internal"}
        assert plain or "traits" in message or "headers" in message, name
