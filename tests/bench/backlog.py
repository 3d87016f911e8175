"""Catch-up: a backlog is there before the workers start, and they drain it at their full rate.

A system's time runs from the first byte that it has written to any topic until the last trigger is
visible to a reader with read_committed and the last contact is there: start-up is left out, all
else from raw event to committed state and published outputs is in.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer

from pipeline.commands.reach import reach
from pipeline.local.part import Part
from pipeline.local.worker import Worker
from pipeline.process.rulebook_change import apply_rulebook
from pipeline.rulebook.load import document_digest, load_document
from tests.bench.expected import faults
from tests.bench.generator import Load
from tests.bench.job import PARTITIONS, RULEBOOK, WORKERS, Json
from tests.bench.measure import Usage, watched
from tests.bench.outcome import Seen, consumer, follow, read, settled, written
from tests.bench.stage import Run
from tests.bench.systems import BENCH_PYTHON, OURS, ROOT
from tests.bench.waiting import until

QUIET: Final = 2.0
"""So long nothing may have come before results are read: longer than any commit interval."""


class WrongResult(Exception):
    """No figure."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run. CPU in seconds for a million events, memory in MiB at its highest."""

    rate: float
    cpu: dict[str, float]
    memory: dict[str, float]
    others: float = 0.0
    """Cores that processes took which are no part of the run."""


async def drained(run: Run, load: Load, before: Sequence[Load] = (), seconds: float = 0) -> Figures:
    """Write the load, start the workers, wait for all of it; raises `WrongResult`.

    `before` is what the state holds already. After `seconds` it is given up.
    """
    await put_in_force(run)
    await send(run, load)
    await flush(run)
    before_it = run.size()
    async with workers(run) as parts:
        pids = {"workers": [part.pid for part in parts if part.pid], **run.pids}
        async with watched(pids) as usage:
            if not await until(lambda: run.size() > before_it, seconds):
                raise WrongResult(f"nothing was written within {seconds:.0f} s")
            begin = time.time()
            if run.system.copies:
                end = await _copied(run, len(load.calls), seconds)
            else:
                end = await _told(run, parts, load, before, seconds)
    return _figures(usage, len(load.calls), begin, end)


def _figures(usage: Usage, events: int, begin: float, end: float) -> Figures:
    return Figures(
        rate=events / (end - begin),
        cpu={g: usage.cpu(g, begin, end) / events * 1e6 for g in usage.samples},
        memory={g: usage.peak(g) / 2**20 for g in usage.samples},
        others=usage.others(begin, end),
    )


async def _told(
    run: Run, parts: Sequence[Part], load: Load, before: Sequence[Load], seconds: float
) -> float:
    """When the last of what must come was there."""
    seen = Seen()
    wanted = len(load.triggers) + sum(len(each.triggers) for each in before)
    following = asyncio.create_task(follow(run, seen))

    def over() -> bool:
        return following.done() or not any(part.running() for part in parts)

    try:
        await until(lambda: seen.count >= wanted or over(), seconds)
        await settled(run, QUIET)
    finally:
        following.cancel()
        await asyncio.wait([following])
    outcome = await read(run)
    wrong = faults(outcome.found, [*before, load])
    if wrong:
        raise WrongResult("; ".join(wrong))
    return max(outcome.last, seen.at)


async def _copied(run: Run, wanted: int, seconds: float) -> float:
    """When the last copy was there."""
    limit = time.monotonic() + seconds
    async with consumer(run, run.copies) as reading:
        while time.monotonic() < limit:
            if await written(reading) >= wanted:
                return time.time()
            await asyncio.sleep(0.01)
        raise WrongResult(f"{await written(reading)} of {wanted} copied in {seconds:.0f} s")


async def put_in_force(run: Run, extra: Sequence[str] = ()) -> None:
    """The rulebook, where the system is ours; `extra` are further journeys."""
    if run.system != OURS:
        return
    folder = run.folder / "rulebook" / "journeys"
    folder.mkdir(parents=True, exist_ok=True)
    for nth, text in enumerate((RULEBOOK % run.wait, *extra)):
        (folder / f"{nth}.yaml").write_text(text)
    document = load_document(folder.parent)
    async with reach(run.settings) as opened:
        await apply_rulebook(document, document_digest(document), await opened.log(), PARTITIONS)


async def send(run: Run, load: Load, begin: int | None = None) -> int:
    """Write a load, each call at its time if `begin` (ms) is given; the worst delay in ms."""
    file = run.folder / "load"
    with file.open("wb") as lines:
        for call in load.calls:
            lines.write(b"%.4f\t%s\t%s\n" % (call.due, call.key.encode(), call.value))
    words = [run.stage.kafka.address, run.names.raw, str(file)]
    process = await asyncio.create_subprocess_exec(
        *(str(BENCH_PYTHON), "-m", "tests.bench.send", *words, *([str(begin)] if begin else [])),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    file.unlink()
    if process.returncode:
        raise WrongResult("the load could not be sent")
    return int(said)


async def flush(run: Run) -> None:
    """A last record in each raw partition for those who need it."""
    if not run.system.flush:
        return
    producer = AIOKafkaProducer(bootstrap_servers=run.stage.kafka.address)
    async with producer:
        for number in range(PARTITIONS):
            await producer.send(run.names.raw, b'{"type":"flush"}', key=b"flush", partition=number)


@asynccontextmanager
async def workers(run: Run) -> AsyncIterator[Sequence[Part]]:
    """Run the workers of the system; the block begins when they are processes, not when ready."""
    made: Sequence[Part]
    if run.system == OURS:
        homes = [run.folder / f"worker-{nth}" for nth in range(WORKERS)]
        made = [Worker(run.environment, home=home) for home in homes]
    else:
        made = run.system.processes(run.environment, run.folder)
    async with AsyncExitStack() as stack:
        for part in made:
            stack.push_async_callback(part.close)
        starting = [asyncio.create_task(part.start()) for part in made]
        stack.push_async_callback(_over, starting)
        await until(lambda: all(part.pid for part in made) or any(t.done() for t in starting), 60)
        yield made


async def _over(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def last_words(run: Run) -> Json:
    """The end of each worker's log, for a run that went wrong."""
    logs = sorted(Path(run.folder).glob("worker-*/worker.log"))
    return {log.parent.name: log.read_text(errors="replace")[-800:] for log in logs}
