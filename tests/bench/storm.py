"""A storm: deadlines that passed while no worker ran, and calls that go on meanwhile."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

from pipeline.adapters.redis_client import connect
from tests.bench.driving import WrongResult, put_in_force, send, workers
from tests.bench.expected import faults
from tests.bench.figures import aligned
from tests.bench.generator import Load
from tests.bench.holding import Arrivals, made_ahead
from tests.bench.latency import HEAD, row
from tests.bench.outcome import Outcome, caught_up, following, read
from tests.bench.parked import JOURNEY, chunks, deadlines, identities, waits
from tests.bench.stage import Run
from tests.bench.waiting import until

WAIT: Final = 600
_LOGGED: Final = 100_000
_KEYS_OF_ALL: Final = 4
"""Keys that every commit names; the others are entities."""


@dataclass(frozen=True, slots=True)
class _Course:
    """Instants, seconds since the epoch: calls went from `begin` to `ended`."""

    begin: float
    ended: float
    first: float
    """The first byte that a worker wrote."""
    last: float
    """The last trigger of the storm as a reader had it."""
    late: int
    """Of the calls at most, ms."""


async def storm(run: Run, people: int, rate: float) -> str:
    """The figures of so many deadlines, with so many calls a second meanwhile."""
    await put_in_force(run, [JOURNEY % WAIT])
    known, over, loads = await _outage(run, people), deadlines(range(people)), list[Load]()
    await _slow_log(run)
    arrivals, seconds = Arrivals(run), max(15.0, people / 4_000)
    async with following(run, arrivals.take, wait_ms=20):
        begin, load = made_ahead(run, loads, rate, seconds)
        before = run.size()
        sending = asyncio.create_task(send(run, load, begin))
        await asyncio.sleep(begin / 1000 - time.time())
        async with workers(run):
            await until(lambda: run.size() > before, 60.0)
            first = time.time()
            late = await sending
            if not await until(lambda: arrivals.have(over), 60.0 + people / 100):
                raise WrongResult("triggers of the storm are missing")
            await until(lambda: arrivals.have(load), 60.0)
            await caught_up(run, 60.0)
    if wrong := faults((await read(run, Outcome())).found, [known, over, load]):
        raise WrongResult("; ".join(wrong))
    last = max(arrivals.triggers[loan] for loan in over.triggers)
    course = _Course(begin / 1000, begin / 1000 + seconds, first, last, late)
    return _told(people, load, arrivals, course, await _largest(run))


def _told(
    people: int, load: Load, arrivals: Arrivals, course: _Course, largest: tuple[int, int]
) -> str:
    end = min(course.last, course.ended)
    got = sum(course.first <= arrivals.contacts[user] <= end for user in load.identified)
    took = course.last - course.first
    taken = load.count * got / len(load.identified) / max(0.1, end - course.first)
    sent = load.count / (course.ended - course.begin)
    entities, micros = largest
    rows = [
        ("until the last trigger, s", f"{took:.1f}"),
        ("decided a second", f"{people / took:,.0f}"),
        ("calls sent meanwhile, a second", f"{sent:,.0f}, at most {course.late} ms late"),
        ("calls taken meanwhile, a second", f"{taken:,.0f}"),
        ("largest commit, entities", f"{entities:,}"),
        ("longest commit, ms in Redis", f"{micros / 1000:,.1f}"),
    ]
    contacts = arrivals.latencies(load, course.begin)["contact"]
    during = [(at, by) for at, by in contacts if course.first <= course.begin + at <= end]
    return (
        f"{people:,} deadlines passed while no worker ran\n{aligned(rows)}\n"
        f"{aligned([HEAD, row('event to contact meanwhile', during)])}"
    )


async def _outage(run: Run, people: int) -> Load:
    """People are taken, then their waits; workers stop before, and it ends after the deadlines.

    How long the second takes is told by the first.
    """
    known = Load()
    async with workers(run):
        begun = time.time()
        for numbers in chunks(people):
            load = identities(numbers, int(begun * 1000) - 60_000)
            await send(run, load)
            known.take(load)
        if not await caught_up(run, 60.0 + people / 50):
            raise WrongResult("the people were not taken")
        due = time.time() + 2 * (time.time() - begun) + 10.0
        at = int((due - WAIT) * 1000)
        for numbers in chunks(people):
            await send(run, waits(numbers, at))
        if not await caught_up(run, due - time.time()):
            raise WrongResult("the waits were not taken before their deadlines")
    await asyncio.sleep(max(0.0, due + people / 100_000 - time.time()))
    return known


async def _slow_log(run: Run) -> None:
    client: Any = connect(run.redis)
    for name, value in (("slowlog-log-slower-than", 50), ("slowlog-max-len", _LOGGED)):
        await client.config_set(name, value)
    await client.execute_command("SLOWLOG", "RESET")
    await client.aclose()


async def _largest(run: Run) -> tuple[int, int]:
    """The most entities that a commit wrote, and the most microseconds of one."""
    client: Any = connect(run.redis)
    entries = await client.slowlog_get(_LOGGED)
    await client.aclose()
    calls = [(each["command"].split(b" ", 3), each["duration"]) for each in entries]
    commits = [(int(words[2]), took) for words, took in calls if words[0] == b"EVALSHA"]
    entities = max((keys for keys, _ in commits), default=_KEYS_OF_ALL) - _KEYS_OF_ALL
    return entities, max((took for _, took in commits), default=0)
