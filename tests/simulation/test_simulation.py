"""The production processes on a simulated world: every seed ends as the rules say.

`SIM_FIRST` and `SIM_SEEDS` choose; a failing seed prints itself, its story and how to replay it.
"""

import os

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.run import Failed, run

FIRST = int(os.environ.get("SIM_FIRST", "0"))
SEEDS = int(os.environ.get("SIM_SEEDS", "2000"))
PARTS = 6

RARE = {
    "tick_trusts_the_clock": "one seed in some thousands; tests/process/test_poison.py finds it",
    "relay_not_reloaded_when_taking_over": "no seed has met it yet: two owners must commit between"
    " the watermark and the outboxes being read",
}
"""Mutants that 2,000 seeds do not find."""


@pytest.mark.parametrize("part", range(PARTS))
def test_seeds(part: int) -> None:
    for seed in range(FIRST + part, FIRST + SEEDS, PARTS):
        run(seed)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", [name for name in MUTANTS if name not in RARE])
def test_a_product_broken_on_purpose_is_found(name: str) -> None:
    with MUTANTS[name]():
        for seed in range(2000):
            try:
                run(seed)
            except Failed:
                print(f"{name}: found by seed {seed}")
                return
    pytest.fail(f"{name} was not found")
