"""Latency: from outside to outside, how long after it could be known can a reader read it?

Calls are sent at intended times by a process of its own, at 10, 50 and 80 % of the highest rate
that is held (or of a given one); a reader with read_committed notes when it could read a trigger or
a contact. A rate is held where contacts do not take longer and longer: by less than 20 ms from one
second to the next (`drift`). It is looked for from the rate of catch-up downwards.

A trigger counts from its deadline, or from the intended time of the last relevant event where the
deadline had passed by then; a contact from the intended time of the identify call that makes it.
A sender or a system that falls behind makes these longer, never invisible. Only what could be there
while the rate was held counts, not what came while the load set in or ran out. Sender and reader
run on the same cores. Percentiles that so few values can't tell are left out.
"""

from argparse import Namespace
from dataclasses import dataclass, field
from typing import Final

from tests.bench.driving import WrongResult, put_in_force, workers
from tests.bench.expected import faults
from tests.bench.figures import PERCENTILES, aligned, percentile, slope
from tests.bench.generator import Load
from tests.bench.holding import WAIT, WARM_UP, Arrivals, Held, Latency, held
from tests.bench.outcome import Outcome, following, read
from tests.bench.stage import Run, Stage, run_of
from tests.bench.systems import OURS
from tests.bench.throughput import catchup_rate

SHARES: Final = (0.1, 0.5, 0.8)
GROWTH: Final = 0.02
"""Seconds that contacts take longer from one second to the next, at a rate that is not held any
more: "without a continuously increasing event-time latency" (Karimov et al., Benchmarking
Distributed Stream Data Processing Systems, ICDE 2018)."""
STEP: Final = 0.85
"""From a rate that is not held to the next."""

TITLES: Final = {
    "deadline": "deadline to trigger",
    "event": "last event to trigger",
    "contact": "event to contact",
}
HEAD: Final = ["ms", "n", *PERCENTILES, "most", "drift ms/s"]


async def main(stage: Stage, given: Namespace) -> bool:
    """At shares of the rate; tells whether every result was right."""
    fastest = given.rate or await catchup_rate(stage, given.events or 300_000)
    if fastest is None:
        return False
    async with run_of(stage, OURS, 9, wait=WAIT) as run:
        try:
            await put_in_force(run)
            arrivals = Arrivals(run)
            async with workers(run), following(run, arrivals.take, wait_ms=20):
                measuring = Measuring(run, arrivals)
                await measuring.at(WARM_UP / 5, 5.0)
                rate = given.rate or await sustainable(measuring, fastest, given.seconds)
                await shares(measuring, rate, given.seconds)
        except WrongResult as wrong:
            print(f"WRONG RESULT, no figure: {wrong}")
            return False
    return True


@dataclass
class Measuring:
    """Rates that are held one after the other, by the same workers."""

    run: Run
    arrivals: Arrivals
    _outcome: Outcome = field(default_factory=Outcome)
    _loads: list[Load] = field(default_factory=list)

    async def at(self, rate: float, seconds: float) -> Held:
        """How this rate was held. Raises `WrongResult`."""
        found = await held(self.run, self.arrivals, self._loads, rate, seconds)
        if wrong := faults((await read(self.run, self._outcome)).found, self._loads):
            raise WrongResult("; ".join(wrong))
        return found


async def sustainable(measuring: Measuring, fastest: float, seconds: float) -> float:
    """The highest rate that is held, from this one downwards."""
    rate = fastest
    while (growth := (await measuring.at(rate, seconds)).growth) >= GROWTH:
        print(f"{rate:,.0f} events/s are not held: {growth * 1000:+.1f} ms/s", flush=True)
        rate *= STEP
    print(f"{rate:,.0f} events/s are held: {growth * 1000:+.1f} ms/s", flush=True)
    return rate


async def shares(measuring: Measuring, rate: float, seconds: float) -> None:
    """Print a table for each."""
    print(f"100 % are {rate:,.0f} events/s; {seconds} s at each share of it")
    for share in SHARES:
        found = await measuring.at(rate * share, seconds)
        title = f"{rate * share:,.0f} events/s ({share:.0%})"
        print(f"\n{title}, calls sent at most {found.late} ms late")
        rows = [row(TITLES[what], found.latencies[what]) for what in TITLES]
        print(aligned([HEAD, *rows]), flush=True)


def row(title: str, found: list[Latency]) -> list[str]:
    """Of the table: percentiles, the most, and how they drift."""
    if not found:
        return [title, "0", *([""] * (len(HEAD) - 2))]
    ordered = sorted(late for _, late in found)
    told = [percentile(ordered, share) for share in PERCENTILES.values()]
    return [
        title,
        f"{len(found):,}",
        *("" if value is None else f"{value * 1000:,.0f}" for value in told),
        f"{ordered[-1] * 1000:,.0f}",
        f"{slope(found) * 1000:+.1f}",
    ]
