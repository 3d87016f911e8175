"""How many workers, partitions, Redis primaries and brokers' cores a rate needs.

    python -m tests.bench.sizing --worker-cpu 134 --broker-cpu 60 --redis-cpu 12 ...

From unit costs that the other benchmarks measure: CPU seconds per million raw events of each part
(`make bench`), of the fold that one partition does one after the other (`python -m
tests.bench.fold`), bytes in Redis (`make memory`) and in the topics (`make bench ARGS=catchup`).
Whatever is single-threaded is to be busy for at
most `--busy` of the time: a worker process (one core), a Redis primary (one core; partitions are
spread over primaries), a partition (its records are folded one after the other, by one worker).
The state is that of `--people` contacts and `--waits` open waits for each event a second.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

RATES: Final = (1_000, 10_000, 100_000, 1_000_000)
DAY: Final = 86_400
PER_WORKER: Final = 4
"""Partitions for each worker at least: what one loses the others can share evenly."""
LEAST: Final = 8
"""Partitions that nobody is sorry for."""
HEAD: Final = (
    *("events/s", "workers (a core each)", "partitions", "Redis primaries", "Redis memory"),
    *("broker cores", "Kafka a day, each copy", "full first (busy)"),
)


@dataclass(frozen=True)
class Costs:
    """CPU in seconds per million raw events, sizes in bytes."""

    worker_cpu: float
    broker_cpu: float
    redis_cpu: float
    fold_cpu: float
    """Of the records of one partition: as long as they take one after the other."""
    contact: float = 1900.0
    wait: float = 600.0
    message: float = 32.0
    """Of a messageId, kept for a day."""
    log: float = 1200.0
    """In all topics, of one raw event."""
    people: float = 1000.0
    """Contacts for each event a second."""
    waits: float = 100.0
    """Open waits for each event a second."""
    busy: float = 0.6
    """The share of the time for which a single-threaded part may be busy."""

    @classmethod
    def read(cls, words: Sequence[str] | None = None) -> Self:
        """Of a command line; ends the program, as argparse does, where it is wrong."""
        parser = argparse.ArgumentParser(
            prog="python -m tests.bench.sizing",
            description=__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for field in fields(cls):
            name, required = f"--{field.name.replace('_', '-')}", field.name.endswith("_cpu")
            default = None if required else field.default
            parser.add_argument(name, type=float, required=required, default=default)
        return cls(**vars(parser.parse_args(words)))


@dataclass(frozen=True)
class Size:
    """What a rate needs."""

    workers: int
    partitions: int
    primaries: int
    broker_cores: int
    memory: float
    """GiB of all primaries."""
    disk: float
    """GiB a day of each copy that Kafka keeps."""
    busy: dict[str, float]
    """How busy each part is then."""

    @property
    def first(self) -> str:
        """The part that is full first as the rate grows."""
        return max(self.busy, key=self.busy.__getitem__)


def size(costs: Costs, rate: int) -> Size:
    """For so many events a second."""

    def needed(cpu: float) -> int:
        return max(1, math.ceil(cpu * rate / 1e6 / costs.busy))

    workers, primaries = needed(costs.worker_cpu), needed(costs.redis_cpu)
    brokers = needed(costs.broker_cpu)
    partitions = max(LEAST, PER_WORKER * workers, needed(costs.fold_cpu))
    partitions = 1 << (partitions - 1).bit_length()
    kept = costs.people * costs.contact + costs.waits * costs.wait + DAY * costs.message
    return Size(
        workers=workers,
        partitions=partitions,
        primaries=primaries,
        broker_cores=brokers,
        memory=rate * kept / 2**30,
        disk=rate * DAY * costs.log / 2**30,
        busy={
            "workers": costs.worker_cpu * rate / 1e6 / workers,
            "partitions": costs.fold_cpu * rate / 1e6 / partitions,
            "Redis": costs.redis_cpu * rate / 1e6 / primaries,
            "brokers": costs.broker_cpu * rate / 1e6 / brokers,
        },
    )


def limits(costs: Costs) -> dict[str, float]:
    """Events a second of one of each when it has no time left, the least first."""
    found = {
        "a worker process": 1e6 / costs.worker_cpu,
        "a partition": 1e6 / costs.fold_cpu,
        "a broker's core": 1e6 / costs.broker_cpu,
        "a Redis primary": 1e6 / costs.redis_cpu,
    }
    return dict(sorted(found.items(), key=lambda item: item[1]))


def table(costs: Costs) -> str:
    """As README has it."""
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    for rate in RATES:
        at = size(costs, rate)
        lines.append(
            _line(
                [
                    f"{rate:,}",
                    f"{at.workers:,}",
                    f"{at.partitions:,}",
                    f"{at.primaries:,}",
                    _gib(at.memory),
                    f"{at.broker_cores:,}",
                    _gib(at.disk),
                    f"{at.first} ({at.busy[at.first]:.0%})",
                ]
            )
        )
    full = ", ".join(f"{what} {rate:,.0f}" for what, rate in limits(costs).items())
    return "\n".join([*lines, "", f"Full at so many events a second: {full}."])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _gib(gib: float) -> str:
    return f"{gib:,.1f} GiB" if gib < 1024 else f"{gib / 1024:,.1f} TiB"


if __name__ == "__main__":
    print(table(Costs.read()))
