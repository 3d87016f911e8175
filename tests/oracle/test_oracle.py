"""The oracle against histories worked out by hand from the contract, one sentence each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.oracle.compare import compare, shrink
from tests.oracle.expect import check
from tests.oracle.generate import PROFILES, generate
from tests.oracle.oracle import run

CASES = Path(__file__).parent / "cases"


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
def test_hand_derived(rulebook: dict[str, Any], case: dict[str, Any]) -> None:
    result = run(rulebook, case)
    wrong = check(case, result.outputs, result.decisions)
    assert not wrong, "\n".join([*wrong, *map(str, result.decisions)])


@pytest.mark.parametrize("profile", PROFILES)
def test_same_seed_same_history_same_result(profile: str) -> None:
    for seed in range(5):
        first, second = generate(seed, profile), generate(seed, profile)
        assert first == second
        assert compare(run(*first), run(*second)) == ""


@pytest.mark.parametrize("profile", PROFILES)
def test_promises_hold_on_random_histories(profile: str) -> None:
    for seed in range(60):
        result = run(*generate(seed, profile))
        triggers = [item for item in result.outputs if item["type"] == "trigger"]
        names = [
            (item["journey"], item["anchor"], item["step"], item["userId"], item["key"])
            for item in triggers
        ]
        assert len(names) == len(set(names)), "one trigger per reason"
        assert len(result.outputs) - len(triggers) <= len(triggers), (
            "at most one retraction a trigger"
        )
        fired = [item for item in result.decisions if item["outcome"] == "fired"]
        assert len(fired) == len(triggers)


def test_shrink_keeps_the_difference() -> None:
    rulebook, case = next(
        pair for pair in (generate(seed, "waits") for seed in range(200)) if run(*pair).outputs
    )

    def fires(book: dict[str, Any], history: dict[str, Any]) -> bool:
        return any(item["type"] == "trigger" for item in run(book, history).outputs)

    book, small = shrink(rulebook, case, fires)
    assert fires(book, small)
    assert len(small["events"]) <= 3


def test_check_and_compare_see_what_is_wrong() -> None:
    rulebook, case = next(
        pair for pair in (generate(seed, "waits") for seed in range(200)) if run(*pair).outputs
    )
    full, none = run(rulebook, case), run(rulebook, {**case, "events": []})
    assert check({"expect": []}, full.outputs, []) != []
    assert check({"expect": [{"trigger": "j9"}]}, none.outputs, []) == [
        "missing: {'trigger': 'j9'}"
    ]
    assert check({"decisions": [{"outcome": "fired"}]}, full.outputs, full.decisions)[
        -1
    ].startswith("too much")
    assert compare(full, none).startswith("- ")
    assert compare(none, full).startswith("+ ")
