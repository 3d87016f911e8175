"""`make bench`: what this pipeline costs and how fast it is, on a real Kafka and a real Redis.

    throughput   beside its peers at one job, in catch-up      --events --runs --systems
    latency      from intended send times to a reader          --rate --seconds --events
    flat         on states up to a million open waits          --contacts --events --runs
    catchup      a long backlog, and a storm of deadlines      --events --storm
    scale        1, 2, 4 workers; 8, 32, 128 partitions        --workers --partitions --cluster
    profile      where a worker's time goes                    --events --rate --seconds
    guard        fold and decode beside a calibration, for CI  --store

Each but the guard says first what it measures and how, and begins with a run that does not count:
the broker compiles its own code meanwhile. Results are checked before any figure is
printed.
"""

import asyncio
import logging
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from pipeline.local import LocalError
from tests.bench import catchup, flat, guard, latency, profiling, scale, throughput
from tests.bench.arguments import read_arguments
from tests.bench.stage import staged
from tests.bench.systems import BENCH_PYTHON

STAGED = {
    "throughput": throughput,
    "latency": latency,
    "flat": flat,
    "catchup": catchup,
    "scale": scale,
    "profile": profiling,
}
"""Modes that need a broker."""

WARM_UP = 150_000
"""Events of a run before the first, at most."""


async def main(given: Namespace) -> int:
    """Exit status: 0 if every result was right."""
    if not BENCH_PYTHON.exists():
        sys.exit("bench: what sends the load is not installed in .cache/bench: run `make bench`")
    mode = STAGED[given.mode]
    print(f"{mode.__doc__}", flush=True)
    with tempfile.TemporaryDirectory(prefix="pipeline-bench-") as folder:
        async with staged(Path(folder)) as stage:
            right = await throughput.warm_up(stage, min(given.events or WARM_UP, WARM_UP))
            return 0 if await mode.main(stage, given) and right else 1


if __name__ == "__main__":
    given = read_arguments(__doc__, [*STAGED, "guard"])
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics that are new have no leader
    try:
        sys.exit(guard.main(given) if given.mode == "guard" else asyncio.run(main(given)))
    except LocalError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
