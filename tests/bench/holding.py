"""A rate that is held: calls sent at their intended times, and when a reader could read what came.

A trigger counts from its deadline, or from the intended time of the last relevant event where the
deadline had passed by then; a contact from the intended time of the identify call that makes it.
A sender or a system that falls behind makes these longer, never invisible. Only what could be there
while the rate was held counts, not what came while the load set in or ran out. Sender and reader
run on the same cores.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from tests.bench.driving import WrongResult, send
from tests.bench.figures import slope
from tests.bench.generator import BUSY, Load, Pace, make
from tests.bench.outcome import settled
from tests.bench.stage import Run
from tests.bench.waiting import until

WAIT: Final = 5
"""Of the journey, seconds."""
BELATED: Final = 0.4
WARM_UP: Final = 1_000
"""Events, sent in five seconds."""
_PATIENCE: Final = 60.0
_LEAD: Final = 1.0
"""Seconds between the preparation of a load and its begin."""
_MAKING: Final = 60e-6
"""Seconds that a call takes to be made and written down."""

Latency = tuple[float, float]
"""When it could have been there, seconds after the begin, and how much later it was."""


@dataclass
class Arrivals:
    """When each could first be read, seconds since the epoch."""

    run: Run
    contacts: dict[str, float] = field(default_factory=dict)
    """By userId."""
    triggers: dict[str, float] = field(default_factory=dict)
    """By loan."""

    def take(self, topic: str, record: Any, at: float) -> None:
        """As `following` wants it."""
        if topic == self.run.names.triggers:
            self.triggers.setdefault(orjson.loads(record.value)["key"], at)
        elif topic == self.run.names.contacts and record.value is not None:
            self.contacts.setdefault(record.key.decode(), at)

    def have(self, load: Load) -> bool:
        """Whether all that must come of the load has come."""
        return (
            self.triggers.keys() >= load.triggers.keys()
            and self.contacts.keys() >= load.contacts.keys()
        )

    def latencies(self, load: Load, begin: float) -> dict[str, list[Latency]]:
        """By what they count from."""
        found: dict[str, list[Latency]] = {"deadline": [], "event": [], "contact": []}
        for loan, ready in load.triggers.items():
            late = self.triggers[loan] - begin - ready.at
            found[ready.by].append((ready.at, late))
        for user, at in load.identified.items():
            found["contact"].append((at, self.contacts[user] - begin - at))
        return found


@dataclass(frozen=True, slots=True)
class Held:
    """How a rate was held."""

    latencies: dict[str, list[Latency]]
    """By what they count from, of what could be there while the rate was held."""
    late: int
    """How late calls were sent at most, ms."""

    @property
    def growth(self) -> float:
        """By how much longer contacts take from one second to the next, in seconds."""
        return slope(self.latencies["contact"])


async def held(
    run: Run, arrivals: Arrivals, loads: list[Load], rate: float, seconds: float
) -> Held:
    """Send one load in time and wait for all of it. Raises `WrongResult`."""
    begin, load = made_ahead(run, loads, rate, seconds)
    late = await taken(run, arrivals, load, begin)
    found = arrivals.latencies(load, begin / 1000)
    first = BUSY * run.wait
    return Held(
        {
            what: [each for each in latencies if first <= each[0] <= seconds]
            for what, latencies in found.items()
        },
        late,
    )


async def taken(run: Run, arrivals: Arrivals, load: Load, begin: int) -> int:
    """Send a load that begins then (ms) and wait for all of it; the sender's worst delay, ms."""
    late = await send(run, load, begin)
    limit = 2 * run.wait + _PATIENCE
    if not await until(lambda: arrivals.have(load), limit):
        raise WrongResult(
            f"triggers or contacts did not come within {limit:.0f} s of the last call"
        )
    await settled(run, 1.0)
    return late


def made_ahead(run: Run, loads: list[Load], rate: float, seconds: float) -> tuple[int, Load]:
    """A load of new people, also put to the others, and when it begins (ms)."""
    events = round(rate * seconds)
    begin = int((time.time() + _LEAD + events * _MAKING) * 1000)
    pace = Pace(begin, seconds, run.wait, BELATED)
    load = make(events, pace, first=sum(len(before.contacts) for before in loads))
    loads.append(load)
    return begin, load
