"""From outside to outside: how long after it could be known is something there for a reader?

Calls are sent at intended times by a process of its own; a reader with read_committed notes when a
trigger or a contact came. A trigger counts from its deadline, or from the intended time of the last
relevant event where the deadline had passed by then; a contact from the identify call that makes
it. A sender or a system that falls behind makes these longer, never invisible.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import orjson

from tests.bench.backlog import WrongResult, put_in_force, send, workers
from tests.bench.expected import faults
from tests.bench.generator import Load, Pace, make
from tests.bench.outcome import consumer, read, settled
from tests.bench.report import percentiles
from tests.bench.stage import Run
from tests.bench.waiting import until

SHARES: Final = (0.1, 0.5, 0.8)
WAIT: Final = 5
BELATED: Final = 0.4
_WARM_UP: Final = 1_000
"""Events, sent in five seconds."""
_PATIENCE: Final = 60.0
_LEAD: Final = 1.0
"""Seconds between the preparation of a load and its begin."""


@dataclass
class Arrivals:
    """When each was first seen, seconds since the epoch."""

    contacts: dict[str, float] = field(default_factory=dict)
    """By userId."""
    triggers: dict[str, float] = field(default_factory=dict)
    """By loan."""

    def have(self, load: Load) -> bool:
        """Whether all that must come of the load has come."""
        return (
            self.triggers.keys() >= load.triggers.keys()
            and self.contacts.keys() >= load.contacts.keys()
        )

    def latencies(self, load: Load, begin: float) -> dict[str, list[float]]:
        """Seconds, by what they count from."""
        found: dict[str, list[float]] = {"deadline": [], "event": [], "contact": []}
        for loan, ready in load.triggers.items():
            found[ready.by].append(self.triggers[loan] - begin - ready.at)
        for user, at in load.identified.items():
            found["contact"].append(self.contacts[user] - begin - at)
        return found


_TITLES: Final = {
    "deadline": "deadline to trigger",
    "event": "last event to trigger",
    "contact": "event to contact",
}


async def measure(run: Run, rate: float, seconds: float) -> AsyncIterator[str]:
    """Lines for each share of `rate`, events a second, each held for `seconds`."""
    await put_in_force(run)
    arrivals = Arrivals()
    loads: list[Load] = []
    async with workers(run), _following(run, arrivals):
        await _held(run, _WARM_UP / 5, 5.0, arrivals, loads)
        for share in SHARES:
            begin, late = await _held(run, rate * share, seconds, arrivals, loads)
            if wrong := faults((await read(run)).found, loads):
                raise WrongResult("; ".join(wrong))
            yield f"{rate * share:,.0f} events/s ({share:.0%}), calls sent at most {late} ms late"
            for what, found in arrivals.latencies(loads[-1], begin).items():
                yield f"  {_TITLES[what]:22} {percentiles(found)}"


async def _held(
    run: Run, rate: float, seconds: float, arrivals: Arrivals, loads: list[Load]
) -> tuple[float, int]:
    """Send one load in time and wait for all of it; when it began, and the sender's worst delay."""
    events = round(rate * seconds)
    begin = int((time.time() + _LEAD + events * 40e-6) * 1000)
    pace = Pace(begin, seconds, run.wait, BELATED)
    load = make(events, pace, first=sum(len(before.contacts) for before in loads))
    loads.append(load)
    late = await send(run, load, begin)
    limit = 2 * run.wait + _PATIENCE
    if not await until(lambda: arrivals.have(load), limit):
        raise WrongResult(
            f"triggers or contacts did not come within {limit:.0f} s of the last call"
        )
    await settled(run, 1.0)
    return begin / 1000, late


@asynccontextmanager
async def _following(run: Run, arrivals: Arrivals) -> AsyncIterator[None]:
    async def follow() -> None:
        topics = (run.names.contacts, run.names.triggers)
        async with consumer(run, *topics, fetch_max_wait_ms=20) as reading:
            while True:
                fetched = await reading.getmany(timeout_ms=500)
                at = time.time()
                for place, records in fetched.items():
                    for record in records:
                        if place.topic == run.names.triggers:
                            arrivals.triggers.setdefault(orjson.loads(record.value)["key"], at)
                        elif record.value is not None:
                            arrivals.contacts.setdefault(record.key.decode(), at)

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
