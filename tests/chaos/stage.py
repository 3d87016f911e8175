"""What a run works on: the parts, who keeps them running, and what was noted meanwhile."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGUSR1
from typing import Final

from tests.chaos.parts import ChaosWorker, Node, Store
from tests.chaos.proxy import Link
from tests.e2e.harness import PARTITIONS
from tests.e2e.looking import metrics

LOOK: Final = 0.3
OUT_OF_REACH: Final = 3
"""Exit status of a worker for which the broker or Redis was away too long."""
ORDERED: Final = frozenset({None, 0, -SIGTERM, -SIGKILL, -SIGUSR1})
"""Ended by us; SIGTERM and SIGUSR1 where they came before it could take them."""


@dataclass
class Notes:
    """The run's diary."""

    file: Path
    begun: float = field(default_factory=time.monotonic)
    faults: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    """Of the named ones, how often they were reached."""
    gave_up: Counter[str] = field(default_factory=Counter)
    """Workers that ended by themselves, for want of a broker or of Redis."""
    halted: list[str] = field(default_factory=list)
    """Workers that ended and need a person: none may."""
    takeovers: list[float] = field(default_factory=list)
    """Seconds in which not every partition had an owner that answers."""

    def note(self, text: str) -> None:
        """With the seconds since the begin."""
        with self.file.open("a") as file:
            file.write(f"{time.time():.3f} {time.monotonic() - self.begun:8.3f} {text}\n")


class Scene:
    """The parts of a run."""

    def __init__(self, folder: Path, nodes: list[Node], store: Store, notes: Notes) -> None:
        self.folder, self.nodes, self.store, self.notes = folder, nodes, store, notes
        self.workers: list[ChaosWorker] = []
        self.stores = 1
        self.leader: ChaosWorker | None = None
        """Who ran the last barrier that was seen."""
        self.owning = 0
        """Partitions of all workers that answer."""
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []

    def kafka_links(self, worker: int) -> list[Link]:
        """A worker's ways to the brokers."""
        return [node.links[worker] for node in self.nodes]

    def repoint(self, store: Store, workers: list[ChaosWorker]) -> None:
        """Lead workers to another Redis."""
        for worker in workers:
            worker.link.point(store.port)

    def keep(self) -> None:
        """Keep workers running, and look who owns what."""
        self._tasks = [asyncio.create_task(self._keep(worker)) for worker in self.workers]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def close(self) -> None:
        """Let the workers leave in order; no more of them is started."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.stop() for worker in self.workers))
        for worker in self.workers:
            self._ended(worker)
            await worker.close()

    async def _keep(self, worker: ChaosWorker) -> None:
        loop = asyncio.get_running_loop()
        first = True
        while not self._closing:
            if not worker.running() and loop.time() >= worker.down_until:
                worker.ready = False
                if not first:
                    self._ended(worker)
                first = False
                failed = await worker.revive()
                if failed is None:
                    worker.ready = True
                    self.notes.note(f"worker {worker.number} is ready")
                else:
                    self.notes.note(f"worker {worker.number} did not become ready: {failed[:200]}")
            await asyncio.sleep(0.1)

    def _ended(self, worker: ChaosWorker) -> None:
        status = worker.status
        said = _last(worker.log)
        self.notes.note(f"worker {worker.number} ended, status {status}, last: {said}")
        if status in ORDERED:
            return
        if status == OUT_OF_REACH:
            self.notes.gave_up[said[:150]] += 1
        else:
            self.notes.halted.append(f"worker {worker.number}, status {status}: {said}")

    async def _watch(self) -> None:
        since: float | None = None
        while True:
            now = time.monotonic()
            self.owning = sum(await asyncio.gather(*map(self._owned, self.workers)))
            if self.owning == PARTITIONS:
                if since is not None:
                    self.notes.takeovers.append(now - since)
                    self.notes.note(f"all owned after {now - since:.1f} s")
                since = None
            elif since is None:
                since = now
            await asyncio.sleep(LOOK)

    async def _owned(self, worker: ChaosWorker) -> int:
        with contextlib.suppress(OSError, TimeoutError, KeyError, IndexError, ValueError):
            async with asyncio.timeout(1):
                found = await metrics(worker.port)
                barriers = found["pipeline_barrier_seconds_count", ""]
                if barriers > worker.barriers:
                    self.leader = worker
                worker.barriers = barriers
                return int(found["pipeline_partitions_owned", ""])
        return 0


async def waited(reached: Callable[[], bool], seconds: float) -> bool:
    """Whether it was reached in time."""
    until = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.02)
    return True


def _last(log: Path) -> str:
    """The line that tells why a worker ended."""
    lines = log.read_text(errors="replace").splitlines()[-30:] if log.exists() else []
    telling = [line for line in lines if line.startswith("pipeline: ")]
    return (telling or lines or ["it said nothing"])[-1][:400]
