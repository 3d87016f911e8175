"""Flatness: the same load on an empty state and on one with N contacts and N open waits.

The state is filled through the pipeline itself: an identify call and the start of a wait of a week
for each person. Then the workers are started anew, with empty caches, and drain the load.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Final

import orjson

from pipeline.domain.times import format_instant
from tests.bench.backlog import Figures, drained, put_in_force, send, workers
from tests.bench.expected import Found
from tests.bench.generator import Call, Load
from tests.bench.outcome import read, settled
from tests.bench.stage import Run

CHUNK: Final = 50_000
"""People in one go: bounds the memory of the benchmark itself."""
PARKED: Final = """\
journey: parked
version: 1
key: properties.loanId
start: {event: Parked}
steps:
  - {after: 7d, channel: voice, expires: 1h}
"""


async def loaded(run: Run, people: int, load: Load, seconds: float) -> Figures:
    """The load's figures on a state with so many contacts and open waits."""
    filled = Load()
    if people:
        await put_in_force(run, [PARKED])
        async with workers(run):
            for chunk in parked(people, int(time.time() * 1000) - 60_000):
                await send(run, chunk)
                filled.contacts |= chunk.contacts
                filled.optins |= chunk.optins
            await _taken(run, filled, seconds + people / 100)
    return await drained(run, load, [filled], seconds)


async def _taken(run: Run, filled: Load, seconds: float) -> None:
    """Until the contacts are there, or the time is up: the check of the results will tell."""
    limit, found = time.monotonic() + seconds, Found()
    while len(found.contacts) < len(filled.contacts) and time.monotonic() < limit:
        await settled(run, 3.0)
        await asyncio.sleep(1.0)
        found = (await read(run)).found


def parked(people: int, at: int) -> Iterator[Load]:
    """Chunks of two calls for each person: who they are, and a wait that stays open. `at` in ms."""
    for first in range(0, people, CHUNK):
        load = Load()
        for number in range(first, min(first + CHUNK, people)):
            user, phone = (
                f"parked{number:07d}",
                f"+1{301 + number // 10**6}{number % 10**6 + 2_000_000:07d}",
            )
            said = format_instant(at)
            opt_in = {
                "channel": "voice",
                "subscribed": True,
                "timestamp": said,
                "ip": "203.0.113.7",
            }
            base = {"userId": user, "timestamp": said}
            traits = {"phone": phone, "firstName": "Rebecca", "optIn": [opt_in]}
            identify = {"type": "identify", "messageId": f"i{number}", "traits": traits}
            properties = {"loanId": f"P{number}", "amount": 20_000}
            start = {"type": "track", "event": "Parked", "messageId": f"s{number}"}
            for call in (identify, start | {"properties": properties}):
                load.calls.append(Call(0.0, user, orjson.dumps(base | call)))
            load.contacts[user] = phone
            load.optins[f"{phone}|voice"] = "subscribed"
        yield load
