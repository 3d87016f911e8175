"""What goes wrong: drawn from the seed, set off by the count of requests, mended after a while."""

from collections import Counter
from collections.abc import Callable

from pipeline.ports import Fenced, LogUnavailable, StoreUnavailable
from tests.simulation.loop import Process
from tests.simulation.plans import Plan
from tests.simulation.system import System
from tests.simulation.worker import Worker

LEAD = 7.0
"""Seconds from the opening of a window to the lattice instant."""
EXPECTED = (StoreUnavailable, LogUnavailable, Fenced, TimeoutError)
"""What may end a worker while something is wrong with what it needs."""


class Faults:
    """Sets faults off one after the other while `enabled`; counts them."""

    def __init__(self, system: System, plan: Plan, start: Callable[[], Worker]) -> None:
        self.system = system
        self.counts: Counter[str] = Counter()
        self.workers: list[Worker] = []
        self.mending = 0
        self.healthy = False
        self._plan = plan
        self._start = start
        self._left = 0
        self._open = False
        self._frozen: list[Worker] = []
        system.network.on_alarm = self._strike
        system.on_take_over = self._meet

    # workers

    def keep_workers(self) -> None:
        """At the start: as many as planned."""
        for _ in range(self._plan.workers):
            self.workers.append(self._start())

    def ended(self, worker: Worker) -> None:
        """One ended itself: it is started again, as a supervisor does."""
        if worker in self.workers:
            self.workers.remove(worker)
            worker.process.kill()
            self.system.group.silent(worker.process)
            self._after(self.system.rng.choice([0.5, 1.0, 3.0]), self._replace)

    def _replace(self) -> None:
        self.workers.append(self._start())

    def _kill(self, worker: Worker) -> None:
        self.counts["crash"] += 1
        self.system.note(worker.name, "is killed")
        self.ended(worker)

    def power_cut(self) -> None:
        """All workers are killed at once, where faults may come at all."""
        if self._plan.kinds and self._open:
            self.counts["power cut"] += 1
            for worker in list(self.workers):
                self._kill(worker)

    # windows

    def open_window(self) -> None:
        """From now on some faults may come."""
        self.healthy, self._open = False, True
        rng = self.system.rng
        self._left = rng.randint(0, self._plan.most) if self._plan.kinds else 0
        self._aim()
        if self._plan.lags:  # from before the last moment, mostly until something is due
            self.system.loop.outside(rng.random() * LEAD / 3, self._lag)

    def close_window(self) -> None:
        """No more; what is broken mends itself within a minute."""
        self._left, self._open = 0, False
        self.system.network.alarm = None
        self.system.before_tick = None

    def _aim(self) -> None:
        if self._left > 0:
            rng = self.system.rng
            self._left -= 1
            network = self.system.network
            network.alarm = network.requests + 1 + int(rng.random() ** 2 * 150)

    def _strike(self) -> None:
        kind = self.system.rng.choice(self._plan.kinds)
        getattr(self, f"_{kind}")()
        self._aim()

    def _after(self, seconds: float, mend: Callable[[], None]) -> None:
        self.mending += 1

        def mended() -> None:
            self.mending -= 1
            mend()

        self.system.loop.outside(seconds, mended)

    def _seconds(self) -> float:
        rng = self.system.rng
        return rng.choice([0.01, 0.3, 2.0, 12.0, 40.0]) * (0.5 + rng.random())

    def _worker(self) -> Worker | None:
        healthy = [each for each in self.workers if each.process.alive and not each.process.paused]
        return self.system.rng.choice(healthy) if healthy else None

    # faults

    def _crash(self) -> None:
        worker = self._worker()
        if worker is not None:
            self._at_a_step(worker, lambda: self._kill(worker))

    def _pause(self) -> None:
        worker = self._worker()
        if worker is not None:
            self._at_a_step(worker, lambda: self._freeze(worker))

    def _at_a_step(self, worker: Worker, act: Callable[[], None]) -> None:
        """Between two steps of its own, soon."""
        process = worker.process
        process.stop_at = process.steps + self.system.rng.randint(1, 25)
        process.on_stop = act

    def _freeze(self, worker: Worker) -> None:
        seconds = self._seconds()
        self.counts["pause"] += 1
        self.system.note(worker.name, f"is paused for {seconds:.2f} s")
        worker.process.pause()
        self._frozen.append(worker)
        self.system.group.silent(worker.process)
        self._after(seconds, lambda: self._thaw(worker))

    def _meet(self) -> None:
        """Some of those who stand still go on just when others take over what was theirs."""
        rng = self.system.rng
        if self._frozen and rng.random() < 0.5:
            for worker in self._frozen:
                self.system.loop.outside(rng.random() * 0.05, self._thaw, worker)

    def _thaw(self, worker: Worker) -> None:
        if worker not in self._frozen:
            return
        self._frozen.remove(worker)
        if worker.process.alive:
            self.system.note(worker.name, "goes on")
            worker.process.resume()
            self.system.group.awake(worker)

    def _restart(self) -> None:
        worker = self._worker()
        if worker is not None:
            self.counts["restart"] += 1
            self.system.note(worker.name, "is told to stop")
            self.system.loop.call_soon(worker.stop, context=worker.process.context)

    def _rebalance(self) -> None:
        self.counts["rebalance"] += 1
        self.system.note("group", "rebalances")
        self.system.group.rebalance()

    def _stray(self) -> None:
        """Faust drops what was fetched, before it comes to its lane."""
        self.counts["stray"] += 1
        self.system.strays += self.system.rng.choice([1, 1, 3])

    def _rollback(self) -> None:
        """The same server comes back as it was some seconds ago."""
        redis, loop = self.system.redis, self.system.loop
        ago = self.system.rng.choice([0.0, 0.002, 0.02, 0.2, 1.0, 5.0]) * self.system.rng.random()
        self.counts["rollback"] += 1
        self.system.note("redis", f"forgets {ago:.3f} s")
        redis.primary = redis.primary.as_of(loop.now - ago)
        self.system.look_now()
        self.system.restless.open()

    def _failover(self) -> None:
        """A replica that lags is the new primary; some go on talking to the old one."""
        redis, loop, rng = self.system.redis, self.system.loop, self.system.rng
        if redis.old is not None:
            return
        ago = rng.choice([0.01, 0.3, 5.0, 20.0]) * rng.random()
        self.counts["failover"] += 1
        redis.old, redis.primary = redis.primary, redis.primary.as_of(loop.now - ago)
        redis.stuck = {each.name for each in self.workers if rng.random() < 0.5}
        self.system.note("redis", f"fails over to {ago:.3f} s ago, old: {sorted(redis.stuck)}")
        self.system.look_now()
        self.system.restless.open()
        self._after(rng.choice([0.01, 0.2, 2.0]), self._one_primary)

    def _one_primary(self) -> None:
        self.system.redis.old = None
        self.system.look_now()

    def _lost(self) -> None:
        """Requests and replies get lost for a while."""
        rng = self.system.rng
        service = rng.choice([self.system.redis.service, self.system.kafka.service])
        self.counts["lossy"] += 1
        service.lost = rng.choice([0.03, 0.1, 0.4])
        self.system.note(service.name, f"loses {service.lost:.0%} of requests or replies")
        self._after(self._seconds() / 10, lambda: setattr(service, "lost", 0.0))

    def _kafka(self) -> None:
        seconds = self._seconds()
        service = self.system.kafka.service
        if not service.up:
            return
        self.counts["outage"] += 1
        self.system.note("kafka", f"is away for {seconds:.2f} s")
        self.system.network.away(service)

        def back() -> None:
            self.system.note("kafka", "is back")
            self.system.network.back(service)

        self._after(seconds, back)

    def _slow(self) -> None:
        network = self.system.network
        network.slow = self.system.rng.choice([5.0, 30.0])
        self.counts["slow"] += 1
        self._after(self._seconds(), lambda: setattr(network, "slow", 1.0))

    def _leader(self) -> Worker | None:
        leaders = [worker for worker in self.workers if worker.leads]
        return self.system.rng.choice(leaders) if leaders else self._worker()

    def _stale_leader(self) -> None:
        """The leader stands still between its last look and the tick."""

        def freeze(process: Process) -> None:
            worker = next((each for each in self.workers if each.process is process), None)
            if worker is not None:
                self.system.before_tick = None
                self._freeze(worker)

        self.system.before_tick = freeze

    def _clock(self) -> None:
        """A worker's clock is wrong for a while."""
        worker = self._leader()
        clock = getattr(worker, "clock", None)
        if worker is None or clock is None:
            return
        clock.skew = self.system.rng.choice([-7_200_000, -5000, -50, 50, 5000, 7_200_000])
        self.counts["clock jump"] += 1
        self.system.note(worker.name, f"has a clock that is {clock.skew / 1000} s ahead")
        self.system.look_now()

        def right() -> None:
            clock.skew = 0
            self.system.look_now()

        self._after(self._seconds(), right)

    def _normalize(self) -> None:
        """Normalize stands still, also while deadlines pass."""
        seconds = self._seconds() * 2
        self.counts["normalize stop"] += 1
        self.system.note("normalize", f"stands still for {seconds:.2f} s")
        self.system.normalize_gate.shut()
        self._after(seconds, self.system.normalize_gate.open)

    def _lag(self) -> None:
        """The state process of one partition stands still, whoever has it."""
        seconds = self._seconds()
        partition = self.system.rng.randrange(self.system.partitions)
        self.counts["lag"] += 1
        self.system.note("state", f"{partition} stands still for {seconds:.2f} s")
        self.system.state_gates[partition].shut()
        self._after(seconds, self.system.state_gates[partition].open)
