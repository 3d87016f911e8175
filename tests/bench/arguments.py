"""Arguments of the benchmarks."""

import argparse

from tests.bench.systems import SYSTEMS


def read_arguments(about: str | None) -> argparse.Namespace:
    """Of the benchmark's command line; ends the program, as argparse does, where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    modes = ("throughput", "latency", "flat")
    parser.add_argument("mode", nargs="?", choices=modes, default="throughput")
    parser.add_argument("--events", type=positive, default=300_000, help="in a backlog")
    parser.add_argument("--runs", type=positive, default=3, help="of each system")
    names = [system.name for system in SYSTEMS]
    parser.add_argument("--systems", type=words, default=names, help=f"of {','.join(names)}")
    parser.add_argument("--rate", type=positive, help="events a second that are 100 percent")
    parser.add_argument("--seconds", type=positive, default=60, help="at each rate")
    parser.add_argument(
        "--contacts", type=sizes, default=[0, 20_000, 100_000], help="sizes of the state, commas"
    )
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
