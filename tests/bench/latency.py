"""Latency: from outside to outside, how long after it could be known can a reader read it?

Calls are sent at intended times by a process of its own, at 10, 50 and 80 % of the rate that was
measured in catch-up just before (or given); a reader with read_committed notes when it could read a
trigger or a contact. A trigger counts from its deadline, or from the intended time of the last
relevant event where the deadline had passed by then; a contact from the intended time of the
identify call that makes it. A sender or a system that falls behind makes these longer, never
invisible. Only what could be there while the rate was held counts, not what came while the load set
in or ran out. Sender and reader run on the same cores. `drift` is how much longer it took from one
second to the next: at a rate that can be held it is about 0. Percentiles that so few values can't
tell are left out.
"""

import time
from argparse import Namespace
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from tests.bench.driving import WrongResult, put_in_force, send, workers
from tests.bench.expected import faults
from tests.bench.figures import PERCENTILES, aligned, percentile, slope
from tests.bench.generator import BUSY, Load, Pace, make
from tests.bench.outcome import Outcome, following, read, settled
from tests.bench.stage import Run, Stage, run_of
from tests.bench.systems import OURS
from tests.bench.throughput import sustained
from tests.bench.waiting import until

SHARES: Final = (0.1, 0.5, 0.8)
WAIT: Final = 5
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


TITLES: Final = {
    "deadline": "deadline to trigger",
    "event": "last event to trigger",
    "contact": "event to contact",
}
HEAD: Final = ["ms", "n", *PERCENTILES, "most", "drift ms/s"]


async def main(stage: Stage, given: Namespace) -> bool:
    """At shares of the rate; tells whether every result was right."""
    rate = given.rate or await sustained(stage, given.events or 300_000)
    if rate is None:
        return False
    print(f"100 % are {rate:,.0f} events/s; {given.seconds} s at each share of it")
    async with run_of(stage, OURS, 9, wait=WAIT) as run:
        try:
            async for text in _measured(run, rate, given.seconds):
                print(text, flush=True)
        except WrongResult as wrong:
            print(f"WRONG RESULT, no figure: {wrong}")
            return False
    return True


async def _measured(run: Run, rate: float, seconds: float) -> AsyncIterator[str]:
    await put_in_force(run)
    arrivals, outcome = Arrivals(run), Outcome()
    loads: list[Load] = []
    async with workers(run), following(run, arrivals.take, wait_ms=20):
        await held(run, arrivals, loads, WARM_UP / 5, 5.0)
        for share in SHARES:
            begin, late = await held(run, arrivals, loads, rate * share, seconds)
            if wrong := faults((await read(run, outcome)).found, loads):
                raise WrongResult("; ".join(wrong))
            found = {
                what: [each for each in latencies if BUSY * run.wait <= each[0] <= seconds]
                for what, latencies in arrivals.latencies(loads[-1], begin).items()
            }
            yield f"\n{rate * share:,.0f} events/s ({share:.0%}), calls sent at most {late} ms late"
            yield aligned([HEAD, *(row(TITLES[what], found[what]) for what in TITLES)])


def row(title: str, found: list[Latency]) -> list[str]:
    """Of the table: percentiles, the most, and how they drift."""
    if not found:
        return [title, "0", *([""] * (len(HEAD) - 2))]
    ordered = sorted(late for _, late in found)
    told = [percentile(ordered, share) for share in PERCENTILES.values()]
    return [
        title,
        f"{len(found):,}",
        *("" if value is None else f"{value * 1000:,.0f}" for value in told),
        f"{ordered[-1] * 1000:,.0f}",
        f"{slope(found) * 1000:+.1f}",
    ]


async def held(
    run: Run, arrivals: Arrivals, loads: list[Load], rate: float, seconds: float
) -> tuple[float, int]:
    """Send one load in time and wait for all of it; when it began, and the sender's worst delay."""
    begin, load = made_ahead(run, loads, rate, seconds)
    return begin / 1000, await taken(run, arrivals, load, begin)


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
