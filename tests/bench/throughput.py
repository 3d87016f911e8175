"""Throughput: this pipeline and its peers at one job, in catch-up, interleaved.

Every system drains the same backlog of raw events with two worker processes, on one real Kafka,
each with an empty Redis with appendfsync always. Time runs from the first byte that a system
writes until a reader with read_committed has the last trigger, contact and opt-in; results are
held against what must come before any figure is printed. CPU seconds are of all processes of a
part, from /proc, for a million raw events.
"""

import sys
from argparse import Namespace
from collections.abc import Iterable
from typing import Final

from tests.bench.backlog import Figures, backlog, drained, patience
from tests.bench.driving import WrongResult, last_words
from tests.bench.generator import Load
from tests.bench.job import PARTITIONS, WORKERS
from tests.bench.report import header, ratios, table
from tests.bench.stage import Stage, run_of
from tests.bench.systems import OURS, SYSTEMS, System

WARM_UP: Final = -1
"""The number of the run that does not count."""


async def main(stage: Stage, given: Namespace) -> bool:
    """All systems in turn, so often; tells whether every result was right."""
    results: dict[System, list[Figures]] = {system: [] for system in _there(given.systems)}
    events, right = given.events or 300_000, True
    print(header(results, backlog(events), given.runs))
    for nth in range(given.runs):
        for system, found in results.items():
            figures = await once(stage, system, nth, round(events * system.share))
            right &= figures is not None
            if figures is not None:
                found.append(figures)
    print(f"\n{table(results)}\n\n{ratios(results)}")
    return right


def _there(names: Iterable[str]) -> list[System]:
    chosen = [system for system in SYSTEMS if system.name in names]
    for system in chosen:
        if missing := system.missing():
            print(f"{system.title}: left out: {missing}")
    return [system for system in chosen if not system.missing()]


def _called(nth: int) -> str:
    return "warm-up" if nth == WARM_UP else f"run {nth + 1}"


async def once(
    stage: Stage,
    system: System,
    nth: int,
    events: int,
    *,
    loads: Iterable[Load] | None = None,
    count: int = WORKERS,
    partitions: int = PARTITIONS,
    cluster: bool = False,
) -> Figures | None:
    """One run, of `loads` where given; None where its result was wrong, which is told."""
    async with run_of(stage, system, nth, partitions=partitions, cluster=cluster) as run:
        try:
            figures = await drained(run, loads or [backlog(events)], patience(events), count)
        except WrongResult as wrong:
            print(f"{_called(nth)}, {system.title}: WRONG RESULT, no figure: {wrong}")
            for worker, words in last_words(run).items():
                print(f"  {worker}: {words}", file=sys.stderr)
            return None
    print(f"{_called(nth)}, {system.title}: {figures.rate:,.0f} events/s", flush=True)
    return figures


async def warm_up(stage: Stage, events: int) -> bool:
    """A run that does not count: in the first minute of its use the broker compiles its own code,
    on the cores that all share (measured: a third run had 1.3 times the rate of the first). Tells
    whether its result was right."""
    return await once(stage, OURS, WARM_UP, events) is not None


async def catchup_rate(stage: Stage, events: int) -> float | None:
    """Our rate in catch-up, the median of three runs; None where a result was wrong."""
    measured = [await once(stage, OURS, nth, events) for nth in range(3)]
    rates = sorted(figures.rate for figures in measured if figures)
    return rates[1] if len(rates) == len(measured) else None
