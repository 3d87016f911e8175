"""Events a second of the pure fold: no Kafka, no Redis, one process, state in memory.

    python -m tests.bench.fold [--events N] [--batch N] [--profile]

Three figures: decoding and routing raw records; folding what came of them, batch by batch as a
worker does, with what entities tell each other; and `Replay`, which takes one record after the
other as `pipeline test` and backtests do. With --profile: where the fold's time goes.
"""

import argparse
import asyncio
import cProfile
import pstats
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import yaml

from pipeline.adapters.memory_store import MemoryStore
from pipeline.ports import Entry
from pipeline.process.normalize import Normalizer
from pipeline.process.portion import Place
from pipeline.process.replay import EVENTS_TOPIC, RAW_TOPIC, Logged, Replay
from pipeline.process.state import Committed, StateProcess
from pipeline.rulebook.compile import canonical_document
from pipeline.wire.records import Announce, Enforce, Tick, encode_control
from pipeline.worker import memory
from tests.bench.arguments import positive
from tests.bench.expected import Found, faults
from tests.bench.generator import Load, Pace, make
from tests.bench.job import PARTITIONS, RULEBOOK, WAIT, Json

BEGIN: Final = 1_772_323_200_000
TOP: Final = 5


class Folding:
    """The state processes of all partitions, and a log between them that is a few queues."""

    def __init__(self, batch: int) -> None:
        """`batch` is how many records a process is given at once."""
        self.batch, self.now, self.taken = batch, BEGIN, 0
        self.outputs: list[Entry] = []
        self._store = MemoryStore()
        self._logs: list[deque[Logged]] = [deque() for _ in range(PARTITIONS)]
        self._ends = [0] * PARTITIONS
        places = [Place(n, PARTITIONS, "", EVENTS_TOPIC) for n in range(PARTITIONS)]
        self._processes = [StateProcess(place, self._store, self._committed) for place in places]

    def publish(self, entries: Sequence[Entry]) -> None:
        """Append to the log."""
        for entry in entries:
            assert entry.partition is not None
            self._append(entry.partition, entry.value)

    async def control(self, *values: bytes) -> None:
        """Append to every partition, and take it."""
        for value in values:
            for partition in range(PARTITIONS):
                self._append(partition, value)
        await self.settle()

    async def settle(self) -> None:
        """Take everything, also what comes of it."""
        while any(self._logs):
            for number, log in enumerate(self._logs):
                records = [log.popleft() for _ in range(min(self.batch, len(log)))]
                if not records:
                    continue
                process = self._processes[number]
                await process.apply(records)
                self.taken += len(records)
                for internal in (True, False):
                    await self._store.trim(number, internal=internal, upto=process.watermark)

    def _append(self, partition: int, value: bytes | None) -> None:
        self._logs[partition].append(Logged(self._ends[partition], self.now, None, value))
        self._ends[partition] += 1

    def _committed(self, committed: Committed) -> None:
        self.publish(committed.internal)
        self.outputs += committed.outward


def rulebook() -> Json:
    """The job's."""
    return canonical_document({"journeys": [yaml.safe_load(RULEBOOK % WAIT)]})


def normalized(load: Load, batch: int) -> list[Entry]:
    """Raw records decoded and routed."""
    normalizer = Normalizer(PARTITIONS, "US", EVENTS_TOPIC, "segment.dead-letter")
    entries: list[Entry] = []
    for first in range(0, len(load.calls), batch):
        records = [
            Logged(first + n, BEGIN + int(call.due * 1000), None, call.value)
            for n, call in enumerate(load.calls[first : first + batch])
        ]
        entries += normalizer.normalize(RAW_TOPIC, 0, records).events
    return entries


async def fold(folding: Folding, entries: Sequence[Entry], end: int) -> None:
    """All of it, and at last a tick at which every wait is due."""
    step = folding.batch * PARTITIONS
    for first in range(0, len(entries), step):
        folding.publish(entries[first : first + step])
        await folding.settle()
    folding.now = end
    await folding.control(encode_control(Tick(end)))


async def replay(load: Load, end: int) -> Sequence[Entry]:
    """One record after the other."""
    replaying = Replay(MemoryStore())
    replaying.now = BEGIN
    await replaying.enforce(rulebook(), "d" * 32)
    for call in load.calls:
        await replaying.feed(call.value, BEGIN + int(call.due * 1000))
    await replaying.advance(end)
    return replaying.outputs


def check(load: Load, outputs: Sequence[Entry]) -> None:
    """Ends the program where the results are wrong."""
    if wrong := faults(Found.of(outputs), [load]):
        sys.exit(f"WRONG RESULT, no figure: {'; '.join(wrong)}")


def costs(profile: cProfile.Profile, events: int) -> list[str]:
    """The largest own times, in microseconds an event; the profiler makes all of it slower."""
    stats = pstats.Stats(profile).get_stats_profile()
    total = stats.total_tt
    productive = [  # the queues here stand for Kafka
        (name, found)
        for name, found in stats.func_profiles.items()
        if not found.file_name.endswith("bench/fold.py")
    ]
    largest = sorted(productive, key=lambda item: -item[1].tottime)[:TOP]
    return [
        f"{found.tottime / events * 1e6:7.2f} us  {found.tottime / total:5.1%}"
        f"  {int(found.ncalls.split('/')[0]) / events:6.2f} calls"
        f"  {name} ({'/'.join(found.file_name.split('/')[-2:])}:{found.line_number})"
        for name, found in largest
    ]


async def measure(events: int, batch: int, *, profile: bool) -> None:
    """Print the figures, or the profile."""
    pace = Pace(BEGIN, span=600.0)
    load = make(events, pace)
    end, count = BEGIN + int((pace.length + 2 * WAIT) * 1000), len(load.calls)
    begun = time.perf_counter()
    entries = normalized(load, batch)
    _tell("decode and route", count, time.perf_counter() - begun)

    folding = Folding(batch)
    digest = "d" * 32
    await folding.control(encode_control(Announce(digest, rulebook())))
    await folding.control(encode_control(Enforce(digest)))
    profiler = cProfile.Profile()
    begun = time.perf_counter()
    if profile:
        profiler.enable()
    await fold(folding, entries, end)
    profiler.disable()
    seconds = time.perf_counter() - begun
    check(load, folding.outputs)
    if profile:
        print("\n".join(costs(profiler, count)))
        return
    _tell(f"fold, {folding.taken / count:.2f} records an event", count, seconds)

    begun = time.perf_counter()
    outputs = await replay(load, end)
    seconds = time.perf_counter() - begun
    check(load, outputs)
    _tell("replay, one by one", count, seconds)


def _tell(what: str, events: int, seconds: float) -> None:
    print(f"{what:34}{events / seconds:>10,.0f} events/s{seconds / events * 1e6:>9.1f} us each")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fold")
    parser.add_argument("--events", type=positive, default=20_000)
    parser.add_argument(
        "--batch", type=positive, default=500, help="records of a partition at once"
    )
    parser.add_argument("--profile", action="store_true", help="the five largest costs")
    given = parser.parse_args()
    memory.settle()  # as a worker does
    asyncio.run(measure(given.events, given.batch, profile=given.profile))


if __name__ == "__main__":
    main()
