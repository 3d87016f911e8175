"""Profile: where the time of a worker goes, by py-spy, in catch-up or at a steady rate.

One worker drains a backlog; with --rate two of them take so many calls a second, each call at its
time, and one is looked at. py-spy looks at Python stacks 200 times a second, threads that wait left
out. Samples become microseconds an event by the CPU that was used meanwhile. `own` is time in the
function itself (C code that it calls counts as its own), `cumulative` with all that it calls, but
for what is above nearly all of the thread. py-spy must be allowed to read the worker: on Linux as
root, or with `sysctl kernel.yama.ptrace_scope=0`.
"""

import asyncio
import signal
import time
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.bench import holding, job
from tests.bench.backlog import Draining, backlog, patience
from tests.bench.driving import WrongResult, put_in_force, send, workers
from tests.bench.generator import Load
from tests.bench.holding import WARM_UP, Arrivals, held, made_ahead, taken
from tests.bench.measure import watched
from tests.bench.outcome import following
from tests.bench.stacks import parsed, told
from tests.bench.stage import Run, Stage, run_of
from tests.bench.systems import BENCH_PYTHON, OURS

RATE: Final = 200
PY_SPY: Final = BENCH_PYTHON.parent / "py-spy"


async def main(stage: Stage, given: Namespace) -> bool:
    """Print the largest costs; tells whether the result was right."""
    if not PY_SPY.exists():
        print("py-spy is not installed in .cache/bench: run `make bench`")
        return False
    async with run_of(stage, OURS, 0, wait=holding.WAIT if given.rate else job.WAIT) as run:
        try:
            if given.rate:
                used = await _steady(run, given.rate, given.seconds)
            else:
                used = await _draining(run, given.events or 200_000)
        except WrongResult as wrong:
            print(f"WRONG RESULT, no figure: {wrong}")
            return False
        lines = (run.folder / "stacks").read_text().splitlines()
    for text in told(parsed(lines), used):
        print(text)
    return True


async def _draining(run: Run, events: int) -> float:
    """One worker in catch-up; its CPU, us an event."""
    load = backlog(events)
    await put_in_force(run)
    await send(run, load)
    draining = Draining(run, load, patience(load.count))
    async with draining.ready():
        began = time.time()
        async with workers(run, 1) as (part,):
            assert part.pid
            over = asyncio.create_task(draining.over([part], began))
            begun = asyncio.create_task(draining.begun.wait())
            await asyncio.wait([over, begun], return_when=asyncio.FIRST_COMPLETED)
            async with spied(part.pid, run.folder / "stacks"):
                figures = await over
    used = figures.cpu["workers"]
    print(
        f"{load.count:,} events, {figures.rate:,.0f} events/s, worker {used:.1f} us of CPU an event"
    )
    return used


async def _steady(run: Run, rate: int, seconds: int) -> float:
    """Two workers at a rate; the CPU of both, us an event."""
    await put_in_force(run)
    arrivals, loads = Arrivals(run), list[Load]()
    async with workers(run) as parts, following(run, arrivals.take, wait_ms=20):
        await held(run, arrivals, loads, WARM_UP / 5, 5.0)
        pids = [part.pid for part in parts if part.pid]
        begin, load = made_ahead(run, loads, rate, seconds)
        async with watched({"workers": pids} | run.pids) as usage:
            taking = asyncio.create_task(taken(run, arrivals, load, begin))
            await asyncio.sleep(begin / 1000 - time.time())
            async with spied(pids[0], run.folder / "stacks"):
                await asyncio.sleep(seconds)
            await taking
    span = (begin / 1000, begin / 1000 + seconds)
    took = {group: usage.cpu(group, *span) / seconds for group in usage.samples}
    used = took["workers"] / rate * 1e6
    shares = ", ".join(f"{group} {cores:.2f}" for group, cores in took.items())
    print(f"{rate:,} events/s for {seconds} s, cores: {shares}; {used:.1f} us of CPU an event")
    return used


@asynccontextmanager
async def spied(pid: int, stacks: Path) -> AsyncIterator[None]:
    """Sample a process while the block runs; its collapsed stacks are in the file afterwards."""
    words = [*("record", "--pid", str(pid), "--output", str(stacks), "--format", "raw")]
    words += [*("--rate", str(RATE), "--threads", "--function")]
    with stacks.with_suffix(".log").open("wb") as log:
        spy = await asyncio.create_subprocess_exec(str(PY_SPY), *words, stdout=log, stderr=log)
        try:
            yield
        finally:
            if spy.returncode is None:
                spy.send_signal(signal.SIGINT)  # it writes what it has
            await spy.wait()
    if not stacks.exists():
        raise WrongResult(f"py-spy: {stacks.with_suffix('.log').read_text()[-300:]}")
