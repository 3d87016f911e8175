"""Profile: where the time of a worker goes while it drains a backlog, by py-spy.

One worker takes everything; py-spy looks at its Python stacks 200 times a second from its first
record to its last, threads that wait left out. Samples become microseconds an event by the CPU
that the process used meanwhile. `own` is time in the function itself (C code that it calls counts
as its own), `cumulative` with all that it calls, but for what is above nearly all of the thread.
py-spy must be allowed to read the worker: on
Linux as root, or with `sysctl kernel.yama.ptrace_scope=0`.
"""

import asyncio
import signal
import time
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.bench.backlog import Draining, backlog, patience
from tests.bench.driving import WrongResult, put_in_force, send, workers
from tests.bench.stacks import parsed, told
from tests.bench.stage import Stage, run_of
from tests.bench.systems import BENCH_PYTHON, OURS

RATE: Final = 200
PY_SPY: Final = BENCH_PYTHON.parent / "py-spy"


async def main(stage: Stage, given: Namespace) -> bool:
    """Print the largest costs; tells whether the result was right."""
    if not PY_SPY.exists():
        print("py-spy is not installed in .cache/bench: run `make bench`")
        return False
    load = backlog(given.events or 200_000)
    async with run_of(stage, OURS, 0) as run:
        await put_in_force(run)
        await send(run, load)
        draining = Draining(run, load, patience(load.count))
        stacks = run.folder / "stacks"
        async with draining.ready():
            began = time.time()
            async with workers(run, 1) as (part,):
                assert part.pid
                over = asyncio.create_task(draining.over([part], began))
                begun = asyncio.create_task(draining.begun.wait())
                await asyncio.wait([over, begun], return_when=asyncio.FIRST_COMPLETED)
                try:
                    async with spied(part.pid, stacks):
                        figures = await over
                except WrongResult as wrong:
                    print(f"WRONG RESULT, no figure: {wrong}")
                    return False
        lines = stacks.read_text().splitlines()
    used = figures.cpu["workers"]
    print(
        f"{load.count:,} events, {figures.rate:,.0f} events/s, worker {used:.1f} us of CPU an event"
    )
    for text in told(parsed(lines), used):
        print(text)
    return True


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
