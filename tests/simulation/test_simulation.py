"""The production processes on a simulated world: every seed ends as the rules say.

`SIM_FIRST` and `SIM_SEEDS` choose; a failing seed prints itself, its story and how to run it again.
Seeds run in a process of their own with a fixed hash seed: the order of sets is a part of a course.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.mutants import MUTANTS

FIRST = int(os.environ.get("SIM_FIRST", "0"))
SEEDS = int(os.environ.get("SIM_SEEDS", "2000"))
PARTS = 4
MUTANT_SEEDS = 5000
ROOT = Path(__file__).parents[2]

RARE = {
    "reads_of_any_watermark": "one seed in 100,000; test_found.py: a rival's commit must be"
    " read, and forgotten by Redis, before ours",
    "relay_not_reloaded_when_taking_over": "test_found.py: a rival must commit in the few"
    " milliseconds between the relay's first look and ours, and nobody be overtaken later",
    "gap_asked_for_once_only": "test_found.py: Redis must go back to one watermark twice, the"
    " second time with a batch on its way",
    "visit_skips_when_it_goes_on": "process/test_visits.py: a visit must be cut off between"
    " commits where what was visited first is due later than what was not",
    "handed_over_is_not_ruled": "process/test_visits.py: a merge must hand a wait over from where"
    " a change was not taken yet to where it was",
    "barrier_ends_a_round_too_early": "process/test_barrier.py: the very last hop of a way must be"
    " the one that a decision hangs on, and be late",
    "later_versions_know_no_cancel": "one seed in 10,000; process/test_open_waits.py: a start must"
    " come late, and a version between its cancel and it",
    "overtaken_is_ignored": "what was refused is what the other owner has committed, so the same"
    " comes of it, until the audit goes back; process/test_again.py",
    "offered_is_due": "domain/test_offers.py: a tick must meet a device between an offer and its"
    " answer, and what it waits for be due by then",
    "newest_is_decided_first": "process/test_again.py: what one tick does not decide is decided by"
    " the next ones, so the same comes out, a little later",
    "erasure_forgets_cases": "process/test_against_oracle.py, case `20-erasure: and a wait that"
    " ended as erased stays ended for the starts of others`: its step is judged by who is erased",
    "pause_keeps_what_it_held": "process/test_pause.py: an attempt must meet a pause at its"
    " address, and the resume come before its best-before",
}
"""Mutants that so many seeds do not find, and what does."""


def simulate(first: int, seeds: int, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.simulation", "--first", str(first)]
    return subprocess.run(
        [*command, "--seeds", str(seeds), *more],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_seeds_end_as_the_rules_say(part: int) -> None:
    begin, end = (FIRST + SEEDS * each // PARTS for each in (part, part + 1))
    if begin == end:
        pytest.skip("fewer seeds than parts")

    done = simulate(begin, end - begin)

    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)


def test_a_seed_takes_the_same_course_again() -> None:
    one, other = (simulate(7, 3, "--trace").stdout.rpartition("; faults")[0] for _ in range(2))

    assert "simulated hours" in one
    assert one == other


@pytest.mark.parametrize("name", MUTANTS)
def test_what_a_mutant_replaces_is_there(name: str) -> None:
    with MUTANTS[name]():
        pass


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [name for name in MUTANTS if name not in RARE])
def test_a_product_broken_on_purpose_is_found(name: str) -> None:
    done = simulate(0, MUTANT_SEEDS, "--mutant", name)

    seeds, found, _ = done.stdout.rpartition(" seeds, 1 failed")
    assert found, f"{name} was not found: {done.stderr}"
    print(f"{name}: {seeds.rpartition(chr(10))[2]} seeds: {done.stdout.partition(chr(10))[0]}")
