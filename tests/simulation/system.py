"""Everything outside the workers: the servers, the group, the true time, the trace."""

import asyncio
from collections.abc import Callable
from random import Random

from faust.types import TP

from pipeline.names import Names
from pipeline.ports import Change, Mark, Store
from pipeline.process.holdings import CACHE_MAX
from pipeline.process.normalize import Normalizer
from tests.simulation.group import Group
from tests.simulation.kafka import Kafka
from tests.simulation.loop import Process, SimLoop
from tests.simulation.network import Network
from tests.simulation.producer import Cluster
from tests.simulation.redis import Client, Redis

NAMES = Names()
LOOK = 0.2
"""A sleep of the barrier at least so long is one between two looks at what is due."""


class Broken(AssertionError):
    """An invariant does not hold."""


class SimClock:
    """Fulfils `Clock` for one process; `skew` is how many ms it goes ahead.

    A look at what is due that would find nothing is left out: the leader's sleep goes on until
    something may be due.
    """

    def __init__(self, system: "System", process: Process) -> None:
        self._system = system
        self.skew = 0
        self._process = process

    def now(self) -> int:
        return self._system.wall() + self.skew

    async def sleep(self, seconds: float) -> None:
        if seconds == LOOK and not self._due_within(seconds):
            await self._system.idle(self)
            seconds *= self._system.rng.random() ** 2  # looks do not wait for what is due
        await asyncio.sleep(seconds)

    def _due_within(self, seconds: float) -> bool:
        due = self._system.redis.of(self._process.name).earliest()
        return due is not None and due <= self.now() + seconds * 1000


class System:
    """Of one seed."""

    def __init__(self, rng: Random, begin: int, raw_partitions: int, partitions: int) -> None:
        self.rng = rng
        self.begin = begin
        self.raw_partitions, self.partitions = raw_partitions, partitions
        self.loop = SimLoop(rng)  # type: ignore[abstract]  # what is not simulated is not called
        self.network = Network(self.loop)
        self.kafka = Kafka(self.loop, self.wall)
        self.cluster = Cluster(self.network, self.kafka)
        self.redis = Redis()
        tps = [TP(NAMES.raw, p) for p in range(raw_partitions)]
        tps += [TP(NAMES.events, p) for p in range(partitions)]
        self.group = Group(self.loop, self.kafka, tps, lambda text: self.note("group", text))
        self.normalizer = Normalizer(partitions, "US", NAMES.events, NAMES.dead_letters)
        self.normalize_gate = Gate()
        self.state_gates = [Gate() for _ in range(partitions)]
        self.restless = Gate(shut=True)
        """Open since something happened to Redis, or to what was fetched."""
        self.largest_fetch = 50
        self.keeps = CACHE_MAX
        """Entities in a worker's memory."""
        self.strays = 0
        """So many batches are lost between the fetch and their lane."""
        self.lines: list[tuple[float, str, str]] = []
        self.failures: list[tuple[str, BaseException]] = []
        self.before_tick: Callable[[Process], None] | None = None
        """A fault that waits for a leader which is about to append a tick."""
        self.on_take_over: Callable[[], None] = lambda: None
        """Told when a worker begins to take partitions over."""
        self.on_commit: Callable[[int, Mark | None, Change], None] = lambda *_: None
        self.on_part: Callable[[int, Mark], None] = lambda *_: None
        """Told of a commit that takes only a part of a record."""
        self._idle: list[tuple[SimClock, asyncio.Future[None]]] = []

    def wall(self) -> int:
        """True time, ms since 1970."""
        return self.begin + round(self.loop.now * 1000)

    def clock(self, process: Process) -> SimClock:
        return SimClock(self, process)

    def store(self, process: str) -> Store:
        return Client(self.network, self.redis, process, self._committed)

    def fetch_limit(self) -> int:
        """How many records a fetch brings: portions are cut anywhere."""
        return 1 + int(self.rng.random() ** 2 * self.largest_fetch)

    def note(self, who: str, text: str) -> None:
        self.lines.append((self.loop.now, who, text))

    def failed(self, who: str, error: BaseException) -> None:
        """A worker ends itself; what may do that is judged later."""
        self.failures.append((who, error))

    def broken(self, text: str) -> None:
        """Ends the run: an invariant does not hold."""
        self.note("judge", text)
        if self.loop.stopped is None:
            self.loop.stopped = Broken(text)

    def _committed(self, partition: int, expected: Mark | None, change: Change, ok: bool) -> None:
        if ok:
            self.on_commit(partition, expected, change)
            if change.watermark.index:
                self.on_part(partition, change.watermark)
            dues = [due for due in change.due.values() if due is not None]
            if dues:
                self.look(min(dues))

    # the leader's sleep

    async def idle(self, clock: SimClock) -> None:
        """Until something may be due by that clock."""
        woken = self.loop.create_future()
        self._idle.append((clock, woken))
        due = self.redis.primary.earliest()
        if due is not None:
            self._wake_at(due, clock, woken)
        await woken

    def look(self, due: int) -> None:
        """Something is due then: sleepers must not sleep longer."""
        for clock, woken in self._idle:
            self._wake_at(due, clock, woken)

    def look_now(self) -> None:
        """What is due, or a clock, is not what it was."""
        for _, woken in self._idle:
            _wake(woken)

    def _wake_at(self, due: int, clock: SimClock, woken: "asyncio.Future[None]") -> None:
        delay = max(0.0, (due - clock.now()) / 1000)
        self.loop.outside(delay, self._woken, woken)

    def _woken(self, woken: "asyncio.Future[None]") -> None:
        _wake(woken)
        self._idle = [each for each in self._idle if not each[1].done()]


def _wake(woken: "asyncio.Future[None]") -> None:
    if not woken.done():
        woken.set_result(None)


class Gate:
    """Open, or shut: then all wait."""

    def __init__(self, *, shut: bool = False) -> None:
        self._shut = shut
        self._waiting: list[asyncio.Future[None]] = []

    def shut(self) -> None:
        self._shut = True

    def open(self) -> None:
        self._shut = False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            _wake(each)

    async def wait(self) -> None:
        while self._shut:
            passed = asyncio.get_running_loop().create_future()
            self._waiting.append(passed)
            await passed
