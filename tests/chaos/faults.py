"""The faults: each is done to a scene, lasts, and is healed before it returns."""

import asyncio
import contextlib
import os
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Final

from tests.chaos.parts import ChaosWorker, Node, Store, in_sync
from tests.chaos.points import AT_REBALANCE, POINTS
from tests.chaos.proxy import Link
from tests.chaos.stage import Scene, waited

Fault = Callable[[Scene, random.Random], Awaitable[None]]

BEYOND_SESSION: Final = (12.0, 14.0)
REACH_SECONDS: Final = 15.0
"""How long a worker may take to come to a point."""
READY_SECONDS: Final = 40.0


class Bag:
    """Gives each of its things in random order before it gives one again."""

    def __init__(self, things: Sequence[str], rng: random.Random) -> None:
        self._things, self._rng = list(things), rng
        self._left: list[str] = []

    def draw(self) -> str:
        if not self._left:
            self._left = self._rng.sample(self._things, len(self._things))
        return self._left.pop()


# workers


@asynccontextmanager
async def _one(scene: Scene, rng: random.Random, point: str = "") -> AsyncIterator[ChaosWorker]:
    """A worker that is ready and in no other fault's hands; only the leader comes to a tick."""
    chosen = rng.choice(scene.workers)
    if point.endswith("tick") and scene.leader is not None:
        chosen = scene.leader
    async with chosen.lock:
        await waited(lambda: chosen.ready and chosen.running(), READY_SECONDS)
        yield chosen


def _kill(scene: Scene, worker: ChaosWorker, down: float) -> None:
    scene.notes.note(f"kill -9 of worker {worker.number}, down for {down:.1f} s")
    worker.ready = False
    worker.down_until = asyncio.get_running_loop().time() + down
    worker.kill()


async def kill(scene: Scene, rng: random.Random) -> None:
    """kill -9 at any instant, also while it starts."""
    worker = rng.choice(scene.workers)
    async with worker.lock:
        _kill(scene, worker, rng.choice([0.0, rng.uniform(0, 4), rng.uniform(8, 14)]))


async def kill_all(scene: Scene, rng: random.Random) -> None:
    for worker in scene.workers:
        _kill(scene, worker, rng.uniform(0, 2))
    await asyncio.sleep(5)


async def freeze(scene: Scene, rng: random.Random) -> None:
    """SIGSTOP beyond the session: it wakes as a zombie."""
    async with _one(scene, rng) as worker:
        scene.notes.note(f"SIGSTOP of worker {worker.number}")
        worker.signal(SIGSTOP)
        try:
            await asyncio.sleep(rng.uniform(*BEYOND_SESSION))
        finally:
            worker.signal(SIGCONT)
            scene.notes.note(f"SIGCONT of worker {worker.number}")


async def nap(scene: Scene, rng: random.Random) -> None:
    """SIGSTOP within the session."""
    async with _one(scene, rng) as worker:
        scene.notes.note(f"short SIGSTOP of worker {worker.number}")
        worker.signal(SIGSTOP)
        try:
            await asyncio.sleep(rng.uniform(0.5, 6))
        finally:
            worker.signal(SIGCONT)


def crash_at(point: str) -> Fault:
    """Die at a named point."""

    async def fault(scene: Scene, rng: random.Random) -> None:
        async with _one(scene, rng, point) as worker:
            worker.down_until = asyncio.get_running_loop().time() + rng.choice([0.0, 3.0])
            await _ordered(scene, rng, worker, point, "kill", lambda: worker.status == -SIGKILL)

    return fault


def freeze_at(point: str) -> Fault:
    """Freeze at a named point, beyond the session, and go on from there."""

    async def fault(scene: Scene, rng: random.Random) -> None:
        async with _one(scene, rng, point) as worker:
            try:
                if await _ordered(scene, rng, worker, point, "freeze", worker.stopped):
                    await asyncio.sleep(rng.uniform(*BEYOND_SESSION))
            finally:
                worker.signal(SIGCONT)
                scene.notes.note(f"SIGCONT of worker {worker.number}")

    return fault


async def _ordered(
    scene: Scene,
    rng: random.Random,
    worker: ChaosWorker,
    point: str,
    action: str,
    done: Callable[[], bool],
) -> bool:
    """Whether it came to the point in time."""
    if not (worker.running() and worker.ready):
        return False
    scene.notes.note(f"worker {worker.number} is to {action} {point}")
    worker.order(point, rng.randint(1, 3 if point not in AT_REBALANCE else 1), action)
    if point in AT_REBALANCE or point.endswith("open"):
        other = rng.choice([each for each in scene.workers if each is not worker])
        if not other.lock.locked():
            scene.notes.note(f"worker {other.number} is stopped, for a rebalance")
            await other.stop()
    if await waited(lambda: done() or not worker.running(), REACH_SECONDS) and done():
        scene.notes.points[f"{action} {point}"] += 1
        scene.notes.note(f"worker {worker.number}: {action} {point}")
        return True
    worker.withdraw()
    scene.notes.note(f"worker {worker.number} did not come to {point}")
    return False


async def rolling(scene: Scene, _: random.Random) -> None:
    """All workers, one after the other, in order."""
    for worker in scene.workers:
        async with worker.lock:
            scene.notes.note(f"worker {worker.number} is restarted in order")
            worker.ready = False
            await worker.stop()
            await waited(lambda worker=worker: worker.ready, READY_SECONDS)  # type: ignore[misc]


# Redis


async def redis_kill(scene: Scene, rng: random.Random) -> None:
    scene.store.kill()
    await asyncio.sleep(rng.uniform(0, 3))
    await scene.store.start()


async def redis_stop(scene: Scene, rng: random.Random) -> None:
    """It hangs."""
    store = scene.store
    _signal(store, frozen=True)
    try:
        await asyncio.sleep(rng.uniform(1, 8))
    finally:
        _signal(store, frozen=False)


async def redis_cut(scene: Scene, rng: random.Random) -> None:
    """Power loss: the end of the append-only file is missing from some byte on."""
    store = scene.store
    store.kill()
    files = sorted((store.home / "appendonlydir").glob("*.incr.aof"), key=_sequence)
    size = files[-1].stat().st_size
    cut = min(rng.randint(1, 1 << rng.randint(4, 20)), size // 3)
    with files[-1].open("r+b") as file:
        file.truncate(size - cut)
    scene.notes.note(f"{cut} of {size} bytes cut off {files[-1].name}")
    await store.start()


def _sequence(file: Path) -> int:
    return int(file.name.split(".")[-3])


async def redis_restore(scene: Scene, rng: random.Random) -> None:
    """Its data directory is put back to a copy."""
    store = scene.store
    copy = scene.folder / "redis-copy"
    await asyncio.to_thread(_copy, store.home / "appendonlydir", copy)
    age = rng.uniform(1, 5)
    await asyncio.sleep(age)
    store.kill()
    await asyncio.to_thread(_put_back, copy, store.home / "appendonlydir")
    scene.notes.note(f"redis put back by {age:.1f} s")
    await asyncio.sleep(rng.choice([0, rng.uniform(0, 2)]))
    await store.start()


def _copy(source: Path, target: Path) -> None:
    """While it is written: what is appended meanwhile does no harm, a new file would."""
    while True:
        shutil.rmtree(target, ignore_errors=True)
        before = sorted(file.name for file in source.iterdir())
        with contextlib.suppress(OSError):
            shutil.copytree(source, target)
            if before == sorted(file.name for file in source.iterdir()):
                return


def _put_back(copy: Path, target: Path) -> None:
    shutil.rmtree(target)
    copy.rename(target)


async def redis_failover(scene: Scene, rng: random.Random) -> None:
    """The primary dies, a replica that is behind takes over."""
    await _fail_over(scene, rng, split=False)


async def redis_split(scene: Scene, rng: random.Random) -> None:
    """For a while some workers write to the old primary and some to the new one."""
    await _fail_over(scene, rng, split=True)


async def _fail_over(scene: Scene, rng: random.Random, *, split: bool) -> None:
    old = scene.store
    way = Link(old.port)
    await way.start()
    new = Store(scene.folder / f"redis-{scene.stores}")
    scene.stores += 1
    new.primary = way.port
    await new.start()
    if not await new.synchronized(20):
        scene.notes.note("the replica did not synchronize: no failover")
        await new.close()
        await way.close()
        return
    way.swallow_replies = True  # what its primary sends
    behind = rng.choice([0.0, rng.uniform(0.2, 4)])
    await asyncio.sleep(behind)
    if not split:
        old.kill()
    await new.ask("REPLICAOF", "NO", "ONE")
    new.primary = None
    await way.close()
    if split:
        some = rng.sample(scene.workers, rng.randint(1, len(scene.workers) - 1))
        scene.repoint(new, some)
        names = ", ".join(str(worker.number) for worker in some)
        scene.notes.note(f"workers {names} write to the replica, the others to the old primary")
        await asyncio.sleep(rng.uniform(1, 5))
    scene.repoint(new, scene.workers)
    scene.store = new
    old.kill()
    await old.close()
    scene.notes.note(f"a replica {behind:.1f} s behind was promoted")


async def redis_flush(scene: Scene, _: random.Random) -> None:
    await scene.store.ask("FLUSHALL")


# brokers


async def broker_kill(scene: Scene, rng: random.Random) -> None:
    node = rng.choice(scene.nodes)
    scene.notes.note(f"kill -9 of broker {node.number}")
    node.kill()
    await asyncio.sleep(rng.uniform(0, 2))
    await node.start()
    await _settled(scene)


async def broker_restart(scene: Scene, rng: random.Random) -> None:
    node = rng.choice(scene.nodes)
    scene.notes.note(f"restart of broker {node.number}")
    await node.restart()
    await _settled(scene)


async def broker_stop(scene: Scene, rng: random.Random) -> None:
    """It hangs; of three beyond its session, so that others lead."""
    node = rng.choice(scene.nodes)
    scene.notes.note(f"SIGSTOP of broker {node.number}")
    _signal(node, frozen=True)
    try:
        await asyncio.sleep(rng.uniform(2, 8 if len(scene.nodes) > 1 else 5))
    finally:
        _signal(node, frozen=False)
    await _settled(scene)


async def _settled(scene: Scene) -> None:
    if len(scene.nodes) > 1 and not await in_sync(scene.nodes, 45):
        scene.notes.note("the replicas are not in sync")


def _signal(part: Node | Store, *, frozen: bool) -> None:
    if part.running() and part.pid is not None:
        os.kill(part.pid, SIGSTOP if frozen else SIGCONT)


# links


def _links(scene: Scene, rng: random.Random) -> list[Link]:
    """To Redis or to the brokers, of one worker or of all."""
    some = rng.choice([scene.workers, [rng.choice(scene.workers)]])
    to_redis = rng.random() < 0.5
    names = ", ".join(str(worker.number) for worker in some)
    scene.notes.note(f"links of workers {names} to {'redis' if to_redis else 'kafka'}")
    if to_redis:
        return [worker.link for worker in some]
    return [link for worker in some for link in scene.kafka_links(worker.number)]


async def _while(links: Sequence[Link], seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        for link in links:
            link.heal()


async def link_delay(scene: Scene, rng: random.Random) -> None:
    links, delay = _links(scene, rng), rng.choice([0.05, 0.3, 1.0])
    for link in links:
        link.delay = delay
    await _while(links, rng.uniform(3, 8))


async def link_reset(scene: Scene, rng: random.Random) -> None:
    links = _links(scene, rng)
    for _ in range(rng.randint(1, 12)):
        for link in links:
            link.reset()
        await asyncio.sleep(rng.uniform(0.01, 0.6))


async def link_half_open(scene: Scene, rng: random.Random) -> None:
    """Requests get lost, or replies to requests that were served, or both."""
    links = _links(scene, rng)
    requests, replies = rng.choice([(True, False), (False, True), (True, True)])
    for link in links:
        link.swallow_requests, link.swallow_replies = requests, replies
    await _while(links, rng.uniform(1, 13))


async def link_drip(scene: Scene, rng: random.Random) -> None:
    links = _links(scene, rng)
    for link in links:
        link.drip = True
    await _while(links, rng.uniform(3, 8))


KINDS: Final[Mapping[str, Mapping[str, Fault]]] = {
    "workers": {
        "kill": kill,
        "kill-all": kill_all,
        "freeze": freeze,
        "nap": nap,
        "rolling": rolling,
        "crash-point": crash_at(""),
        "freeze-point": freeze_at(""),
    },
    "servers": {
        "redis-kill": redis_kill,
        "redis-stop": redis_stop,
        "redis-cut": redis_cut,
        "redis-restore": redis_restore,
        "redis-failover": redis_failover,
        "redis-split": redis_split,
        "redis-flush": redis_flush,
        "broker-kill": broker_kill,
        "broker-restart": broker_restart,
        "broker-stop": broker_stop,
    },
    "links": {
        "link-delay": link_delay,
        "link-reset": link_reset,
        "link-half-open": link_half_open,
        "link-drip": link_drip,
    },
}
"""By lane: the faults of one lane come one after the other, lanes overlap."""

ON_REQUEST: Final = frozenset({"redis-flush"})
"""Only where it is named: a worker that starts into it rightly refuses, and the log is long."""
USUAL: Final = tuple(kind for lane in KINDS.values() for kind in lane if kind not in ON_REQUEST)
OFTEN: Final = {"crash-point": 6, "freeze-point": 2, "kill": 2, "redis-cut": 2, "redis-restore": 2}
"""So many in a bag that has one of each other kind."""
PAUSES: Final = {"workers": (2.0, 14.0), "servers": (5.0, 13.0), "links": (6.0, 16.0)}
"""Seconds between the faults of a lane."""


async def lane(scene: Scene, name: str, kinds: Sequence[str], seed: int, until: float) -> None:
    """Faults of one lane until that time of the loop; what has begun is healed.

    Each fault has a generator of its own: how it goes must not change which ones come after it.
    """
    rng = random.Random(f"{name} {seed}")
    bag = Bag([kind for kind in kinds for _ in range(OFTEN.get(kind, 1))], rng)
    crashes, freezes = Bag(POINTS, rng), Bag(POINTS, rng)
    loop = asyncio.get_running_loop()
    for number in count():
        pause = rng.uniform(*PAUSES[name])
        if loop.time() + pause >= until:
            return
        await asyncio.sleep(pause)
        kind = bag.draw()
        match kind:
            case "crash-point":
                fault = crash_at(crashes.draw())
            case "freeze-point":
                fault = freeze_at(freezes.draw())
            case _:
                fault = KINDS[name][kind]
        scene.notes.faults[kind] += 1
        scene.notes.note(f"begin {kind}")
        await fault(scene, random.Random(f"{name} {seed} {number}"))
        scene.notes.note(f"end {kind}")
