"""Flat cost: the same load on states with more and more contacts and open waits.

A state is filled through the pipeline itself: an identify call with an opt-in and the start of a
wait of a week for each person. The load is visits of the same people at every size (some pages,
and a loan for one in two, nearly five calls each), `others` is how many more there are. *Cold*:
new workers with empty caches drain the visits; *warm*: the same workers drain a second round of
them, written while they were stopped. Then: what workers and Redis use while nothing is due; one
worker is killed with -9, and the time counts until a reader has the effects of calls in all
partitions; then, without workers, the times of a look for what is due and of a whole tick in one
partition. Last, bytes in Redis by kind (`make memory`). Cold and warm are medians of `--runs`.
Start-up includes the interpreter's and the group's 3 s for its first members; takeover includes
the session that has to end (10 s).
"""

import asyncio
import os
import signal
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from pipeline.adapters.redis_client import connect
from pipeline.local.part import Part
from tests.bench import memory
from tests.bench.backlog import SPAN, Draining, Figures, patience
from tests.bench.driving import WrongResult, put_in_force, send, workers
from tests.bench.expected import faults
from tests.bench.figures import aligned
from tests.bench.flat_table import Flat, table, verdict
from tests.bench.generator import Load, Pace
from tests.bench.measure import watched
from tests.bench.outcome import Outcome, caught_up, following, read
from tests.bench.parked import CALLS, JOURNEY, WEEK, chunks, identities, probes, visits, waits
from tests.bench.stage import Run, Stage, run_of
from tests.bench.systems import OURS
from tests.bench.tick_costs import tick_costs
from tests.bench.waiting import until

IDLE: Final = 5.0
PROBES: Final = 200
"""People whose calls reach every partition."""
_TAKEOVER: Final = 90.0


async def main(stage: Stage, given: Namespace) -> bool:
    """Each size in turn; tells whether every result was right."""
    visitors = max(PROBES, round((given.events or 100_000) / CALLS))
    found = []
    for nth, others in enumerate(given.contacts):
        async with run_of(stage, OURS, nth) as run:
            try:
                found.append(await _at_size(run, others, visitors, given.runs))
            except WrongResult as wrong:
                print(f"{others:,} others: WRONG RESULT, no figure: {wrong}")
                return False
    print(f"\n{table(found)}\n\n{verdict(found)}\n\nBytes in Redis:")
    print(aligned([what, f"{size:,.0f}"] for what, size in (await memory.measure()).items()))
    return True


async def _at_size(run: Run, others: int, visitors: int, runs: int) -> Flat:
    people = others + visitors
    await put_in_force(run, [JOURNEY % WEEK])
    loads, outcome = [await _filled(run, people)], Outcome()
    used = await _used(run)
    colds, warms = [], []
    for nth in range(runs):
        cold, warm = await _round(
            run, [_visits(visitors, 2 * nth + n) for n in (0, 1)], loads, outcome
        )
        colds.append(cold)
        warms.append(warm)
    async with workers(run) as parts:
        await _probed(run, "before-kill")
        idle = await _idle(run, parts)
        parts[0].kill()
        takeover = await _probed(run, "after-kill")
        if wrong := faults((await read(run, outcome)).found, loads):
            raise WrongResult("; ".join(wrong))
    ticks = await tick_costs(run, int(time.time() * 1000))
    return Flat(others, people, colds, warms, idle, takeover, used, ticks)


async def _round(
    run: Run, coming: Sequence[Load], loads: list[Load], outcome: Outcome
) -> tuple[Figures, Figures]:
    """One load cold, by new workers, and one warm, by the same; `loads` is what the state has."""
    first, second = coming
    await send(run, first)
    limit = patience(first.count)
    draining = Draining(run, first, limit, loads, outcome)
    async with draining.ready():
        began = time.time()
        async with workers(run) as parts:
            cold = await draining.over(parts, began)
            loads.append(first)
            draining = Draining(run, second, limit, loads, outcome)
            with stopped(parts) as go_on:
                await send(run, second)
                async with draining.ready():
                    go_on()
                    warm = await draining.over(parts, time.time())
            loads.append(second)
    return cold, warm


async def _filled(run: Run, people: int) -> Load:
    """What must come of the people of the state, once all of them are in it."""
    filled, begun = Load(), time.time()
    at = int(begun * 1000) - 3_600_000
    async with workers(run):
        for numbers in chunks(people):
            for load in (identities(numbers, at), waits(numbers, at)):
                await send(run, load)
                filled.take(load)
        limit = patience(2 * people)
        if not await caught_up(run, limit):
            raise WrongResult(f"the state was not filled within {limit:.0f} s")
    print(f"{people:,} people taken in {time.time() - begun:.0f} s", flush=True)
    return filled


def _visits(visitors: int, nth: int) -> Load:
    pace = Pace(0, SPAN)
    age = pace.length + pace.wait + 5.0
    return visits(visitors, Pace(int((time.time() - age) * 1000), SPAN), nth)


async def _used(run: Run) -> int:
    client: Any = connect(run.redis)
    try:
        return int((await client.info("memory"))["used_memory"])
    finally:
        await client.aclose()


@contextmanager
def stopped(parts: Sequence[Part]) -> Iterator[Callable[[], None]]:
    """Nothing runs in these processes until they may go on; not for longer than their session."""

    def tell(what: signal.Signals) -> None:
        for part in parts:
            if part.pid is not None:
                os.kill(part.pid, what)

    tell(signal.SIGSTOP)
    try:
        yield lambda: tell(signal.SIGCONT)
    finally:
        tell(signal.SIGCONT)


async def _idle(run: Run, parts: Sequence[Part]) -> Mapping[str, float]:
    pids = {"workers": [part.pid for part in parts if part.pid], **run.pids}
    async with watched(pids) as usage:
        begin = time.time()
        await asyncio.sleep(IDLE)
        end = time.time()
    return {group: usage.cpu(group, begin, end) / (end - begin) for group in pids}


async def _probed(run: Run, mark: str) -> float:
    """Seconds from now until a reader has what calls made that reach all partitions."""
    waiting = {load.key.encode() for load in probes(range(PROBES), 0, mark).calls}
    last = 0.0

    def take(topic: str, record: Any, at: float) -> None:
        nonlocal last
        if topic == run.names.contacts and mark.encode() in (record.value or b""):
            waiting.discard(record.key)
            last = at

    begun = time.time()
    async with following(run, take, wait_ms=20):
        await send(run, probes(range(PROBES), int(begun * 1000), mark))
        if not await until(lambda: not waiting, _TAKEOVER):
            raise WrongResult(f"{len(waiting)} calls were not taken within {_TAKEOVER:.0f} s")
    return last - begun
