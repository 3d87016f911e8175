"""`priority` of a journey: read, refused where it is none, left out where it says nothing."""

from typing import Any

import pytest

from pipeline.rulebook.compile import canonical_document, compile_rulebook
from pipeline.rulebook.findings import Finding
from pipeline.rulebook.journeys import read_journey
from pipeline.rulebook.load import document_digest
from pipeline.rulebook.shape import Node
from tests.schemas.schema_documents import faults

PLAIN: dict[str, Any] = {
    "journey": "j",
    "version": 1,
    "start": {"event": "A"},
    "steps": [{"after": "1h", "channel": "voice"}],
}
SCHEMA = "rulebook/journey.schema.json"


def document(**more: Any) -> dict[str, Any]:
    return canonical_document({"journeys": [PLAIN | more]})


def test_the_default_leaves_the_document_and_its_digest_as_they_were() -> None:
    assert document(priority=0) == document()
    assert "priority" not in document()["journeys"][0]
    assert document_digest(document(priority=0)) == document_digest(document())
    assert document_digest(document(priority=1)) != document_digest(document())


@pytest.mark.parametrize("priority", [-1000, -1, 0, 1, 1000])
def test_a_whole_number_up_to_a_thousand_either_way_is_taken(priority: int) -> None:
    (journey,) = compile_rulebook(document(priority=priority)).journeys

    assert journey.priority == priority
    assert faults(SCHEMA, PLAIN | {"priority": priority}) == []


@pytest.mark.parametrize(
    "priority", [1001, -1001, 1.5, True, "high", "1", [1], {"is": 1}, 10**30, float("nan")]
)
def test_anything_else_is_refused_in_a_line_with_the_remedy(priority: object) -> None:
    findings: list[Finding] = []
    read_journey(Node(PLAIN | {"priority": priority}, "j.yaml", findings))

    (finding,) = findings
    assert finding.message.startswith("`priority` is ")
    assert "\n" not in finding.message
    assert finding.remedy == "write a whole number from -1000 to 1000"
    assert faults(SCHEMA, PLAIN | {"priority": priority})


def test_nothing_is_refused_too() -> None:
    findings: list[Finding] = []
    read_journey(Node(PLAIN | {"priority": None}, "j.yaml", findings))

    assert [finding.remedy for finding in findings] == ["remove `priority` or write its value"]
