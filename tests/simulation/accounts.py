"""What the store holds when all is settled: that everything was carried out, that all adds up.

Looked at where rulebooks change or limits count, when nothing is on its way any more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.domain import fold
from pipeline.domain.caps import Caps
from pipeline.domain.entities import Address, Case, Device, Entity, Person
from pipeline.domain.facts import Facts
from pipeline.domain.ids import trigger_id
from pipeline.domain.outputs import PAUSED
from pipeline.domain.profile import Profile
from pipeline.domain.refs import Ref
from pipeline.domain.reviews import next_due
from pipeline.domain.rulings import rule
from pipeline.domain.turn import Rules
from pipeline.wire.state import (
    SHELF_KEY,
    Shelf,
    decode_shelf,
    encode_entity,
)
from tests.simulation.kept import Kept


@dataclass
class Found:
    """In all partitions, by ids inside."""

    settled: dict[str, str] = field(default_factory=dict)
    """Steps of which something was decided, and where that stands."""
    waiting: set[str] = field(default_factory=set)
    """Attempts that are kept: held, in line, in a queue."""
    counted: set[str] = field(default_factory=set)
    """Triggers that limits of scope person count."""


def look(
    states: list[Any], kept: list[list[Kept]], rules_of: Callable[[Shelf], Rules], now: int
) -> tuple[Found, list[str]]:
    """What there is, `kept` of each of the states, and what is wrong with it."""
    found, wrong = Found(), []
    for number, (state, entities) in enumerate(zip(states, kept, strict=True)):
        rules = rules_of(decode_shelf(state.entities.get(SHELF_KEY)))
        for key, value, ref, entity in entities:
            where = f"{ref.kind} {ref.id} of {number}"
            if state.due.get(key) != fold.due(entity):
                wrong.append(f"{where} is in the index for {state.due.get(key)}")
            _note(entity, found, where)
            wrong += [f"{where}: {why}" for why in _kept(entity, rules)]
            wrong += [f"{where}: {why}" for why in _undone(ref, entity, value, rules, now)]
    return found, wrong


def unaccounted(found: Found, decided: set[str], sent: set[str], *, all_: bool) -> Iterator[str]:
    """`decided` are the ids of decisions, a shadow's by their names inside, `sent` of triggers.

    `all_`: limits must count each of these; an erasure forgets what it counted.
    """
    for id_, where in found.settled.items():
        if id_ not in decided and id_ not in found.waiting:
            yield f"{where}: settled, and nothing is said of it"
    for id_ in sorted(found.counted - sent):
        yield f"limits count {id_!r}, which was not sent"
    for id_ in sorted(sent - found.counted) if all_ else ():
        yield f"limits do not count {id_!r}"


def _undone(ref: Ref, entity: Entity, value: bytes, rules: Rules, now: int) -> Iterator[str]:
    """What a change means, and was not carried out: all of it is gone through by now."""
    for journey, facts in _facts(entity):
        due, versions = facts.due, rules.of(journey)
        rule(facts, versions, now)
        if encode_entity(ref, entity) != value:
            yield f"a ruling on {journey!r} was not carried out"
        following = next_due(facts, versions)
        if following is not None and (due is None or due > following):
            yield f"{journey!r} is due at {due} and should be at {following}"


def _kept(entity: Entity, rules: Rules) -> Iterator[str]:
    """What a pause held goes on when it is over; what met it elsewhere is asked again later."""
    profile = entity.profile if isinstance(entity, Person | Device) else Profile()
    for attempt in profile.postponed.values():
        waits = attempt.held == PAUSED and attempt.opens_at is None
        if waits and not rules.of(attempt.journey).paused:
            yield f"{attempt.journey!r} {attempt.id[:8]} is kept by a pause that is over"


def _note(entity: Entity, found: Found, where: str) -> None:
    for journey, facts in _facts(entity):
        for start in facts.starts:
            for step, settled in start.settled.items():
                id_ = trigger_id(journey, start.own_id, start.ref.message_id, step)
                text = f"{where}: {journey!r} {start.ref.message_id} {step} {settled.outcome}"
                found.settled[id_] = text
    if isinstance(entity, Address):
        found.waiting |= {attempt.id for attempt in entity.queue}
    elif isinstance(entity, Person | Device):
        caps = entity.profile.caps or Caps()
        found.waiting |= entity.profile.postponed.keys() | caps.line.keys()
        found.counted |= caps.fired.keys()


def _facts(entity: Entity) -> Iterator[tuple[str, Facts]]:
    if isinstance(entity, Case):
        yield entity.journey, entity.facts
    elif isinstance(entity, Person | Device):
        profile: Profile = entity.profile
        for journey, keys in profile.journeys.items():
            for facts in keys.values():
                yield journey, facts
