"""Catch-up: a long backlog at the full rate, and a storm of deadlines that passed in an outage.

*Backlog*: so many events of new people are in the raw topic before two workers start; rate, CPU
and the workers' memory until a reader has everything. How memory grows is the slope of the second
half of the run; it levels off once the cache of entities is full (50,000 a worker: half a million
events). Redis' memory is its state and the outboxes: what is decided and not published yet.
*Storm*: workers take people with an open wait and are stopped before any deadline; when all have
passed two workers start again, and from the same moment calls of new people are sent at 30 % of
the backlog's rate (intended times, as in `latency`). Counted are the time from the first byte to
the last trigger of the storm as a reader has it; the calls of the new people whose contacts a
reader got meanwhile, and how late those were: an input that starves is late by the whole storm;
and the largest commit, by the keys it names and by its time in Redis, from Redis' slow log.
"""

from argparse import Namespace
from collections.abc import Iterator
from typing import Final

from tests.bench.backlog import SPAN, Figures, backlog
from tests.bench.driving import WrongResult
from tests.bench.figures import aligned, sampled, settled_part, slope
from tests.bench.generator import Load
from tests.bench.holding import WAIT
from tests.bench.stage import Stage, run_of
from tests.bench.storm import storm
from tests.bench.systems import OURS
from tests.bench.throughput import once

CHUNK: Final = 100_000
"""Events in one go: bounds the memory of the benchmark itself."""
SHOWN: Final = 10
SHARE: Final = 0.3
"""Of the backlog's rate, for the calls during the storm."""


async def main(stage: Stage, given: Namespace) -> bool:
    """Both; tells whether every result was right."""
    events = given.events or 1_000_000
    figures = await once(stage, OURS, 0, events, loads=_backlog(events))
    if figures is None:
        return False
    print(f"\n{told(figures, events)}\n", flush=True)
    async with run_of(stage, OURS, 1, wait=WAIT) as run:
        try:
            print(await storm(run, given.storm, given.rate or figures.rate * SHARE))
        except WrongResult as wrong:
            print(f"WRONG RESULT, no figure: {wrong}")
            return False
    return True


def _backlog(events: int) -> Iterator[Load]:
    """Chunks that follow each other in event time, as dense as a backlog of 300,000 is."""
    count = -(-events // CHUNK)
    span, first = SPAN * min(events, CHUNK) / 300_000, 0
    for nth in range(count):
        size = min(CHUNK, events - nth * CHUNK)
        load = backlog(size, first, span, ago=(count - nth - 1) * span)
        first += len(load.contacts)
        yield load


def told(figures: Figures, events: int) -> str:
    """The backlog's figures."""
    late = settled_part(figures.resident)
    grows = slope(late)
    rows = [
        ("events/s", f"{figures.rate:,.0f}"),
        ("worker CPU s per million events", f"{figures.cpu['workers']:.1f}"),
        ("broker CPU s per million events", f"{figures.cpu['broker']:.1f}"),
        ("Redis CPU s per million events", f"{figures.cpu['redis']:.1f}"),
        ("bytes in all topics for each event", f"{figures.logged:,.0f}"),
        ("Redis' memory at its highest, MiB", f"{figures.memory['redis']:,.0f}"),
        ("workers' memory at its highest, MiB", f"{figures.memory['workers']:,.0f}"),
        ("it grows in the second half, MiB a minute", f"{grows * 60:+,.1f}"),
        ("  MiB per million events", f"{grows / figures.rate * 1e6:+,.1f}"),
    ]
    series = " ".join(f"{mib:,.0f}" for mib in sampled(figures.resident, SHOWN))
    return f"{events:,} events\n{aligned(rows)}\nMiB over time: {series}"
