"""Scale-out: the same backlog with 1, 2, 4 workers, and with more and more partitions.

All of it on one broker and one Redis on the cores named, so that more workers than cores share
them: rates then tell of the machine, CPU seconds per million events of what a further worker or
partition costs. `each` is the CPU of every worker for a million events of the whole: the more
alike, the better the partitions spread the work. `servers` are those of Redis: with `--cluster`
also a Redis Cluster of three, beside one server with as many partitions. Results are checked as in
throughput.
"""

from argparse import Namespace
from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.backlog import Figures
from tests.bench.figures import aligned
from tests.bench.job import PARTITIONS, WORKERS
from tests.bench.report import cores
from tests.bench.stage import Stage
from tests.bench.systems import OURS
from tests.bench.throughput import once

HEAD = [
    "workers",
    "partitions",
    "servers",
    "events/s",
    "CPU s/M: workers",
    "broker",
    "Redis",
    "MiB",
]
SPREAD = 32
"""Partitions on a cluster: enough for three servers."""


class Shape(NamedTuple):
    """What a run has of each."""

    workers: int
    partitions: int
    servers: int = 1


async def main(stage: Stage, given: Namespace) -> bool:
    """Each shape in turn; tells whether every result was right."""
    events = given.events or 200_000
    rows, right = [[*HEAD, "each"]], True
    for nth, shape in enumerate(shapes(given.workers, given.partitions, cluster=given.cluster)):
        figures = await once(
            stage,
            OURS,
            nth,
            events,
            count=shape.workers,
            partitions=shape.partitions,
            cluster=shape.servers > 1,
        )
        if figures is None:
            right = False
        else:
            rows.append(row(shape, figures))
    print(f"\n{events:,} events on {cores()}\n{aligned(rows)}")
    return right


def shapes(workers: Sequence[int], partitions: Sequence[int], *, cluster: bool) -> list[Shape]:
    """All that are to be measured, each once."""
    wanted = [Shape(count, PARTITIONS) for count in workers]
    wanted += [Shape(WORKERS, count) for count in partitions]
    if cluster:
        wanted += [Shape(WORKERS, SPREAD), Shape(WORKERS, SPREAD, servers=3)]
    return list(dict.fromkeys(wanted))


def row(shape: Shape, figures: Figures) -> list[str]:
    """Of the table."""
    return [
        *(str(number) for number in shape),
        f"{figures.rate:,.0f}",
        f"{figures.cpu['workers']:.1f}",
        f"{figures.cpu['broker']:.1f}",
        f"{figures.cpu['redis']:.1f}",
        f"{figures.memory['workers']:,.0f}",
        "/".join(f"{spent:.0f}" for spent in figures.each),
    ]
