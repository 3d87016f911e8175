"""`make bench`: this pipeline and its peers at one job, on one broker, each with an empty Redis.

    python -m tests.bench [throughput] [--events N] [--runs N] [--systems ours,faust,...]
    python -m tests.bench latency [--rate EVENTS_A_SECOND] [--seconds N]
    python -m tests.bench flat [--contacts 0,100000,1000000] [--events N]

Throughput is catch-up: see `backlog.py`. Results are checked before any figure is printed.
"""

import asyncio
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

from pipeline.local import LocalError
from tests.bench import flat, latency
from tests.bench.arguments import read_arguments
from tests.bench.backlog import Figures, WrongResult, drained, last_words
from tests.bench.generator import Load, Pace, make
from tests.bench.report import header, ratios, table
from tests.bench.stage import Stage, run_of, staged
from tests.bench.systems import BENCH_PYTHON, OURS, SYSTEMS, System

SPAN = 600.0
"""Seconds of event time over which people of a backlog come."""


def backlog(events: int) -> Load:
    """A load whose last deadline has just passed."""
    pace = Pace(0, SPAN)
    age = pace.length + pace.wait + 5.0
    return make(events, Pace(int((time.time() - age) * 1000), SPAN))


def patience(events: int) -> float:
    """Seconds after which a run is given up: slower than that is no result."""
    return 60.0 + events / 200


async def throughput(stage: Stage, systems: list[System], events: int, runs: int) -> bool:
    """All systems in turn, so often; tells whether every result was right."""
    results: dict[System, list[Figures]] = {system: [] for system in systems}
    load, right = backlog(events), True
    print(header(systems, load, runs))
    for nth in range(runs):
        for system in systems:
            figures = await once(stage, system, nth, round(events * system.share))
            right &= figures is not None
            if figures is not None:
                results[system].append(figures)
    print(f"\n{table(results)}\n\n{ratios(results)}")
    return right


async def once(stage: Stage, system: System, nth: int, events: int) -> Figures | None:
    """One run; None where its result was wrong, which is told."""
    async with run_of(stage, system, nth) as run:
        try:
            figures = await drained(run, backlog(events), seconds=patience(events))
        except WrongResult as wrong:
            print(f"run {nth + 1}, {system.title}: WRONG RESULT, no figure: {wrong}")
            for worker, words in last_words(run).items():
                print(f"  {worker}: {words}", file=sys.stderr)
            return None
    print(f"run {nth + 1}, {system.title}: {figures.rate:,.0f} events/s", flush=True)
    return figures


async def delays(stage: Stage, rate: float | None, events: int, seconds: int) -> bool:
    """Latency at shares of a rate, which is measured first where none is given."""
    if rate is None:
        measured = [await once(stage, OURS, nth, events) for nth in range(3)]
        rates = [figures.rate for figures in measured if figures]
        if not rates:
            return False
        rate = statistics.median(rates)
    print(f"\nsustained: {rate:,.0f} events/s; {seconds} s at each share of it")
    async with run_of(stage, OURS, 9, wait=latency.WAIT) as run:
        try:
            async for line in latency.measure(run, rate, seconds):
                print(line, flush=True)
        except WrongResult as wrong:
            print(f"WRONG RESULT, no figure: {wrong}")
            return False
    return True


async def flatness(stage: Stage, contacts: list[int], events: int) -> bool:
    """The same load on states of different sizes."""
    print(f"{'contacts, open waits':>20}{'events/s':>10}{'worker CPU s/M':>16}", end="")
    print(f"{'Redis CPU s/M':>15}{'workers MiB':>13}{'Redis MiB':>11}")
    for nth, people in enumerate(contacts):
        async with run_of(stage, OURS, nth) as run:
            try:
                figures = await flat.loaded(run, people, backlog(events), patience(events))
            except WrongResult as wrong:
                print(f"{people:>20,}  WRONG RESULT, no figure: {wrong}")
                return False
        print(
            f"{people:>20,}{figures.rate:>10,.0f}{figures.cpu['workers']:>16.1f}"
            f"{figures.cpu['redis']:>15.1f}{figures.memory['workers']:>13.0f}"
            f"{figures.memory['redis']:>11.0f}",
            flush=True,
        )
    return True


async def main() -> int:
    """Exit status: 0 if every result was right."""
    given = read_arguments(__doc__)
    if not BENCH_PYTHON.exists():
        sys.exit("bench: what sends the load is not installed in .cache/bench: run `make bench`")
    systems = []
    for system in SYSTEMS:
        if system.name not in given.systems:
            continue
        if missing := system.missing():
            print(f"{system.title}: left out: {missing}")
            continue
        systems.append(system)
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as folder:
        async with staged(Path(folder)) as stage:
            if given.mode == "latency":
                right = await delays(stage, given.rate, given.events, given.seconds)
            elif given.mode == "flat":
                right = await flatness(stage, given.contacts, given.events)
            else:
                right = await throughput(stage, systems, given.events, given.runs)
    return 0 if right else 1


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics that are new have no leader
    try:
        sys.exit(asyncio.run(main()))
    except LocalError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
