"""The figures of flat cost: a column for each size of the state, and what was hoped for."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.backlog import Figures
from tests.bench.figures import aligned
from tests.bench.tick_costs import TickCosts

HOPED: Final = 0.2
"""By how much the rate may be lower on the largest state."""


@dataclass(frozen=True, slots=True)
class Flat:
    """Of one size."""

    others: int
    people: int
    cold: Sequence[Figures]
    warm: Sequence[Figures]
    idle: Mapping[str, float]
    """Cores."""
    takeover: float
    redis: int
    """Bytes that it used for the state."""
    ticks: TickCosts


def table(found: Sequence[Flat]) -> str:
    """A column for each size."""
    columns = [_column(at, found[0]) for at in found]
    return aligned([title, *(column[title] for column in columns)] for title in columns[0])


def _column(at: Flat, base: Flat) -> dict[str, str]:
    more = at.people - base.people
    each = f"{(at.redis - base.redis) / more:,.0f}" if more else ""
    return {
        "others with a contact and an open wait": f"{at.others:,}",
        "events/s, cold": f"{_rate(at.cold):,.0f}",
        "events/s, warm": f"{_rate(at.warm):,.0f}",
        "worker CPU s per million events, cold": f"{_cpu(at.cold, 'workers'):.1f}",
        "worker CPU s per million events, warm": f"{_cpu(at.warm, 'workers'):.1f}",
        "Redis CPU s per million events, cold": f"{_cpu(at.cold, 'redis'):.1f}",
        "Redis CPU s per million events, warm": f"{_cpu(at.warm, 'redis'):.1f}",
        "workers' memory at its highest, MiB": f"{max(r.memory['workers'] for r in at.warm):,.0f}",
        "Redis' used memory, MiB": f"{at.redis / 2**20:,.0f}",
        "bytes more for each of the others": each,
        "workers while nothing is due, of a core": f"{at.idle['workers']:.1%}",
        "Redis while nothing is due, of a core": f"{at.idle['redis']:.1%}",
        "look for what is due, nothing is, us": f"{at.ticks.look * 1e6:,.0f}",
        "look for what is due, a portion is, us": f"{at.ticks.look_due * 1e6:,.0f}",
        "tick, nothing is due, ms": f"{at.ticks.tick * 1e3:,.1f}",
        "tick, a portion is due, ms": f"{at.ticks.tick_due * 1e3:,.1f}",
        "  entities in it": f"{at.ticks.due:,}",
        "first record after a start, s": f"{statistics.median(r.start for r in at.cold):.1f}",
        "takeover after kill -9, s": f"{at.takeover:.1f}",
    }


def _rate(runs: Sequence[Figures]) -> float:
    return statistics.median(run.rate for run in runs)


def _cpu(runs: Sequence[Figures], part: str) -> float:
    return statistics.median(run.cpu[part] for run in runs)


def verdict(found: Sequence[Flat]) -> str:
    """The largest state beside the least."""
    least, most = min(found, key=lambda at: at.others), max(found, key=lambda at: at.others)
    lines = []
    for what, have, want in (
        ("cold", _rate(most.cold), _rate(least.cold)),
        ("warm", _rate(most.warm), _rate(least.warm)),
    ):
        reached = "reached" if have >= want * (1 - HOPED) else "NOT reached"
        lines.append(
            f"{what}: {have / want:.0%} of the rate with {most.others:,} others, at least"
            f" {1 - HOPED:.0%} hoped for: {reached}"
        )
    return "\n".join(lines)
