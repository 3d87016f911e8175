"""Many seeds in several processes: `python -m tests.simulation --seeds 100000`.

A failing seed prints its story and the command that runs it again. Exit status 1 where one failed.
"""

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

from tests.simulation.mutants import MUTANTS
from tests.simulation.run import Failed, Outcome, run

STORIES = 3
CHUNK = 125


@dataclass
class Summary:
    """Of many seeds."""

    seeds: int = 0
    hours: float = 0.0
    steps: int = 0
    raw: int = 0
    triggers: int = 0
    retractions: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    stories: dict[int, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.hours += outcome.hours
        self.steps += outcome.steps
        self.raw += outcome.raw
        self.triggers += outcome.triggers
        self.retractions += outcome.retractions
        self.faults += outcome.faults

    def join(self, other: "Summary") -> None:
        for name in ("seeds", "hours", "steps", "raw", "triggers", "retractions"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults += other.faults
        self.stories |= other.stories

    def line(self, seconds: float) -> str:
        faults = ", ".join(f"{name} {count:,}" for name, count in self.faults.most_common())
        return (
            f"{self.seeds:,} seeds, {len(self.stories)} failed; {self.hours:,.0f} simulated hours,"
            f" {self.raw:,} raw records, {self.triggers:,} triggers, {self.retractions:,}"
            f" retractions, {self.steps:,} steps; faults: {faults};"
            f" {seconds:.0f} s, {self.seeds / max(seconds, 0.001):.0f} seeds/s"
        )


def chunk(
    seeds: range, mutant: str | None = None, most: int = STORIES, trace: bool = False
) -> Summary:
    """Run these; stop at `most` failures. `trace` prints what happened also where all is well."""
    summary = Summary()
    gc.collect()  # what is frozen is never freed: only what lasts may be
    gc.freeze()
    with MUTANTS[mutant]() if mutant else nullcontext():
        for seed in seeds:
            try:
                outcome = run(seed)
                summary.add(outcome)
                if trace:
                    print(outcome.story(), end="\n\n")
            except Failed as failed:
                summary.seeds += 1
                summary.stories[seed] = str(failed)
            if len(summary.stories) >= most:
                break
    return summary


def main(args: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="break the product on purpose")
    parser.add_argument("--trace", action="store_true", help="print what happened in any case")
    given = parser.parse_args(args)
    began = time.monotonic()
    end = given.first + given.seeds
    if given.mutant or given.trace or given.seeds <= CHUNK or given.processes == 1:
        most = 1 if given.mutant else STORIES
        total = chunk(range(given.first, end), given.mutant, most, given.trace)
        tell(total)
    else:
        total = spread(range(given.first, end), given.processes)
    print(total.line(time.monotonic() - began))
    return 1 if total.stories else 0


def tell(summary: Summary) -> None:
    """The stories of some failures."""
    for seed in sorted(summary.stories)[:STORIES]:
        print(summary.stories[seed], end="\n\n", flush=True)


def spread(seeds: range, processes: int) -> Summary:
    """In several processes."""
    total = Summary()
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(processes) as pool:
        for done, part in enumerate(pool.map(chunk, chunks), 1):
            if len(total.stories) < STORIES:
                tell(part)
            total.join(part)
            if done % 80 == 0:
                print(f"{total.seeds:,} seeds, {len(total.stories)} failed", flush=True)
    return total


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is a part of a seed's course
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
