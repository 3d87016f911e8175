"""The production fold against an independent reading of the rules (`tests/oracle`).

The oracle works on whole histories and knows nothing of entities, messages or commits; here both
get the same rulebook and the same history, by hand or from a seed, and must say the same.
"""

import asyncio
import copy
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.adapters.memory_store import MemoryStore
from pipeline.process import state
from pipeline.process.rulebook_runner import Came, run_case
from pipeline.rulebook.cases import case_of
from pipeline.rulebook.compile import canonical_document
from tests.oracle.compare import DECISION, compare, normal, shrink
from tests.oracle.expect import check
from tests.oracle.generate import PROFILES, generate
from tests.oracle.oracle import run

CASES = Path(__file__).parents[1] / "oracle" / "cases"
SEEDS = int(os.environ.get("ORACLE_SEEDS", "150"))
FIRST = int(os.environ.get("ORACLE_FIRST", "0"))


def product(rulebook: dict[str, Any], case: dict[str, Any]) -> Came:
    document = canonical_document(plain(rulebook))
    return asyncio.run(run_case(case_of(plain(case)), document, "d" * 32, MemoryStore()))


def plain(value: Any) -> Any:
    """YAML's own times as text, as the rulebook's reader has them."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case list():
            return [plain(each) for each in value]
        case _:
            return value


def by_hand() -> list[Any]:
    found = []
    for path in sorted(CASES.glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for book in content if isinstance(content, list) else [content]:
            found += [
                pytest.param(book["rulebook"], case, id=f"{path.stem}: {case['name']}")
                for case in book["cases"]
            ]
    return found


@pytest.mark.parametrize(("rulebook", "case"), by_hand())
def test_a_history_worked_out_by_hand_gives_what_the_rules_say(
    rulebook: dict[str, Any], case: dict[str, Any]
) -> None:
    result = product(rulebook, case)

    wrong = check(case, result.outputs, result.decisions)
    assert not wrong, "\n".join([*wrong, *map(str, result.decisions)])


@pytest.mark.parametrize(("rulebook", "case"), by_hand())
def test_it_does_not_matter_whether_entities_stay_in_memory(
    rulebook: dict[str, Any], case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = product(rulebook, case)
    monkeypatch.setattr(state, "CACHE_MAX", 0)

    assert product(rulebook, case) == kept


@pytest.mark.parametrize("profile", PROFILES)
def test_a_random_history_gives_what_the_oracle_says(profile: str) -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        rulebook, case = generate(seed, profile)
        if difference(rulebook, case):
            small = shrink(rulebook, case, lambda book, less: bool(difference(book, less)))
            pytest.fail(f"seed {seed}: {small[0]}\n{small[1]}\n{difference(*small)}")


def difference(rulebook: dict[str, Any], case: dict[str, Any]) -> str:
    expected, came = run(copy.deepcopy(rulebook), copy.deepcopy(case)), product(rulebook, case)
    lines = [compare(expected, came)]
    if undated(expected) != undated(came):
        lines.append(f"- undated {undated(expected)}\n+ undated {undated(came)}")
    return "\n".join(line for line in lines if line)


def undated(result: Any) -> list[str]:
    """Every decision on a step that its start names no date for: there is one each."""
    lacking = [each for each in result.decisions if each["reason"] == "missing_date"]
    return sorted(repr(normal(each, (*DECISION, "deadline", "variant"))) for each in lacking)
