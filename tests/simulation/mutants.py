"""The product broken on purpose, in this process only: what the simulation is good for.

Each mutant is a context manager that replaces a few methods. `test_simulation.py` shows which are
found; a promise of README hangs on each.
"""

from tests.simulation import (
    mutants_changing,
    mutants_deciding,
    mutants_holding,
    mutants_joining,
    mutants_keeping,
    mutants_publishing,
    mutants_rules,
    mutants_taking,
)
from tests.simulation.mutant import MUTANTS

__all__ = [
    "MUTANTS",
    "mutants_changing",
    "mutants_deciding",
    "mutants_holding",
    "mutants_joining",
    "mutants_keeping",
    "mutants_publishing",
    "mutants_rules",
    "mutants_taking",
]
