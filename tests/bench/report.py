"""Tables of figures: medians with the least and the most, and what was hoped for beside it."""

import platform
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pipeline.local.java import deploy_folder, kafka_version
from tests.bench.backlog import Figures
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
        f" {len(load.triggers):,} triggers; {runs} runs of each, interleaved; two workers\n"
        f"{''.join(_shares(systems))}"
        f"Kafka {kafka} and Redis (appendfsync always) on the same {_machine()},"
        f" Python {platform.python_version()}, faust-streaming {version('faust-streaming')},"
        f" aiokafka {version('aiokafka')}, {', '.join(pins)}\n"
    )


def _shares(systems: Iterable[System]) -> Iterator[str]:
    for system in systems:
        if system.share < 1:
            yield f"{system.title} is given {system.share:.0%} of them\n"


def _pins() -> list[str]:
    lines = (PEERS / "requirements.txt").read_text().splitlines()
    return [line for line in lines if "==" in line and not line.startswith("#")]


def _machine() -> str:
    info = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    return f"{len(models)} cores ({models[0] if models else platform.machine()})"


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median (least-most)."""
    low, middle, high = min(values), statistics.median(values), max(values)
    if len(values) == 1:
        return f"{middle:,.{digits}f}"
    return f"{middle:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def table(results: Mapping[System, Sequence[Figures]]) -> str:
    """A line for each system that has figures."""
    lines = [
        f"{'':28}{'events/s':>24}{'CPU s per million events':>44}{'peak MiB':>16}{'lines':>7}",
        f"{'':28}{'':>24}{'workers':>22}{'broker':>11}{'Redis':>11}{'workers':>9}{'Redis':>7}",
    ]
    for system, runs in results.items():
        if not runs:
            continue
        cpu = {group: [run.cpu[group] for run in runs] for group in runs[0].cpu}
        memory = {g: max(run.memory[g] for run in runs) for g in runs[0].memory}
        lines.append(
            f"{system.title:28}{spread([run.rate for run in runs]):>24}"
            f"{spread(cpu['workers'], 1):>22}"
            f"{statistics.median(cpu['broker']):>11.1f}{statistics.median(cpu['redis']):>11.1f}"
            f"{memory['workers']:>9.0f}{memory['redis']:>7.0f}{system.lines():>7}"
        )
    others = [run.others for runs in results.values() for run in runs]
    if others:
        lines.append(
            f"\nother processes took {spread(others, 1)} cores meanwhile: the more, the lower and"
            " less sure the rates; CPU seconds bear it better"
        )
    return "\n".join(lines)


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


def percentiles(values: Sequence[float]) -> str:
    """p50 to p99.9 and the most, in ms; those that so few values can't tell are left out."""
    if not values:
        return "none"
    ordered = sorted(values)
    told = []
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999)):
        if len(ordered) * (1 - share) >= 1:
            told.append(f"{name} {ordered[int(len(ordered) * share)] * 1000:,.0f}")
    told.append(f"most {ordered[-1] * 1000:,.0f} ms (n {len(ordered):,})")
    return ", ".join(told)
