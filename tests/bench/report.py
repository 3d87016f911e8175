"""Tables of figures: medians with the least and the most, and what was hoped for beside it."""

import platform
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pipeline.local.java import deploy_folder, kafka_version
from tests.bench.backlog import Figures
from tests.bench.figures import aligned, spread
from tests.bench.generator import Load
from tests.bench.systems import OURS, PEERS, System

HOPED: Final = {
    "faust": ("30 times stock Faust + Redis", 30.0),
    "quix": ("5 times Quix Streams", 5.0),
    "bytewax": ("1.5 times Bytewax", 1.5),
    "ceiling": ("a third of the ceiling", 1 / 3),
}
"""What our rate should be of a peer's."""
HOPED_CPU: Final = 40.0
"""Seconds of our workers for a million events."""


def header(systems: Iterable[System], load: Load, runs: int) -> str:
    """What was measured, on what."""
    size = sum(len(call.value) for call in load.calls) / len(load.calls)
    kafka = kafka_version((deploy_folder() / "pom.xml").read_text())
    pins = [line.partition(";")[0].split()[0] for line in _pins()]
    return (
        f"{len(load.calls):,} events of {size:.0f} bytes, {len(load.contacts):,} people,"
        f" {len(load.triggers):,} triggers; {runs} runs of each, two workers\n"
        f"{''.join(_shares(systems))}"
        f"Kafka {kafka} and Redis (appendfsync always) on the same {cores()}\n"
        f"Python {platform.python_version()}, faust-streaming {version('faust-streaming')},"
        f" aiokafka {version('aiokafka')}, {', '.join(pins)}\n"
    )


def _shares(systems: Iterable[System]) -> Iterator[str]:
    for system in systems:
        if system.share < 1:
            yield f"{system.title} is given {system.share:.0%} of them\n"


def _pins() -> list[str]:
    lines = (PEERS / "requirements.txt").read_text().splitlines()
    return [line for line in lines if "==" in line and not line.startswith(("#", "py-spy"))]


def cores() -> str:
    """How many this machine has, and what they are."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    return f"{len(models)} cores ({models[0] if models else platform.machine()})"


def table(results: Mapping[System, Sequence[Figures]]) -> str:
    """A line for each system that has figures."""
    rows = [("CPU: s per million events", "events/s", "workers", "broker", "Redis", "MiB", "lines")]
    for system, runs in results.items():
        if not runs:
            continue
        cpu = {group: [run.cpu[group] for run in runs] for group in runs[0].cpu}
        memory = {g: max(run.memory[g] for run in runs) for g in runs[0].memory}
        rows.append(
            (
                system.title,
                spread([run.rate for run in runs]),
                spread(cpu["workers"]),
                f"{statistics.median(cpu['broker']):.1f}",
                f"{statistics.median(cpu['redis']):.1f}",
                f"{memory['workers']:.0f} + {memory['redis']:.0f}",
                str(system.lines()),
            )
        )
    told = f"{aligned(rows)}\nCPU of workers, broker, Redis; MiB at the highest, workers + Redis"
    others = [run.others for runs in results.values() for run in runs]
    if others:
        told += (
            f"\nother processes took {spread(others, 1)} cores meanwhile: the more, the lower and"
            "\nless sure the rates; CPU seconds bear it better"
        )
    return told


def ratios(results: Mapping[System, Sequence[Figures]]) -> str:
    """Our rate as a multiple of each peer's beside what was hoped for; nothing without ours."""
    ours = results.get(OURS)
    if not ours:
        return ""
    lines = []
    rate = statistics.median(run.rate for run in ours)
    for system, runs in results.items():
        if system.name in HOPED and runs:
            wish, factor = HOPED[system.name]
            found = rate / statistics.median(run.rate for run in runs)
            lines.append(f"{wish}: {found:.2f} times, {_reached(found >= factor)}")
    cpu = statistics.median(run.cpu["workers"] for run in ours)
    lines.append(
        f"{HOPED_CPU:.0f} s of worker CPU per million events: {cpu:.0f} s,"
        f" {_reached(cpu <= HOPED_CPU)}"
    )
    return "\n".join(lines)


def _reached(reached: bool) -> str:
    return "reached" if reached else "NOT reached"
