"""The consumer group: who owns what, as the coordinator sees it and as members find out later."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from faust.types import TP

from pipeline.adapters.kafka_offsets import Committed
from tests.simulation.kafka import Kafka
from tests.simulation.loop import Process, SimLoop

SESSION = 10.0
HEARTBEAT = 3.0
REBALANCE = 30.0
GROUP = "pipeline"


class Consumer(Protocol):
    """A member's side."""

    process: Process

    def on_signal(self) -> None:
        """A heartbeat said: give up what you have and join again."""

    def on_assigned(self, generation: int, tps: frozenset[TP]) -> None:
        """What the join brought."""


@dataclass(eq=False)
class Member:
    consumer: Consumer
    joined: bool = True
    signalled: bool = False
    tps: frozenset[TP] = frozenset()


@dataclass
class Group:
    """The coordinator of one group, with the eager protocol that Faust speaks."""

    loop: SimLoop
    kafka: Kafka
    tps: list[TP]
    note: Callable[[str], None]
    generation: int = 0
    members: list[Member] = field(default_factory=list)
    preparing: bool = False

    def join(self, consumer: Consumer) -> None:
        """A new member, or one that gave up and comes again."""
        member = self._of(consumer)
        if member is None:
            self.members.append(Member(consumer))
            if not consumer.process.alive:  # it was killed after it had asked
                self.silent(consumer.process)
            self.rebalance()
        elif self.preparing:
            member.joined = True
            self._complete()
        else:
            self._give(member)

    def leave(self, consumer: Consumer) -> None:
        if (member := self._of(consumer)) is not None:
            self._remove([member])

    def rebalance(self) -> None:
        """Everybody has to join again."""
        if not self.preparing:
            self.preparing = True
            for member in self.members:
                if member.tps or not member.joined:
                    member.joined = False
                    self._signal(member)
            self.loop.outside(REBALANCE, self._enough, self.generation)
        self._complete()

    def silent(self, process: Process) -> None:
        """It was killed or paused: after the session time it is out."""
        member = next((each for each in self.members if each.consumer.process is process), None)
        if member is not None:
            self.loop.outside(SESSION, self._expire, member)

    def awake(self, consumer: Consumer) -> None:
        """It was resumed; whether it is a member still, it finds out at its next heartbeat."""
        member = self._of(consumer)
        if member is None:
            self._tell(consumer)
        elif self.preparing and not member.joined:
            self._signal(member)

    def commit(self, consumer: Consumer, generation: int, offsets: Mapping[TP, int]) -> bool:
        """Refused where the member is out or of another generation."""
        if self._of(consumer) is None or generation != self.generation:
            return False
        for tp, offset in offsets.items():
            self.kafka.offsets[GROUP, tp.topic, tp.partition] = Committed(offset, "")
        return True

    def _of(self, consumer: Consumer) -> Member | None:
        return next((each for each in self.members if each.consumer is consumer), None)

    def _signal(self, member: Member) -> None:
        self._tell(member.consumer)

    def _tell(self, consumer: Consumer) -> None:
        process = consumer.process
        if process.alive and not process.paused:
            delay = self.loop.rng.random() * HEARTBEAT
            self.loop.call_later(delay, consumer.on_signal, context=process.context)

    def _expire(self, member: Member) -> None:
        process = member.consumer.process
        if member in self.members and (process.paused or not process.alive):
            self._remove([member])

    def _enough(self, generation: int) -> None:
        """Who has not come by now is out."""
        if self.preparing and generation == self.generation:
            late = [member for member in self.members if not member.joined]
            self._remove(late)

    def _remove(self, gone: Iterable[Member]) -> None:
        for member in gone:
            self.note(f"{member.consumer.process.name} is out of the group")
            self.members.remove(member)
            if member.consumer.process.alive:
                self._tell(member.consumer)
        if self.preparing:
            self._complete()
        else:
            self.rebalance()

    def _complete(self) -> None:
        if not all(member.joined for member in self.members):
            return
        self.preparing = False
        self.generation += 1
        if not self.members:
            return
        tps = list(self.tps)
        self.loop.rng.shuffle(tps)
        first = self.loop.rng.randrange(len(self.members))
        shares: list[list[TP]] = [[] for _ in self.members]
        for place, tp in enumerate(tps):
            shares[(first + place) % len(shares)].append(tp)
        for member, share in zip(self.members, shares, strict=True):
            member.tps = frozenset(share)
            self._give(member)

    def _give(self, member: Member) -> None:
        context = member.consumer.process.context
        self.loop.call_later(
            0.001, member.consumer.on_assigned, self.generation, member.tps, context=context
        )
