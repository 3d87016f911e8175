"""Everyday faults under load: the triggers are those of a quiet run, each once."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from tests.e2e.harness import Pipe, Stage, during, pipe, summary, verify
from tests.e2e.load import Load, make

pytestmark = [pytest.mark.kafka, pytest.mark.redis]


def told(running: Pipe, what: str) -> None:
    """Figures, shown with -s."""
    read = running.read
    print(
        f"\n{what}: visible {summary(read.lateness())} after the deadline;"
        f" fired {summary(read.fired_late())}"
    )


async def test_a_quiet_run_and_signatures_after_the_call(stage: Stage, tmp_path: Path) -> None:
    load = make(390, 4.0)
    async with pipe(stage, tmp_path, workers=1, after="3s") as running:
        await running.send(load)
        await running.decided(load, 30)
        verify(load, running)
        told(running, "quiet")
        late = await running.sign_late(load)
        await running.until(lambda: len(running.read.of("retraction")) >= len(late), 20)
        verify(load, running, late)
        assert {r["reason"] for r in running.read.of("retraction")} == {"cancelled_after_fire"}
        assert running.fallen() == []


async def test_a_worker_is_killed_and_comes_back(stage: Stage, tmp_path: Path) -> None:
    load = make(650, 6.0, seed=2)
    async with pipe(stage, tmp_path, workers=2, after="4s") as running:

        async def kill() -> None:
            await asyncio.sleep(4.5)  # some decided, some waiting, some on their way
            running.workers[0].kill()
            killed = time.monotonic()
            await running.workers[0].start()
            await running.taken_over(40)
            print(f"\nkill -9: all partitions owned again after {time.monotonic() - killed:.1f} s")

        await during(running.send(load), kill())
        await running.decided(load, 60)
        told(running, "kill -9")
        verify(load, running)
        assert running.fallen() == []


async def fault_run(running: Pipe, load: Load, *faults: object) -> None:
    pass
