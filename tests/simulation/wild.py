"""Histories on the margin: what arrives does so at the very instants at which things are due.

They are the nasty ones that the oracle's own tests use: few ids, ties, late and repeated events,
erasures. What must come out depends on which is first, so that only what always holds is judged.
"""

from random import Random

from pipeline.domain.times import SECOND
from pipeline.rulebook.cases import Erase, case_of
from tests.oracle.generate import generate
from tests.simulation.history import BEGIN, HALF, Arrival, History

CASES = 250
"""So many take turns, under ever other faults: compiling rulebooks is slow."""
EARLY = 6
"""Lattice steps that the generator's first events are before its base."""
AFTERWARDS = 14
"""Lattice steps after the last arrival."""


def make(seed: int, raw_partitions: int) -> History:
    rng = Random(f"wild:{seed}")
    rulebook, case = generate(seed % CASES, rng.choice(["everything", "identity"]))
    history = History(rulebook, begin=BEGIN - EARLY * HALF, exact=False)
    for step in case_of(case).arrivals:
        half, rest = divmod(step.at - history.begin, HALF)
        assert not rest, "the generator has another lattice"
        # just before or after what is due at this instant
        after = rng.choice([-SECOND, -50, -5, -1, 0, 0, 1, 100, SECOND, 20 * SECOND])
        arrivals = history.halves.setdefault(half, [])
        if isinstance(step, Erase):
            arrivals.append(Arrival(after, 0, None, erase=step.id))
        else:
            arrivals.append(Arrival(after, rng.randrange(raw_partitions), step.value))
    history.length = max(history.halves) + AFTERWARDS
    return history
