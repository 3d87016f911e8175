"""Guard: whether decoding and the pure fold became grossly slower; a few seconds, for CI.

What one raw event costs to decode and route, and to fold in memory, as a multiple of what it costs
to only read and write it: orjson there and back for the raw call, msgspec there and back for a
record of ours (the ceiling's work). All three in turn, in one process, by its CPU time; the ratio
of medians over some rounds. The exit status is 1 if a ratio is more than twice the one kept in
`guard.json`, three times in a row: a busy or other machine does not do that, a slip of an order
does. `--store` keeps what is measured now.
"""

import asyncio
import gc
import statistics
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from pipeline.wire.records import Announce, Enforce, encode_control
from pipeline.worker import memory
from tests.bench.figures import aligned
from tests.bench.fold import BEGIN, Folding, check, fold, normalized, rulebook
from tests.bench.generator import Load, Pace, make
from tests.bench.job import WAIT

KEPT: Final = Path(__file__).with_name("guard.json")
EVENTS: Final = 2_000
ROUNDS: Final = 5
BATCH: Final = 500
FACTOR: Final = 2.0
"""Worse by this is gross."""
TRIES: Final = 3

Ratios = Mapping[str, float]


def main(given: Namespace) -> int:
    """Exit status: 1 where a ratio is grossly worse than the one kept."""
    memory.settle()  # as a worker does
    if given.store:
        found = asyncio.run(measure())
        KEPT.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
        print(f"kept in {KEPT.name}: {found}")
        return 0
    kept: Ratios = orjson.loads(KEPT.read_bytes())
    wrong: list[str] = []
    for _ in range(TRIES):
        found = asyncio.run(measure())
        print(table(found, kept))
        wrong = worse(found, kept)
        if not wrong:
            return 0
    print("\n".join(wrong))
    return 1


def worse(found: Ratios, kept: Ratios) -> list[str]:
    """What became grossly slower, a line each."""
    return [
        f"{what} costs {found[what]:.1f} times what reading and writing does; {ratio:.1f} times is"
        f" kept, {FACTOR:.0f} times that is too much: mend it, or keep it with `guard --store`"
        for what, ratio in kept.items()
        if found[what] > FACTOR * ratio
    ]


def table(found: Ratios, kept: Ratios) -> str:
    """Ratios beside those that are kept."""
    rows = [("times the ceiling's work of an event", "now", "kept", "at most")]
    for what, ratio in kept.items():
        rows.append((what, f"{found[what]:.2f}", f"{ratio:.2f}", f"{ratio * FACTOR:.2f}"))
    return aligned(rows)


async def measure() -> dict[str, float]:
    """Ratios of medians."""
    load = make(EVENTS, Pace(BEGIN, span=60.0))
    calls = [call.value for call in load.calls]
    records = [entry.value for entry in normalized(load, BATCH) if entry.value is not None]
    seconds: dict[str, list[float]] = {"ceiling": [], "decode": [], "fold": []}
    for _ in range(ROUNDS):
        seconds["ceiling"].append(await _spent(lambda: _ceiling(calls, records)))
        seconds["decode"].append(await _spent(lambda: _decode(load)))
        seconds["fold"].append(await _folded(load))
    middle = {what: statistics.median(found) for what, found in seconds.items()}
    return {what: round(middle[what] / middle["ceiling"], 2) for what in ("decode", "fold")}


async def _ceiling(calls: list[bytes], records: list[bytes]) -> None:
    decode, encode = msgspec.msgpack.Decoder().decode, msgspec.msgpack.Encoder().encode
    for call in calls:
        orjson.dumps(orjson.loads(call))
    for record in records:
        encode(decode(record))


async def _decode(load: Load) -> None:
    normalized(load, BATCH)


async def _folded(load: Load) -> float:
    folding, digest = Folding(BATCH), "d" * 32
    await folding.control(encode_control(Announce(digest, rulebook())))
    await folding.control(encode_control(Enforce(digest)))
    entries = normalized(load, BATCH)
    end = BEGIN + int((Pace(BEGIN, 60.0).length + 2 * WAIT) * 1000)
    spent = await _spent(lambda: fold(folding, entries, end))
    check(load, folding.outputs)
    return spent


async def _spent(work: Callable[[], Awaitable[Any]]) -> float:
    """CPU seconds of this process."""
    gc.collect()
    begun = time.process_time()
    await work()
    return time.process_time() - begun
