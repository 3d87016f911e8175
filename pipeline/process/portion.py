"""What one commit will write: the records of a portion folded into entities, nothing done yet.

Everything here is a function of the entities loaded and the records given. Marks of what is
caused are the cause's own offset and a count, so that a replay cut into other portions makes the
same.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from pipeline.domain import fold
from pipeline.domain.entities import Entity, Node
from pipeline.domain.messages import Position, Record, Ref
from pipeline.domain.outputs import Decision, Output, Retraction, Trigger
from pipeline.domain.shadow import is_shadow
from pipeline.domain.turn import Rules, Turn
from pipeline.ports import MAX_RECORD, Change, Entry, Mark
from pipeline.wire.records import encode
from pipeline.wire.rendering import render
from pipeline.wire.state import Ledger, encode_entity, entity_key, partition_of

Aside: TypeAlias = Literal["fold_failed", "too_large", "unreadable"]
"""Why a record of `segment.events` is put aside: a bug of ours, what it causes is larger than a
record may be, or it is none of ours."""

DIRECTORY: Final = Ref("directory", "")
"""Where aliases are sent; its nodes are entities of their own."""


class Missing(Exception):
    """The fold needs an entity that is not loaded yet."""

    def __init__(self, ref: Ref) -> None:
        """Which one."""
        super().__init__(ref.kind)
        self.ref = ref


class Oversized(Exception):
    """What a record causes is larger than a record may be: published, it would stop the relay."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which partition this is, of how many, and how topics are called."""

    partition: int
    partitions: int
    prefix: str
    events_topic: str

    @property
    def log(self) -> str:
        """The name of this partition in the positions of what it causes."""
        return f"events/{self.partition}"


@dataclass(slots=True)
class Portion:
    """Folds records one after the other over loaded entities; `entities` holds None for absent."""

    place: Place
    rules: Rules
    ledger: Ledger
    entities: dict[Ref, Entity | None]
    touched: set[Ref] = field(default_factory=set)
    internal: list[Entry] = field(default_factory=list)
    outward: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lateness: list[int] = field(default_factory=list)
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Of live journeys: journey, outcome (a decision's, or `retracted`) and reason."""

    def take(self, record: Record, offset: int, log_time: int) -> None:
        """Let the record's entity take it. Raises `Missing`, having changed nothing."""
        if record.position is not None and not self._is_new(record.position):
            self.counts["repeated"] += 1
            return
        turn = self._turn(log_time if record.at is None else record.at)
        entity = fold.take(self.entities.get(record.to), record.to, record.message, turn)
        if record.position is not None:
            position = record.position
            self.ledger.taken[position.log] = (position.offset, position.nth)
        self._keep(record.to, entity)
        self._collect(turn, offset, 0)
        self.counts["taken"] += 1

    def tick(self, ref: Ref, offset: int, nth: int, time: int) -> int:
        """Let time pass for an entity; returns the count of what the tick has caused so far."""
        entity = self.entities[ref]
        if entity is None:
            return nth
        turn = self._turn(time)
        self._keep(ref, fold.tick(entity, ref, turn))
        return self._collect(turn, offset, nth)

    def visit(self, ref: Ref, offset: int, nth: int, time: int) -> int:
        """Show an entity the rulebook that came into force.

        Returns the count of what that has caused so far; one that is another than before counts
        for one at least, so that marks do not depend on where a visit was cut off.
        """
        entity = self.entities[ref]
        if entity is None:
            return nth
        turn = self._turn(time)
        if not fold.visit(entity, ref, turn):
            return nth
        self._keep(ref, entity)
        return max(self._collect(turn, offset, nth), nth + 1)

    def _is_new(self, position: Position) -> bool:
        taken = self.ledger.taken.get(position.log)
        return taken is None or (position.offset, position.nth) > taken

    def _turn(self, now: int) -> Turn:
        return Turn(now, self.rules, self._node)

    def _node(self, user_id: str) -> Node | None:
        ref = Ref("directory", user_id)
        if ref not in self.entities:
            raise Missing(ref)
        node = self.entities[ref]
        return node if isinstance(node, Node) else None

    def _keep(self, ref: Ref, entity: Entity | None) -> None:
        if ref.kind != "nobody" and ref != DIRECTORY:
            self.entities[ref] = entity
            self.touched.add(ref)

    def _collect(self, turn: Turn, offset: int, nth: int) -> int:
        for ref, entity in turn.changed.items():
            self._keep(ref, entity)
        for to, message in turn.told:
            nth += 1
            position = Position(self.place.log, offset, nth)
            entry = Entry(
                mark=Mark(offset, nth),
                topic=self.place.events_topic,
                key=None,
                value=encode(Record(to, position, turn.now, message)),
                partition=partition_of(to, self.place.partitions),
            )
            self.internal.append(_fitting(entry))
        for output in turn.said:
            nth += 1
            self._tally(output)
            made = render(
                output, partition=self.place.partition, offset=offset, nth=nth, at=turn.now
            )
            topic = self.place.prefix + made.topic
            entry = Entry(Mark(offset, nth), topic, made.key, made.value, made.headers)
            self.outward.append(_fitting(entry))
        for name, count in turn.counts.items():  # `Counter.update` costs as much as a small fold
            self.counts[name] += count
        return nth

    def _tally(self, output: Output) -> None:
        match output:
            case Trigger(attempt, fired_at) if not is_shadow(attempt.journey):
                self.lateness.append(fired_at - attempt.deadline)
            case Decision(journey=journey) if not is_shadow(journey):
                self.outcomes[journey, output.outcome, output.reason or ""] += 1
            case Retraction(journey=journey) if not is_shadow(journey):
                self.outcomes[journey, "retracted", output.reason] += 1

    def put_aside(
        self,
        value: bytes | None,
        offset: int,
        position: Position | None,
        reason: Aside,
        detail: str,
    ) -> None:
        """A record that can't be taken becomes a dead letter in the commit that passes it."""
        if position is not None:
            self.ledger.taken[position.log] = (position.offset, position.nth)
        if value is not None and len(value) > MAX_RECORD:
            detail += f"; its {len(value)} bytes are not copied, see the source"
            value = None
        headers = {
            "reason": reason,
            "detail": detail,
            "source-topic": self.place.events_topic,
            "source-partition": str(self.place.partition),
            "source-offset": str(offset),
        }
        encoded = tuple((name, text.encode()) for name, text in headers.items())
        topic = f"{self.place.prefix}segment.dead-letter"
        self.outward.append(Entry(Mark(offset, 1), topic, None, value, encoded))
        self.counts[reason] += 1

    def change(self, watermark: Mark) -> Change:
        """As one commit, which also moves the watermark."""
        change = Change(watermark, internal=self.internal, outward=self.outward)
        for ref in self.touched:
            key, entity = entity_key(ref), self.entities[ref]
            change.entities[key] = None if entity is None else encode_entity(ref, entity)
            change.due[key] = fold.due(entity)
        return change


def _fitting(entry: Entry) -> Entry:
    size = len(entry.key or b"") + len(entry.value or b"")
    if size > MAX_RECORD:
        raise Oversized(f"{size} bytes for {entry.topic}")
    return entry
