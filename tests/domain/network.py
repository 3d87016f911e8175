"""Entities that talk by logs, each its own partition, in any order that the promises allow.

What an entity says is published in its order, and taken in the order in which it was published; in
between anything may overtake anything. Ticks come to all who are due once nothing is under way.
"""

import random
from collections import deque
from dataclasses import dataclass, field

from pipeline.domain import fold
from pipeline.domain.entities import Entity, Node
from pipeline.domain.events import Event
from pipeline.domain.messages import Did, Message
from pipeline.domain.outputs import Output
from pipeline.domain.refs import Ref, destination
from pipeline.domain.turn import Rules, Turn

Item = tuple[int, Message | None]
"""A record and its log time; no message: a tick."""


@dataclass(slots=True)
class Network:
    """All entities, their logs (`inbox`) and what they have not published yet (`outbox`)."""

    rules: Rules
    now: int
    entities: dict[Ref, Entity | None] = field(default_factory=dict)
    inbox: dict[Ref, deque[Item]] = field(default_factory=dict)
    outbox: dict[Ref, deque[tuple[Ref, Item]]] = field(default_factory=dict)
    said: list[Output] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def happen(self, event: Event) -> None:
        """An event is in the log of whom it goes to first."""
        self.write(destination(event), Did(event))

    def write(self, to: Ref, message: Message | None) -> None:
        """A record is in the log of an entity."""
        self.inbox.setdefault(to, deque()).append((self.now, message))

    def step(self, chance: random.Random) -> bool:
        """Publish or take one record, whichever; False: nothing is under way."""
        full = [ref for ref, queue in self.outbox.items() if queue]
        waiting = [ref for ref, queue in self.inbox.items() if queue]
        if not full and not waiting:
            return False
        choice = chance.randrange(len(full) + len(waiting))
        if choice < len(full):
            to, item = self.outbox[full[choice]].popleft()
            self.inbox.setdefault(to, deque()).append(item)
        else:
            ref = waiting[choice - len(full)]
            self._take(ref, *self.inbox[ref].popleft())
        return True

    def settle(self, chance: random.Random) -> None:
        """Until nothing is under way."""
        while self.step(chance):
            pass

    def tick(self) -> bool:
        """Ticks to all who are due; nothing may be under way. False: nobody is."""
        due = [ref for ref, at in self._dues() if at <= self.now]
        for ref in due:
            self.write(ref, None)
        return bool(due)

    def next_due(self) -> int | None:
        """The earliest instant at which something is due."""
        return min((at for _, at in self._dues()), default=None)

    def _dues(self) -> list[tuple[Ref, int]]:
        found = [(ref, fold.due(entity)) for ref, entity in self.entities.items()]
        return [(ref, at) for ref, at in found if at is not None]

    def _take(self, ref: Ref, at: int, message: Message | None) -> None:
        turn = Turn(at, self.rules, self._node)
        entity = self.entities.get(ref)
        if message is not None:
            self.entities[ref] = fold.take(entity, ref, message, turn)
        elif entity is not None:
            self.entities[ref] = fold.tick(entity, ref, turn)
            if (due := fold.due(self.entities[ref])) is not None and due <= at:
                # a long tick takes several commits, and asks again who is due
                self.inbox[ref].appendleft((at, None))
        self.entities |= turn.changed
        told = [(to, (at, each)) for to, each in turn.told]
        self.outbox.setdefault(ref, deque()).extend(told)
        self.said += turn.said
        for reason, count in turn.counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count

    def _node(self, user_id: str) -> Node | None:
        node = self.entities.get(Ref("directory", user_id))
        return node if isinstance(node, Node) else None
