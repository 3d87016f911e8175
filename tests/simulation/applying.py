"""Somebody who puts rulebooks in force, as `pipeline apply` does, while all goes wrong.

Where the brokers do not answer, or the command is killed half way, it is given again.
"""

import asyncio
from collections.abc import Callable
from random import Random

from pipeline.adapters.kafka_publishers import KafkaPublisher
from pipeline.ports import LogUnavailable, Mark
from pipeline.process.rulebook_change import apply_rulebook
from pipeline.wire.records import Enforce, Tick, decode
from tests.simulation.changes import Change
from tests.simulation.log import SimLog
from tests.simulation.loop import Process
from tests.simulation.rulebooks import canonical
from tests.simulation.system import NAMES, System
from tests.simulation.worker import SERVERS

KILLED = 0.25
"""Share of the commands that do not end."""
CUT_OFF = 0.7
"""Share of the commits within a visit after which the power is cut."""
PATIENCE = 20.0
"""Seconds to wait for a tick."""
LONGEST = 40
"""Steps after which one is killed at the latest."""


class Operator:
    """Gives one command after the other; `rng` is not the system's, so as not to disturb it."""

    def __init__(self, system: System, rng: Random) -> None:
        self.system = system
        self.applied: list[Change] = []
        self.kills = 0
        self.rng = rng
        self._names = 0
        self._meeting: Change | None = None
        self._waiting: list[tuple[Change, Callable[[], None]]] = []

    def met(self, partition: int, mark: Mark) -> bool:
        """Whether a commit that took a part of a record is one of a visit that goes wrong."""
        record = self.system.kafka.logs[NAMES.events, partition][mark.offset]
        visits = isinstance(decode(record.value or b""), Enforce)
        return visits and self.rng.random() < CUT_OFF

    def apply(self, change: Change, done: Callable[[], None]) -> None:
        """`done` is told when it is in every partition's log."""
        self._waiting.append((change, done))
        if len(self._waiting) == 1:
            self._next()

    def see(self, partition: int) -> None:
        """Something new stands in this partition of `segment.events`."""
        if self._meeting is not None:
            record = self.system.kafka.logs[NAMES.events, partition][-1]
            if isinstance(decode(record.value or b""), Tick):
                self._begin(self._meeting)

    def _next(self) -> None:
        change, _ = self._waiting[0]
        if not change.meets:
            self._command()
            return
        self._meeting = change
        self.system.loop.outside(PATIENCE, self._begin, change)

    def _begin(self, change: Change) -> None:
        if self._meeting is change:
            self._meeting = None
            self._command()

    def _command(self) -> None:
        change, _ = self._waiting[0]
        self._names += 1
        process = self.system.loop.process(f"apply{self._names}")
        self.system.note(process.name, f"{change.kind} {dict(change.rulings)}")
        if self.rng.random() < KILLED:
            process.stop_at = self.rng.randint(1, LONGEST)
            process.on_stop = lambda: self._killed(process)
        process.run(self._run(process, change))

    async def _run(self, process: Process, change: Change) -> None:
        publisher = KafkaPublisher(SERVERS)
        await publisher.start()
        log = SimLog(self.system, publisher)
        document, digest = canonical(change.rulebook)
        while True:
            try:
                await apply_rulebook(document, digest, log, self.system.partitions, change.rulings)
                break
            except LogUnavailable as error:
                self.system.note(process.name, f"gives it again: {error}")
                await asyncio.sleep(1.0)
        self.system.note(process.name, "is in the log")
        process.kill()
        self._done()

    def _killed(self, process: Process) -> None:
        self.kills += 1
        self.system.note(process.name, "is killed")
        process.kill()
        self.system.loop.outside(2.0 + 8.0 * self.rng.random(), self._command)

    def _done(self) -> None:
        change, done = self._waiting.pop(0)
        self.applied.append(change)
        done()
        if self._waiting:
            self._next()
