"""Everyday faults under load: the triggers are those of a quiet run, each once."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.e2e.harness import Pipe, Stage, pipe, verify
from tests.e2e.load import make, rulebook
from tests.e2e.looking import during, log_faults, summary
from tests.e2e.quiet import BROKEN, Quiet

Fault = Callable[[Pipe], Awaitable[None]]

pytestmark = [pytest.mark.kafka, pytest.mark.redis]


def told(running: Pipe, what: str) -> None:
    """Figures, shown with -s."""
    read = running.read
    print(
        f"\n{what}: visible {summary(read.lateness())} after the deadline;"
        f" fired {summary(read.fired_late())}"
    )


def test_a_quiet_run_and_signatures_after_the_call(quiet: Quiet) -> None:
    told(quiet.pipe, "quiet")
    verify(quiet.load, quiet.pipe, quiet.late, dead=len(BROKEN))
    reasons = {retraction["reason"] for retraction in quiet.pipe.read.of("retraction")}
    assert reasons == {"cancelled_after_fire"}
    assert quiet.fallen == []


async def test_a_worker_is_killed_and_comes_back(stage: Stage, tmp_path: Path) -> None:
    load = make(650, 6.0, seed=2)
    async with pipe(stage, tmp_path, workers=2, book=rulebook("4s")) as running:

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
    assert log_faults(tmp_path) == []


async def run(
    stage: Stage, folder: Path, after: str, fault: Fault, what: str, *, seconds: float = 10
) -> None:
    """Load under the fault; no worker may end by itself."""
    load = make(int(78 * seconds), seconds, seed=3)
    async with pipe(stage, folder, workers=2, book=rulebook(after)) as running:
        await during(running.send(load), fault(running))
        assert running.fallen() == []
        await running.taken_over(40)
        await running.decided(load, 60)
        told(running, what)
        verify(load, running)
        assert running.fallen() == []
    assert log_faults(folder) == []


@pytest.mark.slow
async def test_a_worker_joins_and_leaves(stage: Stage, tmp_path: Path) -> None:
    async def fault(running: Pipe) -> None:
        await asyncio.sleep(2.5)
        third = running.worker()
        await third.start()
        print(f"\njoined: all owned after {await running.taken_over(40):.1f} s")
        await asyncio.sleep(2)
        begun = time.monotonic()
        await third.stop()
        running.workers.remove(third)
        print(f"left in {time.monotonic() - begun:.1f} s")
        print(f"all owned after {await running.taken_over(40):.1f} s more")

    await run(stage, tmp_path, "6s", fault, "join and leave")


@pytest.mark.slow
async def test_redis_restarts(stage: Stage, tmp_path: Path) -> None:
    async def fault(_: Pipe) -> None:
        await asyncio.sleep(4)
        await stage.redis.restart()
        await asyncio.sleep(6)
        await stage.redis.restart()

    await run(stage, tmp_path, "6s", fault, "Redis restarted")


@pytest.mark.slow
async def test_redis_is_killed_and_comes_back(stage: Stage, tmp_path: Path) -> None:
    async def fault(_: Pipe) -> None:
        for _time in range(2):
            await asyncio.sleep(4)
            stage.redis.kill()
            await asyncio.sleep(2)
            await stage.redis.start()

    await run(stage, tmp_path, "6s", fault, "Redis killed")


@pytest.mark.slow
async def test_the_broker_restarts(stage: Stage, tmp_path: Path) -> None:
    async def fault(_: Pipe) -> None:
        await asyncio.sleep(4)
        begun = time.monotonic()
        await stage.kafka.restart()
        print(f"\nthe broker was away for {time.monotonic() - begun:.1f} s")

    await run(stage, tmp_path, "20s", fault, "broker restarted")


@pytest.mark.slow
async def test_the_broker_is_killed_and_comes_back(stage: Stage, tmp_path: Path) -> None:
    async def fault(_: Pipe) -> None:
        await asyncio.sleep(4)
        begun = time.monotonic()
        stage.kafka.kill()
        await stage.kafka.start()
        print(f"\nthe broker was away for {time.monotonic() - begun:.1f} s")

    await run(stage, tmp_path, "20s", fault, "broker killed")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_worker_sleeps_beyond_its_session(stage: Stage, tmp_path: Path) -> None:
    """It wakes as a zombie: what it has in hand and in its outboxes must do no harm."""

    async def fault(running: Pipe) -> None:
        for worker in running.workers:
            await asyncio.sleep(4)
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGSTOP)
            await asyncio.sleep(14)
            os.kill(worker.pid, signal.SIGCONT)
            print(f"\nawake: all owned after {await running.taken_over(40):.1f} s")

    await run(stage, tmp_path, "6s", fault, "asleep for 14 s in turn", seconds=36)


@pytest.mark.slow
async def test_all_workers_are_killed_and_come_back(stage: Stage, tmp_path: Path) -> None:
    async def fault(running: Pipe) -> None:
        await asyncio.sleep(5)
        for worker in running.workers:
            worker.kill()
        killed = time.monotonic()
        await asyncio.gather(*(worker.start() for worker in running.workers))
        await running.taken_over(40)
        print(f"\nboth killed: all owned again after {time.monotonic() - killed:.1f} s")

    await run(stage, tmp_path, "6s", fault, "both killed")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_workers_are_killed_again_and_again(stage: Stage, tmp_path: Path) -> None:
    async def fault(running: Pipe) -> None:
        for pause in (3.1, 13.3, 5.7, 12.9, 2.2):
            await asyncio.sleep(pause)
            worker = running.workers[int(pause * 10) % 2]
            worker.kill()
            await worker.start()

    await run(stage, tmp_path, "6s", fault, "killed five times", seconds=36)
