"""Coverage counts each branch of a rulebook's rules once a case has taken it, and no sooner."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.memory_store import MemoryStore
from pipeline.process.rulebook_runner import run_cases
from pipeline.rulebook.cases import case_of, read_cases
from pipeline.rulebook.compile import compile_rulebook
from pipeline.rulebook.coverage import Coverage, points_of
from pipeline.rulebook.findings import errors
from pipeline.rulebook.load import document_digest, read

JOURNEY = """\
journey: j
version: 1
key: properties.id
start:
  event: [A, {type: page, name: P}]
  where: properties.n > 1
unless:
  - event: B
  - {event: C, where: has(properties.x) && properties.x == 1}
audience: traits.vip == true
holdout: {percent: 100}
experiment: {salt: s, variants: {one: 50, two: 50}}
repeat: restart
steps:
  - {after: 1h, every: 1h, times: 3, channel: voice, cooldown: 1d}
  - {after: 9h, channel: sms, variant: one, when: has(traits.x), window: 09:00-10:00}
"""
CALLING = "hours: {voice: 09:00-20:00}\nlimits: [{max: 1, per: 1d, channels: [sms]}]\n"
CONSENT = "events: [{event: Out, channels: [voice, sms], subscribed: false}]\n"
PLAIN = "journey: j\nversion: 1\nstart: A\nunless: [B]\nsteps: [{after: 1h, channel: voice}]\n"
GIVEN = {"u1": {"phone": "+12125550100", "optIn": {"voice": "2026-01-01T00:00:00Z"}}}


def event(at: str, **more: Any) -> dict[str, Any]:
    return {"at": f"2026-03-03T{at}Z", "user": "u1", **more}


def covered(at: Path, *cases: dict[str, Any], text: str = PLAIN, **files: str) -> Coverage:
    (at / "journeys").mkdir()
    (at / "journeys" / "j.yaml").write_text(text)
    for name, content in files.items():
        (at / f"{name}.yaml").write_text(content)
    sources = read(at)
    assert errors(sources.findings) == []
    made = [case_of({"until": "2026-03-04T00:00:00Z", **case}) for case in cases]
    digest = document_digest(sources.document)
    verdicts = asyncio.run(run_cases(made, sources.document, digest, MemoryStore))
    points = points_of(sources, compile_rulebook(sources.document))
    return Coverage(points, frozenset(branch for each in verdicts for branch in each.taken))


def taken(coverage: Coverage) -> set[str]:
    return {f"{p.rule}: {p.branch}" for p in coverage.points if coverage.has(p)}


def missing(coverage: Coverage) -> set[str]:
    return {f"{p.rule}: {p.branch}" for p in coverage.missing}


def test_every_choice_of_the_rulebook_is_a_branch_at_its_line(tmp_path: Path) -> None:
    coverage = covered(tmp_path, text=JOURNEY, calling=CALLING, consent=CONSENT)
    assert coverage.percent == 0
    assert [(p.line, f"{p.rule}: {p.branch}") for p in coverage.points] == [
        (3, "key: missing_key"),
        (6, "start 1 A: true"),
        (6, "start 1 A: false"),
        (6, "start 1 A: can't be judged"),
        (6, "start 2 P: true"),
        (6, "start 2 P: false"),
        (6, "start 2 P: can't be judged"),
        (7, "retraction: late_cancel"),
        (7, "retraction: cancelled_after_fire"),
        (8, "unless 1 B: true"),
        (9, "unless 2 C: true"),
        (9, "unless 2 C: false"),
        (10, "audience: true"),
        (10, "audience: false"),
        (10, "audience: can't be judged"),
        (11, "holdout: fail"),
        (12, "variant: one"),
        (12, "variant: two"),
        (13, "repeat: restart"),
        (14, "address: no_address"),
        (14, "consent: no_consent"),
        (14, "consent: opted_out"),
        (15, "step 1-3: fired"),
        (15, "step 1-3: cancelled"),
        (15, "step 1-3: expired"),
        (15, "step 1-3 cooldown: pass"),
        (15, "step 1-3 cooldown: fail"),
        (15, "step 1-3 window: pass"),
        (15, "step 1-3 window: held"),
        (16, "step 4: fired"),
        (16, "step 4: cancelled"),
        (16, "step 4: expired"),
        (16, "step 4 when: true"),
        (16, "step 4 when: false"),
        (16, "step 4 limits: pass"),
        (16, "step 4 limits: fail"),
        (16, "step 4 window: pass"),
        (16, "step 4 window: held"),
        (1, "Out: voice"),
        (1, "Out: sms"),
    ]
    assert {(p.file, p.journey) for p in coverage.points} == {
        ("journeys/j.yaml", "j"), ("consent.yaml", "consent.yaml"),
    }  # fmt: skip


def test_a_rulebook_without_journeys_is_covered(tmp_path: Path) -> None:
    (tmp_path / "journeys").mkdir()
    sources = read(tmp_path)
    coverage = Coverage(points_of(sources, compile_rulebook(sources.document)), frozenset())
    assert (coverage.percent, coverage.missing) == (100, [])


@pytest.mark.parametrize("status", ["paused", "retired", "shadow"])
def test_a_journey_that_sends_nothing_has_nothing_to_exercise(tmp_path: Path, status: str) -> None:
    assert covered(tmp_path, text=f"{PLAIN}status: {status}\n").points == []


def test_what_a_case_does_is_taken_and_nothing_else(tmp_path: Path) -> None:
    fires = {"given": GIVEN, "events": [event("12:00:00", track="A")]}
    coverage = covered(tmp_path, fires)
    assert taken(coverage) == {"start 1 A: true", "step 1: fired"}
    assert missing(coverage) == {
        "unless 1 B: true", "retraction: late_cancel", "retraction: cancelled_after_fire",
        "repeat: repeat", "address: no_address", "consent: no_consent", "consent: opted_out",
        "step 1: cancelled", "step 1: expired",
    }  # fmt: skip
    assert coverage.percent == pytest.approx(100 * 2 / 11)


def test_each_further_case_adds_what_it_takes(tmp_path: Path) -> None:
    start = event("12:00:00", track="A")
    late = {**event("12:30:00", track="B"), "arrives": "2026-03-03T14:00:00Z"}
    cases: list[dict[str, Any]] = [
        {"given": GIVEN, "events": [start, event("12:30:00", track="B")]},
        {"given": GIVEN, "events": [start, late]},
        {"given": GIVEN, "events": [start, event("13:30:00", track="B")]},
        {"given": GIVEN, "events": [start, event("12:30:00", track="A")]},
        {"events": [start]},
        {"given": {"u1": {"phone": "+12125550100"}}, "events": [start]},
        {"given": {"u1": {"phone": "+12125550100", "optIn": {"voice": False}}}, "events": [start]},
        {"given": GIVEN, "events": [{**start, "arrives": "2026-03-05T12:00:00Z"}],
         "until": "2026-03-06T00:00:00Z"},
    ]  # fmt: skip
    coverage = covered(tmp_path, *cases)
    assert missing(coverage) == set()
    assert coverage.percent == 100


def test_a_condition_counts_true_false_and_not_to_be_judged_apart(tmp_path: Path) -> None:
    text = PLAIN.replace("start: A", "start: {event: A, where: properties.n > 1}")
    for number, (n, branch) in enumerate([(2, "true"), (1, "false"), ("x", "can't be judged")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        case = {"events": [event("12:00:00", track="A", properties={"n": n})]}
        found = {each for each in taken(covered(folder, case, text=text)) if "start" in each}
        assert found == {f"start 1 A: {branch}"}


def test_a_watched_rulebook_decides_as_the_plain_one() -> None:
    """Every case of the sample passes, so wrapping its conditions changed nothing."""
    sample = read(Path(__file__).parents[2] / "deploy" / "rulebook")
    cases = [case for root in sample.tests for case in read_cases(root)]
    digest = document_digest(sample.document)
    verdicts = asyncio.run(run_cases(cases, sample.document, digest, MemoryStore))
    assert [each.wrong for each in verdicts if each.wrong] == []


def test_the_gates_of_hours_and_limits_are_taken_by_what_they_did(tmp_path: Path) -> None:
    calling = "hours: {voice: 09:00-20:00}\nlimits: [{max: 1, per: 1d, channels: [voice]}]\n"
    given = {"u1": {**GIVEN["u1"], "traits": {"timezone": "Europe/London"}}}
    day = {"given": given, "events": [event("12:00:00", track="A"), event("13:30:00", track="A")]}
    night = {"given": given, "events": [event("02:00:00", track="A")]}
    text = PLAIN.replace("unless: [B]\n", "")
    coverage = covered(tmp_path, day, night, text=text, calling=calling)
    gates = {each for each in taken(coverage) if "limits" in each or "window" in each}
    assert gates == {
        "step 1 limits: pass", "step 1 limits: fail",
        "step 1 window: pass", "step 1 window: held",
    }  # fmt: skip


def test_an_opt_out_event_takes_its_rule_for_its_channels(tmp_path: Path) -> None:
    case = {"given": GIVEN, "events": [event("12:00:00", track="Out")]}
    coverage = covered(tmp_path, case, consent=CONSENT)
    assert {"Out: voice", "Out: sms"} <= taken(coverage)
