"""Step keys for generated journeys (conditions, repetitions, dates, variants), and dates to name.

Drawn from a seed of its own, so that half of the histories are as they are without them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tests.oracle.times import MINUTE, duration, text

Record = dict[str, Any]

_WHENS = [
    'traits.state == "NY"',
    'events["Signed"].count == 0',
    "start.properties.amount >= 5",
    "traits.score > start.properties.amount",
]
_SHARES: list[dict[str, float]] = [
    {"a": 50, "b": 50},
    {"b": 30, "a": 70},
    {"a": 20, "b": 30.5, "c": 49.5},
]
_FAR = 400 * 24 * 60 * MINUTE


@dataclass
class StepKeys:
    rng: random.Random
    base: int
    grid: int

    def __post_init__(self) -> None:
        self.used = self.rng.random() < 0.5

    def add(self, journey: Record) -> None:
        """Steps of a journey as campaigns need them; `after` keeps growing."""
        if not self.used:
            return
        rng, steps = self.rng, journey["steps"]
        if rng.random() < 0.35:
            steps[-1] |= {"every": rng.choice(["10m", "20m"]), "times": rng.choice([2, 3])}
        for step in steps:
            if "every" not in step and rng.random() < 0.5:
                self._date(step)
            if rng.random() < 0.3:
                step["when"] = rng.choice(_WHENS)
        if rng.random() < 0.4:
            self._variants(journey)

    def _date(self, step: Record) -> None:
        rng = self.rng
        del step["after"]
        step["until"] = rng.choice(["properties.due", "properties.due", "context.due"])
        if rng.random() < 0.5:
            step["offset"] = rng.choice(["-30m", "-10m", "10m", "1h", "0s"])
        if rng.random() < 0.5:
            step["within"] = rng.choice(["30m", "1h", "2h"])

    def _variants(self, journey: Record) -> None:
        rng, steps = self.rng, journey["steps"]
        shares: dict[str, float] = rng.choice(_SHARES)
        journey["experiment"] = {"salt": rng.choice(["x", "y", "z"]), "variants": shares}
        for step in [each for each in steps if rng.random() < 0.6]:
            names = rng.sample(list(shares), rng.choice([1, 2]))
            place = steps.index(step)
            steps[place : place + 1] = [{**step, "variant": name} for name in names]
        without = [name for name in shares if not any(_is_for(step, name) for step in steps)]
        last = max((duration(each["after"]) for each in steps if "after" in each), default=0)
        steps += [
            {"after": f"{last // MINUTE + 60}m", "channel": "voice", "variant": name}
            for name in without
        ]

    def of_start(self, event: Record) -> None:
        """Dates for an event that may be a start."""
        rng = self.rng
        if self.used and rng.random() < 0.75:
            event["properties"]["due"] = self._some_date()
        if self.used and rng.random() < 0.5:
            event["context"] = {"due": self._some_date()}

    def _some_date(self) -> Any:
        rng = self.rng
        at = self.base + rng.randint(-4, 20) * self.grid
        if rng.random() < 0.7:
            return rng.choice([text(at), text(at), at, at // 1000, str(at)])
        return rng.choice(["2026-03-03", "2026-03-04", text(self.base + _FAR), "soon", None, True])


def _is_for(step: Record, variant: str) -> bool:
    return step.get("variant") in (None, variant)
