"""Arguments of the benchmarks."""

import argparse
from collections.abc import Collection

from tests.bench.systems import SYSTEMS


def read_arguments(about: str | None, modes: Collection[str]) -> argparse.Namespace:
    """Of the benchmark's command line; ends the program, as argparse does, where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("mode", nargs="?", choices=modes, default="throughput")
    parser.add_argument(
        "--events", type=positive, help="in a backlog; each mode has its own number"
    )
    parser.add_argument("--runs", type=positive, default=3, help="of each system, or state")
    names = [system.name for system in SYSTEMS]
    parser.add_argument(
        "--systems", type=words, default=names, help=f"throughput: of {','.join(names)}"
    )
    parser.add_argument(
        "--rate",
        type=positive,
        help="events a second: latency: that are 100 percent; profile: at which it looks",
    )
    parser.add_argument(
        "--seconds", type=positive, default=60, help="latency, profile: at each rate"
    )
    parser.add_argument(
        "--contacts",
        type=sizes,
        default=[0, 100_000, 1_000_000],
        help="flat: sizes of the state, commas between",
    )
    parser.add_argument(
        "--storm", type=positive, default=100_000, help="catchup: deadlines that passed"
    )
    parser.add_argument(
        "--workers", type=sizes, default=[1, 2, 4], help="scale: numbers of workers"
    )
    parser.add_argument(
        "--partitions", type=sizes, default=[8, 32, 128], help="scale: numbers of partitions"
    )
    parser.add_argument(
        "--cluster", action="store_true", help="scale: also on a Redis Cluster of three servers"
    )
    parser.add_argument("--store", action="store_true", help="guard: keep what is measured")
    given = parser.parse_args()
    if unknown := set(given.systems) - set(names):
        parser.error(f"no such system: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return given


def positive(text: str) -> int:
    """A whole number above zero, for argparse."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def words(text: str) -> list[str]:
    """Between commas."""
    return text.split(",")


def sizes(text: str) -> list[int]:
    """Whole numbers between commas, none below zero."""
    numbers = [int(word) for word in words(text)]
    if min(numbers) < 0:
        raise ValueError(text)
    return numbers
