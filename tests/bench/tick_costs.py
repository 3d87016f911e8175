"""What a tick costs on a state with many open waits: the lookup alone, and all of a commit.

On the run's own Redis while no worker runs, by the production store and state process. It moves
the state beyond its log, so it comes last.
"""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pipeline.adapters.redis_store import RedisStore
from pipeline.commands.reach import reach
from pipeline.process.portion import Place
from pipeline.process.replay import Logged
from pipeline.process.state import PORTION_MAX, StateProcess
from pipeline.wire.records import Tick, encode_control
from tests.bench.stage import Run

PARTITION: Final = 0
TIMES: Final = 50
FAR: Final = 10**14


@dataclass(frozen=True, slots=True)
class TickCosts:
    """Seconds, medians. `due` stands for one full portion of due entities, or as many as are."""

    look: float
    look_due: float
    tick: float
    tick_due: float
    due: int


async def tick_costs(run: Run, now: int) -> TickCosts:
    """Of one partition; `now` in ms."""
    async with reach(run.settings) as opened:
        store = opened.store
        place = Place(PARTITION, run.partitions, run.names.prefix, run.names.events)
        process = StateProcess(place, store, lambda _: None)
        await process.open()

        async def tick(at: int) -> None:
            value = encode_control(Tick(at))
            await process.apply([Logged(process.watermark.offset, at, None, value)])

        await tick(now)  # what is due by now is not of interest
        due = await store.due(PARTITION, FAR, PORTION_MAX)
        until = await _instant(store, now, len(due)) if due else now
        return TickCosts(
            look=await _median(lambda: store.due(PARTITION, now, PORTION_MAX)),
            look_due=await _median(lambda: store.due(PARTITION, until, PORTION_MAX)),
            tick=await _median(lambda: tick(now)),
            tick_due=await _seconds(lambda: tick(until)),
            due=len(due),
        )


async def _instant(store: RedisStore, now: int, wanted: int) -> int:
    """The first at which so many are due."""
    low, high = now, FAR
    while low < high:
        middle = (low + high) // 2
        if len(await store.due(PARTITION, middle, wanted)) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


async def _median(work: Callable[[], Awaitable[object]]) -> float:
    return statistics.median([await _seconds(work) for _ in range(TIMES)])


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun
