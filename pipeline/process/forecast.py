"""What would become of open waits, by each policy: the production code on copies of the facts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pipeline.domain.entities import Case, Device, Entity, Person
from pipeline.domain.facts import Facts
from pipeline.domain.rulings import rule
from pipeline.domain.turn import Rules
from pipeline.domain.versions import Ruling, Versions
from pipeline.domain.waits import Wait, derive
from pipeline.rulebook.open_waits import Range


@dataclass(slots=True)
class Forecast:
    """Of one journey and version. `keep` lets all go on, `drop` ends all.

    `open` are waits with a step to be decided, `held` steps that wait for a calling window. Of the
    open ones `re_evaluated` can go on under the new version: some with a step that is `due` at once
    or one that has `expired` by then.
    """

    open: int = 0
    held: int = 0
    re_evaluated: int = 0
    due: int = 0
    expired: int = 0


Forecasts: TypeAlias = dict[tuple[str, int], Forecast]
"""By journey and version."""


def forecast(
    entity: Entity, rules: Rules, meant: Mapping[str, Range], now: int, into: Forecasts
) -> None:
    """Count an entity in. Its facts are changed: it must be a copy that nobody else has.

    `rules` know every version, the new one as well; `meant` says which waits are older ones.
    """
    for name, facts in _facts(entity):
        if name in meant:
            _count(name, facts, rules.of(name), meant[name], now, into)
    if isinstance(entity, Person | Device):
        for attempt in entity.profile.postponed.values():
            older = meant.get(attempt.journey)
            if older is not None and attempt.version < older.below:
                into.setdefault((attempt.journey, attempt.version), Forecast()).held += 1


def _facts(entity: Entity) -> Iterator[tuple[str, Facts]]:
    match entity:
        case Person() | Device():
            for name, keys in entity.profile.journeys.items():
                for facts in keys.values():
                    yield name, facts
        case Case():
            yield entity.journey, entity.facts


def _count(
    name: str, facts: Facts, versions: Versions, meant: Range, now: int, into: Forecasts
) -> None:
    waits = [wait for wait in derive(facts, versions).waits if not wait.over]
    older = {w.anchor.identity: w.journey.version for w in waits if w.journey.version < meant.below}
    for version in older.values():
        into.setdefault((name, version), Forecast()).open += 1
    if meant.new is None or not older:
        return
    moved = Versions(versions, Ruling(move=meant.below))
    rule(facts, moved, now)
    for wait in derive(facts, moved).waits:
        before = older.get(wait.anchor.identity)
        if before is not None and wait.anchor.version == meant.below and not wait.over:
            _foresee(wait, now, into[name, before])


def _foresee(wait: Wait, now: int, result: Forecast) -> None:
    result.re_evaluated += 1
    late = [
        now > wait.deadline(step) + wait.journey.steps[step - 1].expires
        for step in wait.open_steps()
        if wait.due(step) <= now
    ]
    result.expired += any(late)
    result.due += not all(late)
