"""What one commit will write: the records of a portion folded into entities, nothing done yet.

Everything here is a function of the entities loaded and the records given. Marks of what is
caused are the cause's own offset and a count, so that a replay cut into other portions makes the
same.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pipeline.domain import fold
from pipeline.domain.entities import Entity, Node
from pipeline.domain.messages import Position, Record
from pipeline.domain.outputs import Decision, Output, Retraction, Trigger
from pipeline.domain.refs import Ref
from pipeline.domain.shadow import is_shadow
from pipeline.domain.turn import Rules, Turn
from pipeline.ports import MAX_RECORD, Change, Entry, Mark
from pipeline.wire.records import encode_message
from pipeline.wire.rendering import render
from pipeline.wire.state import Ledger, encode_entity, entity_key, partition_of

Aside: TypeAlias = Literal["fold_failed", "too_large", "unreadable"]
"""Why a record of `segment.events` is put aside: a bug of ours, what it causes is larger than a
record may be, or it is none of ours."""


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
    log: str = field(init=False)
    """The name of this partition in the positions of what it causes."""

    def __post_init__(self) -> None:
        """Asked for with every record, so made once."""
        object.__setattr__(self, "log", f"events/{self.partition}")


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
        to, position, at, message = record
        taken = self.ledger.taken
        if position is not None and (last := taken.get(position.log)) and position[1:3] <= last:
            self.counts["repeated"] += 1
            return
        turn = Turn(log_time if at is None else at, self.rules, self._node)
        entity = fold.take(self.entities.get(to), to, message, turn)
        depth = 0
        if position is not None:
            taken[position.log], depth = position[1:3], position.depth
        if to.kind not in {"nobody", "directory"}:
            self._keep(to, entity)
        self._collect(turn, offset, 0, depth)
        self.counts["taken"] += 1

    def tick(self, ref: Ref, offset: int, nth: int, time: int) -> int:
        """Let time pass for an entity; returns the count of what the tick has caused so far."""
        entity = self.entities[ref]
        if entity is None:
            return nth
        turn = Turn(time, self.rules, self._node)
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
        turn = Turn(time, self.rules, self._node)
        if not fold.visit(entity, ref, turn):
            return nth
        self._keep(ref, entity)
        return max(self._collect(turn, offset, nth), nth + 1)

    def _node(self, user_id: str) -> Node | None:
        ref = Ref("directory", user_id)
        if ref not in self.entities:
            raise Missing(ref)
        node = self.entities[ref]
        return node if isinstance(node, Node) else None

    def _keep(self, ref: Ref, entity: Entity | None) -> None:
        self.entities[ref] = entity
        self.touched.add(ref)

    def _collect(self, turn: Turn, offset: int, nth: int, depth: int = 0) -> int:
        place = self.place
        if turn.told:
            self.ledger.note_cause(depth, offset)
        for ref, entity in turn.changed.items():
            self._keep(ref, entity)
        for to, message in turn.told:
            nth += 1
            value = encode_message(to, (place.log, offset, nth, depth + 1), turn.now, message)
            if len(value) > MAX_RECORD:
                raise Oversized(f"{len(value)} bytes for {place.events_topic}")
            partition = partition_of(to, place.partitions)
            entry = Entry(Mark(offset, nth), place.events_topic, None, value, (), partition)
            self.internal.append(entry)
        for output in turn.said:
            nth += 1
            self._tally(output)
            made = render(output, partition=place.partition, offset=offset, nth=nth, at=turn.now)
            topic = place.prefix + made.topic
            if (size := len(made.key or b"") + len(made.value or b"")) > MAX_RECORD:
                raise Oversized(f"{size} bytes for {topic}")
            entry = Entry(Mark(offset, nth), topic, made.key, made.value, made.headers)
            self.outward.append(entry)
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
