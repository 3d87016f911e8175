"""Each way of breaking the product on purpose is found: by some seeds, or by a test that is named.

`--mutant` of the simulation breaks it, and `MUTANT` in the environment of any test.
"""

import os
import subprocess
import sys

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.test_simulation import ROOT, simulate

SEEDS = 5000

RARE = {
    # one seed in 100,000: a rival's commit must be read, and forgotten by Redis, before ours
    "reads_of_any_watermark": "simulation/test_found.py",
    # a rival must commit in the few milliseconds between the relay's first look and ours, and
    # nobody be overtaken later
    "relay_not_reloaded_when_taking_over": "simulation/test_found.py",
    # Redis must go back to one watermark twice, the second time with a batch on its way
    "gap_asked_for_once_only": "simulation/test_found.py",
    # a visit must be cut off between commits where what was visited first is due later than what
    # was not
    "visit_skips_when_it_goes_on": "process/test_visits.py",
    # a merge must hand a wait over from where a change was not taken yet to where it was
    "handed_over_is_not_ruled": "process/test_visits.py",
    # what is late in one raw partition alone must be what a decision hangs on
    "barrier_sees_one_raw_partition": "process/test_barrier.py",
    # the very last hop of a way must be the one that a decision hangs on, and be late
    "barrier_ends_a_round_too_early": "process/test_barrier.py",
    # one seed in 10,000: a start must come late, and a version between its cancel and it
    "later_versions_know_no_cancel": "process/test_open_waits.py",
    # what was refused is what the other owner has committed, so the same comes of it, until the
    # audit goes back
    "overtaken_is_ignored": "process/test_again.py",
    # a tick must meet a device between an offer and its answer, and what it waits for be due by
    # then
    "offered_is_due": "domain/test_offers.py",
    # what one tick does not decide is decided by the next ones: the same, a little later
    "newest_is_decided_first": "process/test_again.py",
    # what one tick does not decide is decided by the next ones: the same, a little later
    "tick_ends_after_the_first_commit": "process/test_again.py",
    # case `20-erasure: and a wait that ended as erased stays ended for the starts of others`: its
    # step is judged by who is erased
    "erasure_forgets_cases": "process/test_against_oracle.py",
    # one seed in 30,000; case `20-erasure: an opt-out stays that an opt-in had won over`
    "overruled_opt_outs_are_forgotten": "process/test_against_oracle.py",
    # one seed in 6,000; case `13-opt-in-events: an opt-in event of a device goes on waiting ...`
    "waiting_opt_ins_lost_on_merge": "process/test_against_oracle.py",
    # an attempt must meet a pause at its address, and the resume come before its best-before
    "pause_keeps_what_it_held": "process/test_pause.py",
    # what comes twice is passed over, and what came before it is missed as a lost batch is
    "fetched_before_a_seek_is_delivered": "worker/test_transport_ledger.py",
    # the same, where a batch waits in its lane
    "stale_batches_handled": "worker/test_transport_ledger.py",
    # a lane ends its batches in order; the ledger does not rely on it
    "any_batch_done_is_safe": "worker/test_transport_ledger.py",
}
"""Mutants that so many seeds do not find, why, and which test does."""


@pytest.mark.parametrize("name", MUTANTS)
def test_what_a_mutant_replaces_is_there(name: str) -> None:
    with MUTANTS[name]():
        pass


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [name for name in MUTANTS if name not in RARE])
def test_a_product_broken_on_purpose_is_found_by_some_seeds(name: str) -> None:
    done = simulate(0, SEEDS, "--mutant", name)

    seeds, found, _ = done.stdout.rpartition(" seeds, 1 failed")
    assert found, f"{name} was not found: {done.stderr}"
    print(f"{name}: {seeds.rpartition(chr(10))[2]} seeds: {done.stdout.partition(chr(10))[0]}")


@pytest.mark.slow
@pytest.mark.parametrize("name", RARE)
def test_a_product_broken_in_a_rare_way_is_found_by_a_test(name: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", f"tests/{RARE[name]}"]

    whole, broken = (
        subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | mutant,
            capture_output=True,
            text=True,
            check=False,
        )
        for mutant in ({}, {"MUTANT": name})
    )

    assert whole.returncode == 0, whole.stdout
    assert broken.returncode == 1, broken.stdout
    print(f"{name}: {broken.stdout.rpartition('FAILED ')[2].partition(chr(10))[0]}")
