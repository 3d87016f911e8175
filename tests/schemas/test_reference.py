"""The rulebook reference says what schemas and loader say."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.rulebook.calling import read_calling
from pipeline.rulebook.cases import read_cases
from pipeline.rulebook.findings import Finding
from pipeline.rulebook.journeys import read_journey
from pipeline.rulebook.policies import read_consent, read_identity
from pipeline.rulebook.shape import Node
from tests.schemas.reference import FILES, PATH, reference, tables
from tests.schemas.schema_documents import schema

ODD = {"qqqq": 1}
"""No known key is near to it."""

STEP = {"after": "1h", "channel": "sms"}
JOURNEY = {"journey": "j", "version": 1, "start": "A", "steps": [STEP]}
SHARE = {"name": "a", "percent": 50}
CASE = {"name": "n", "until": "2026-03-03T15:00:00Z"}
READ: dict[str, Callable[[Node], object]] = {
    "journey": read_journey,
    "consent": read_consent,
    "identity": read_identity,
    "calling": read_calling,
    "tests": read_cases,
}
PLACES: dict[tuple[str, str], dict[str, Any]] = {
    ("journey", ""): {**JOURNEY, **ODD},
    ("journey", "start"): {**JOURNEY, "start": {"event": "A", **ODD}},
    ("journey", "start.event"): {**JOURNEY, "start": {"event": {"type": "page", **ODD}}},
    ("journey", "unless"): {**JOURNEY, "unless": [{"event": "B", **ODD}]},
    ("journey", "holdout"): {**JOURNEY, "holdout": {"percent": 1, **ODD}},
    ("journey", "experiment"): {**JOURNEY, "experiment": ODD},
    ("journey", "experiment.variants[]"): {
        **JOURNEY, "experiment": {"salt": "s", "variants": [{**SHARE, **ODD}, SHARE]},
    },
    ("journey", "steps[]"): {**JOURNEY, "steps": [{**STEP, **ODD}]},
    ("journey", "steps[].window"): {**JOURNEY, "steps": [{**STEP, "window": ODD}]},
    ("consent", ""): ODD,
    ("consent", "events[]"): {"events": [ODD]},
    ("identity", ""): ODD,
    ("calling", ""): ODD,
    ("calling", "hours"): {"hours": ODD},
    ("calling", "hours.voice"): {"hours": {"voice": ODD}},
    ("calling", "places.*"): {"places": {"GB": ODD}},
    ("calling", "data[]"): {"data": [ODD]},
    ("calling", "data[].rules[]"): {"data": [{"name": "n", "date": "2026-01-01", "rules": [ODD]}]},
    ("calling", "data[].limits[]"): {"limits": [ODD]},
    ("calling", "unknown"): {"unknown": ODD},
    ("calling", "unknown.zone"): {"unknown": {"zone": ODD}},
    ("tests", ""): ODD,
    ("tests", "cases[]"): {"cases": [{**CASE, **ODD}]},
    ("tests", "cases[].given.*"): {"cases": [{**CASE, "given": {"u": ODD}}]},
    ("tests", "cases[].given.*.optIn.*"): {
        "cases": [{**CASE, "given": {"u": {"phone": "+12125550100", "optIn": {"voice": ODD}}}}],
    },
    ("tests", "cases[].events[]"): {"cases": [{**CASE, "events": [ODD]}]},
    ("tests", "cases[].expect[], with `trigger`"): {
        "cases": [{**CASE, "expect": [{"trigger": "j", **ODD}]}],
    },
    ("tests", "cases[].expect[], with `retraction`"): {
        "cases": [{**CASE, "expect": [{"retraction": "j", **ODD}]}],
    },
    ("tests", "cases[].decisions[]"): {"cases": [{**CASE, "decisions": [ODD]}]},
}  # fmt: skip


def known_to_loader(name: str, content: dict[str, Any]) -> set[str]:
    """The keys that the loader says it knows where an odd one stands."""
    findings: list[Finding] = []
    READ[name](Node(copy.deepcopy(content), "f", findings))
    (remedy,) = {each.remedy for each in findings if "`qqqq`" in each.message}
    return set(remedy.removeprefix("known are ").split(", "))


def known_to_schema(name: str) -> dict[str, set[str]]:
    """By path; the same path twice stands for one map or another, unless they are told apart."""
    found: dict[str, set[str]] = {}
    for table in tables(name):
        path = table.path
        if path == "cases[].expect[]":
            path += table.which or ", with `trigger`"
        found.setdefault(path, set()).update(row.key for row in table.rows)
    return found


def test_the_page_is_up_to_date() -> None:
    """Else run `python -m tests.schemas.reference`."""
    assert PATH.read_text(encoding="utf-8") == reference()


@pytest.mark.parametrize("name", FILES.values())
def test_every_key_says_what_it_means(name: str) -> None:
    silent = [
        (table.path, row.key) for table in tables(name) for row in table.rows if not row.meaning
    ]
    assert silent == []


@pytest.mark.parametrize("name", FILES.values())
def test_loader_and_schema_know_the_same_keys_in_every_map(name: str) -> None:
    loader = {
        path: known_to_loader(name, content)
        for (file, path), content in PLACES.items()
        if file == name
    }
    assert loader == known_to_schema(name)


def read_plain(name: str, content: dict[str, Any]) -> Any:
    findings: list[Finding] = []
    made = READ[name](Node(copy.deepcopy(content), "f", findings))
    assert findings == []
    return made


def test_defaults_of_the_other_files_are_those_of_the_loader() -> None:
    """Those of journeys are held against theirs in test_rulebook_files."""
    for name in ("identity", "calling"):
        read = read_plain(name, {})
        for key, part in schema(f"rulebook/{name}.schema.json")["properties"].items():
            assert read[key] == part["default"], key
    assert read_plain("consent", {}) == []
    limit = read_plain("calling", {"limits": [{"max": 1, "per": "1d"}]})["limits"][0]
    content = schema("rulebook/calling.schema.json")["$defs"]
    for key, given in content["limits"]["items"]["properties"].items():
        part = content[given["$ref"].rsplit("/", 1)[1]] if "$ref" in given else given
        if "default" in part:
            assert limit[key] == part["default"], key
