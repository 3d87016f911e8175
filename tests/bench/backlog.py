"""Catch-up: a backlog is there before the workers start, and they drain it at their full rate.

A system's time runs from the first byte that it has written to any topic until a reader with
read_committed has the last trigger, contact and opt-in: start-up is left out, all else from raw
event to committed state and published outputs is in.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from pipeline.local.part import Part
from tests.bench.driving import WrongResult, flush, put_in_force, send, workers
from tests.bench.expected import faults
from tests.bench.generator import Load, Pace, make
from tests.bench.job import WORKERS
from tests.bench.measure import Usage, watched
from tests.bench.outcome import Outcome, Seen, consumer, following, read, settled, written
from tests.bench.stage import Run
from tests.bench.waiting import until

QUIET: Final = 2.0
"""So long nothing may have come before results are read: longer than any commit interval."""
SPAN: Final = 600.0
"""Seconds of event time over which the people of a backlog come."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run. CPU in seconds for a million events, memory in MiB at its highest."""

    rate: float
    cpu: dict[str, float]
    memory: dict[str, float]
    others: float = 0.0
    """Cores that processes took which are no part of the run."""
    each: Sequence[float] = ()
    """CPU of each worker."""
    start: float = 0.0
    """Seconds until the first byte was written."""
    logged: float = 0.0
    """Bytes in all topics, the raw one too, for an event."""
    resident: Sequence[tuple[float, float]] = field(default=(), repr=False)
    """Seconds since the first byte, MiB of all workers."""


def backlog(events: int, first: int = 0, span: float = SPAN, ago: float = 0.0) -> Load:
    """A load whose last deadline passed just now, or so many seconds ago."""
    pace = Pace(0, span)
    age = pace.length + pace.wait + 5.0 + ago
    return make(events, Pace(int((time.time() - age) * 1000), span), first=first)


def patience(events: int) -> float:
    """Seconds after which a run is given up: slower than that is no result."""
    return 60.0 + events / 200


async def drained(run: Run, loads: Iterable[Load], seconds: float, count: int = WORKERS) -> Figures:
    """Write the loads, start the workers, wait for all of it; raises `WrongResult`.

    After `seconds` it is given up.
    """
    await put_in_force(run)
    whole = Load()
    for load in loads:  # one at a time: a generator need not hold them all
        await send(run, load)
        whole.take(load)
    await flush(run)
    draining = Draining(run, whole, seconds)
    async with draining.ready():
        began = time.time()
        async with workers(run, count) as parts:
            figures = await draining.over(parts, began)
    return figures


class Draining:
    """The measurement of a load that is in the raw topic already and that no worker has seen."""

    def __init__(
        self,
        run: Run,
        load: Load,
        seconds: float,
        before: Sequence[Load] = (),
        outcome: Outcome | None = None,
    ) -> None:
        """`before` is what the state holds already; `outcome` what was read of it."""
        self._run, self._load, self._seconds = run, load, seconds
        self._before, self._outcome = before, outcome or Outcome()
        self._seen = Seen(run.names.triggers)
        self._size = 0
        self.begun = asyncio.Event()
        """Set when the first byte is written."""
        self._lost: Callable[[], bool] = lambda: False

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[None]:
        """Look from here on; workers may begin inside the block."""
        self._size = self._run.size()
        if self._run.system.copies:
            yield
            return
        async with following(self._run, self._seen.take) as reading:
            self._lost = reading.done
            yield

    async def over(self, parts: Sequence[Part], began: float) -> Figures:
        """The figures once all has come of workers that began then; raises `WrongResult`."""
        run, events = self._run, self._load.count
        pids = {f"worker {n}": [part.pid] for n, part in enumerate(parts) if part.pid}
        async with watched(pids | run.pids) as usage:
            if not await until(lambda: run.size() > self._size, self._seconds):
                raise WrongResult(f"nothing was written within {self._seconds:.0f} s")
            begin = time.time()
            self.begun.set()
            copies = run.system.copies
            end = await (self._copied(events) if copies else self._told(parts))
        return _figures(usage, events, (began, begin, end), run.size(raw=True))

    async def _told(self, parts: Sequence[Part]) -> float:
        """When the last of what must come could be read."""
        wanted, seen = len(self._load.triggers), self._seen

        def over() -> bool:
            return self._lost() or not any(part.running() for part in parts)

        await until(lambda: seen.triggers >= wanted or over(), self._seconds)
        await settled(self._run, QUIET)
        outcome = await read(self._run, self._outcome)
        if wrong := faults(outcome.found, [*self._before, self._load]):
            raise WrongResult("; ".join(wrong))
        return seen.at

    async def _copied(self, wanted: int) -> float:
        """When the last copy was there; without transactions it can be read at once."""
        limit = time.monotonic() + self._seconds
        async with consumer(self._run, self._run.copies) as reading:
            while time.monotonic() < limit:
                if await written(reading) >= wanted:
                    return time.time()
                await asyncio.sleep(0.01)
            there = await written(reading)
            raise WrongResult(f"{there} of {wanted} copied in {self._seconds:.0f} s")


def _figures(usage: Usage, events: int, times: tuple[float, float, float], size: int) -> Figures:
    began, begin, end = times
    spent = {g: usage.cpu(g, begin, end) / events * 1e6 for g in usage.samples}
    workers_ = [group for group in usage.samples if group.startswith("worker ")]
    parts = {"broker": ["broker"], "redis": ["redis"], "workers": workers_}
    memory = {name: usage.resident(groups) for name, groups in parts.items()}
    return Figures(
        rate=events / (end - begin),
        cpu={name: sum(spent[g] for g in groups) for name, groups in parts.items()},
        memory={name: max(b for _, b in series) / 2**20 for name, series in memory.items()},
        others=usage.others(begin, end),
        each=[spent[group] for group in workers_],
        start=begin - began,
        logged=size / events,
        resident=[(t - begin, b / 2**20) for t, b in memory["workers"] if begin <= t <= end],
    )
