"""One seed from its history to the judgement."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

import orjson

from pipeline.adapters import kafka_publishers, kafka_transactions
from pipeline.domain.messages import Erase, Record
from pipeline.domain.refs import Ref
from pipeline.ports import Mark
from pipeline.process import barrier, holdings, relay, state
from pipeline.process.pace import Pace
from pipeline.wire.records import Announce, Enforce, encode, encode_control
from pipeline.wire.state import partition_of
from tests.simulation import (
    accounts,
    agreeing,
    changes,
    faults,
    history,
    plans,
    replaying,
    ruled,
    truth,
    wild,
)
from tests.simulation.applying import Operator
from tests.simulation.judge import Judge, calls_of
from tests.simulation.kafka import Written
from tests.simulation.kept import kept
from tests.simulation.loop import Endless
from tests.simulation.merging import Merger
from tests.simulation.producer import Producer
from tests.simulation.rulebooks import canonical, rules_once
from tests.simulation.settled import unsettled
from tests.simulation.system import NAMES, Broken, System
from tests.simulation.worker import Worker

HALF = history.HALF / 1000
FAULTS = 60.0
"""Seconds from the start of a half lattice step during which faults may begin."""
SHOWN = 400
WILD = 3
"""Every fourth seed is one on the margin."""


class Failed(AssertionError):
    """A seed failed: why, and what happened."""


@dataclass
class Outcome:
    """Of one seed, for the summary."""

    hours: float = 0.0
    steps: int = 0
    requests: int = 0
    raw: int = 0
    triggers: int = 0
    retractions: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    story: Callable[[], str] = str
    """What happened, a line each."""


PORTIONS = (1, 2, 3, state.PORTION_MAX)
"""Of a commit; small ones so that a visit takes several of them, and what is due several ticks."""
TOGETHER = (1, 2, 3, 2000)
"""Entries of one publish; few, so that it may end within what one record caused."""

KEEPS = (*[holdings.CACHE_MAX] * 3, 6, 0)
"""Entities in a worker's memory: with few of them most are let go of and read again."""


def run(seed: int) -> Outcome:
    """Raises `Failed` where something does not hold."""
    rng = Random(f"portion:{seed}")
    with (
        patched(),
        patch.object(state, "PORTION_MAX", portion := rng.choice(PORTIONS)),
        patch.object(barrier, "TICK_MAX", rng.choice([0, min(portion, barrier.TICK_MAX)])),
        patch.object(relay, "Pace", partial(Pace, most=rng.choice(TOGETHER))),
    ):
        return _Run(seed).run()


@contextmanager
def patched() -> Iterator[None]:
    """The client library gives way to ours; a rulebook is compiled once."""
    with ExitStack() as stack:
        for module in (kafka_publishers, kafka_transactions):
            stack.enter_context(patch.object(module, "AIOKafkaProducer", Producer))
        stack.enter_context(patch.object(holdings, "rules_of", rules_once))
        yield


class _Run:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = Random(f"run:{seed}")
        self.partitions, raw = rng.choice([1, 2, 3, 3, 4]), rng.choice([1, 2, 2, 3])
        make = wild.make if seed % 4 == WILD else history.make
        self.history = make(seed, raw)
        book = self.history.rulebook
        book |= changes.limits(seed)
        self.course = changes.draw(seed, book, max(self.history.halves))
        self.history.exact &= self.course.shadows_only
        if not self.history.exact:
            changes.with_hours(seed, book, self.course)
        self._limited = "limits" in book.get("calling", {})
        self.system = System(rng, self.history.begin, raw, self.partitions)
        self.system.largest_fetch = rng.choice([1, 3, 10, 50])
        self.system.keeps = Random(f"keeps:{seed}").choice(KEEPS)
        books = [book, *(change.rulebook for change in self.course.changes)]
        self.judge = Judge(self.system, books)
        self.operator = Operator(self.system, Random(f"operator:{seed}"))
        self.system.on_part = self._part
        self.merger = Merger(self.system, Random(f"merger:{seed}"))
        self._merges = self._limited and not self.history.exact
        self.plan = plans.plan(rng, racing=self.history.racing)
        self.faults = faults.Faults(self.system, self.plan, self._start)
        self.arrived: list[tuple[int, Any]] = []
        self.erased = False
        self._names = 0
        self._pending = 0

    def run(self) -> Outcome:
        system = self.system
        Producer.cluster = system.cluster
        system.kafka.on_append = self._appended
        try:
            self._enforce()
            self.faults.keep_workers()
            self._pass_through()
            self._account()
            self._judge()
        except (Broken, Endless) as broken:
            raise Failed(self._story(str(broken))) from None
        except Exception as error:
            raise Failed(self._story(f"it threw {error!r}")) from error
        finally:
            outcome = self._outcome()
            system.loop.close()
        return outcome

    # the course of events

    def _start(self) -> Worker:
        self._names += 1
        return Worker(self.system, f"w{self._names}", self.faults.ended)

    def _enforce(self) -> None:
        document, digest = canonical(self.history.rulebook)
        controls = (Announce(digest, document), Enforce(digest))
        for partition in range(self.partitions):
            values = [Written(None, encode_control(control)) for control in controls]
            self.system.kafka.append(NAMES.events, partition, values)

    def _pass_through(self) -> None:
        loop = self.system.loop
        settle = max(HALF - 30.0, 0.0)
        for half in range(self.history.length):
            begin = half * HALF
            loop.run(begin - faults.LEAD)
            self.faults.open_window()
            for arrival in self.history.halves.get(half, ()):
                self._pending += 1
                loop.outside(begin - loop.now + arrival.after / 1000, self._arrive, arrival)
            for change in self.course.by_half.get(half, ()):
                self._pending += 1
                loop.outside(begin - loop.now + change.after / 1000, self._change, change)
            loop.outside(FAULTS, self.faults.close_window)
            loop.run(begin)
            if not loop.run(begin + settle, self._calm):
                system_state = unsettled(self.system)
                self.system.broken(f"not settled {settle:.0f} s after all faults: {system_state}")
                raise loop.stopped or AssertionError
            self.system.restless.shut()
            self._account()

    def _calm(self) -> bool:
        """Nothing is on its way; looked at before each jump of the clock."""
        if self._pending or self.faults.mending or any(w.reads for w in self.faults.workers):
            return False
        return not unsettled(self.system)

    def _change(self, change: changes.Change) -> None:
        self.operator.apply(change, self._changed)

    def _part(self, partition: int, mark: Mark) -> None:
        if self.operator.met(partition, mark):
            self.system.loop.outside(0.003 * self.operator.rng.random(), self.faults.power_cut)

    def _changed(self) -> None:
        self._pending -= 1

    def _account(self) -> None:
        """While nothing is on its way: what the store holds."""
        system, judge = self.system, self.judge
        states = self._states()
        by_partition = [list(kept(state)) for state in states]
        everything = [each for part in by_partition for each in part]
        found, wrong = accounts.look(states, by_partition, rules_once, system.wall())
        sent, all_ = set(judge.triggers), self._limited and not self.erased
        wrong += accounts.unaccounted(found, judge.decided, sent, all_=all_)
        wrong += judge.compacted.stale(everything)
        wrong += agreeing.disagreements(everything)
        if wrong:
            system.broken("\n".join(wrong))
            raise system.loop.stopped or AssertionError

    def _states(self) -> list[Any]:
        """Of the partitions, as the store has them."""
        return [self.system.redis.primary.state(number) for number in range(self.partitions)]

    def _arrive(self, arrival: history.Arrival) -> None:
        """A producer writes; while the brokers are away it waits."""
        kafka = self.system.kafka
        if not kafka.service.up:
            kafka.service.parked.append((self._arrive, (arrival,)))
            return
        self._pending -= 1
        if arrival.erase is not None:
            self._erase(arrival.erase)
            return
        (record,) = kafka.append(NAMES.raw, arrival.partition, [Written(None, arrival.value)])
        if arrival.call is not None:
            self.arrived.append((record.timestamp, arrival.call))
        self.system.note("producer", f"{arrival.partition}:{record.offset} {brief(arrival.value)}")

    def _erase(self, name: str) -> None:
        """As `pipeline erase` does."""
        self.erased = True
        self.system.note("erase", name)
        ref = Ref("person", name)
        value = encode(Record(ref, None, None, Erase()))
        partition = partition_of(ref, self.partitions)
        (record,) = self.system.kafka.append(NAMES.events, partition, [Written(None, value)])
        self.judge.erased.note(name, record.timestamp)
        self.arrived.append((record.timestamp, {"erase": name}))

    def _appended(self, topic: str, partition: int) -> None:
        if topic == NAMES.events:
            self.operator.see(partition)
            if self._merges:
                self.merger.see(partition)
        if topic in (NAMES.raw, NAMES.events):
            self.system.loop.outside(self.system.network.delay(), self._poke, topic, partition)

    def _poke(self, topic: str, partition: int) -> None:
        for worker in self.faults.workers:
            if worker.process.alive:
                worker.wake(topic, partition)

    # the end

    def _judge(self) -> None:
        system = self.system
        for wrong in replaying.lost(system, system.normalizer):
            system.broken(wrong)
        self.judge.told()
        for wrong in replaying.differences(system, self.judge.published):
            system.broken(wrong)
        if self.course.by_half:
            for wrong in ruled.wrongs(system.kafka, self.partitions, self.judge.published):
                system.broken(wrong)
            for wrong in ruled.pauses(system.kafka, self._states()):
                system.broken(wrong)
        if system.loop.stopped is None and self.history.exact:
            wrong = truth.difference(self.history, self.arrived, self.judge, system.wall())
            if wrong:
                system.broken(f"not what the oracle says:\n{wrong}")
        for who, error in system.failures:
            if not isinstance(error, faults.EXPECTED):
                system.broken(f"{who} ended with {error!r}")
        if system.loop.stopped is not None:
            raise system.loop.stopped

    def _outcome(self) -> Outcome:
        system = self.system
        counts = self.faults.counts
        counts["rulebook change"] += len(self.operator.applied)
        counts["killed apply"] += self.operator.kills
        counts["merge in line"] += self.merger.merges
        return Outcome(
            hours=system.loop.now / 3600,
            steps=system.loop.steps,
            requests=system.network.requests,
            raw=len(self.arrived),
            triggers=len(self.judge.triggers),
            retractions=len(self.judge.retractions),
            faults=+counts,
            story=partial(self._story, "passed"),
        )

    def _story(self, why: str) -> str:
        lines = self.system.lines
        if len(lines) > SHOWN:
            lines = [*lines[: SHOWN // 2], (0.0, "", "..."), *lines[-SHOWN // 2 :]]
        story = [
            f"seed {self.seed}: {why}",
            f"again: .venv/bin/python -m tests.simulation --first {self.seed} --seeds 1",
            f"rulebook: {orjson.dumps(self.history.rulebook).decode()}",
            f"{self.partitions} partitions, {self.system.raw_partitions} of raw",
            f"faults: {', '.join(self.plan.kinds) or 'none'}",
            *(f"{at:12.4f} {who:>9} {text[:170]}" for at, who, text in lines),
        ]
        return "\n".join(story)


def brief(value: bytes | None) -> str:
    """A raw record in a few words."""
    found = calls_of(value)
    return " | ".join(_brief(call) for call in found) if found else f"garbage {value!r}"


def _brief(call: Any) -> str:
    who = "+".join(str(call[name]) for name in ("userId", "anonymousId") if call.get(name))
    what = call.get("event") or call.get("previousId") or call.get("type")
    properties = call.get("properties") or call.get("traits") or ""
    return f"{call['messageId']} {who} {what} {properties} of {str(call.get('timestamp'))[11:19]}"


__all__ = ["Failed", "Outcome", "run"]
