"""What is done to a system in a run: rules in force, a load sent, workers started."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiokafka import AIOKafkaProducer

from pipeline.commands.reach import reach
from pipeline.local.part import Part
from pipeline.local.worker import Worker
from pipeline.process.rulebook_change import apply_rulebook
from pipeline.rulebook.load import document_digest, load_document
from tests.bench.generator import Load
from tests.bench.job import PARTITIONS, RULEBOOK, WORKERS, Json
from tests.bench.stage import Run
from tests.bench.systems import BENCH_PYTHON, OURS, ROOT
from tests.bench.waiting import until


class WrongResult(Exception):
    """No figure."""


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
        digest = document_digest(document)
        await apply_rulebook(document, digest, await opened.log(), run.partitions)


async def send(run: Run, load: Load, begin: int | None = None) -> int:
    """Write a load, each call at its time if `begin` (ms) is given; the worst delay in ms.

    The load keeps what must come of it, its calls are gone.
    """
    file = run.folder / "load"
    with file.open("wb") as lines:
        for call in load.calls:
            lines.write(b"%.4f\t%s\t%s\n" % (call.due, call.key.encode(), call.value))
    load.forget()
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
async def workers(run: Run, count: int = WORKERS) -> AsyncIterator[Sequence[Part]]:
    """Run workers of the system; the block begins when they are processes, not when ready."""
    made: Sequence[Part]
    if run.system == OURS:
        again = len(list(run.folder.glob("worker-*")))
        homes = [run.folder / f"worker-{again + nth}" for nth in range(count)]
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
