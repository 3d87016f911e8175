"""What somebody, or everybody, is waiting for: derived from the facts, as the workers do."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipeline.commands.reach import Reach, read_entity
from pipeline.domain.entities import Case, Device, Entity, Person
from pipeline.domain.facts import Facts, Start
from pipeline.domain.ids import trigger_id
from pipeline.domain.rules import Pattern
from pipeline.domain.times import format_instant
from pipeline.domain.turn import Rules
from pipeline.domain.waits import Wait, derive
from pipeline.process.shelf import rules_of

COUNTED_MAX: Final = 20_000
"""Waiting entities of one partition that are counted; more is not cheap."""
_BATCH: Final = 500
_END_OF_TIME: Final = 2**52


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step that is not decided yet."""

    journey: str
    key: str | None
    wait: Wait
    step: int

    @property
    def id(self) -> str:
        """The id its trigger would have."""
        anchor = self.wait.anchor
        return trigger_id(self.journey, anchor.own_id, anchor.ref.message_id, self.step)

    @property
    def unless(self) -> list[str]:
        """What would end the wait."""
        return [_named(pattern) for pattern in self.wait.journey.unless]

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        anchor, journey = self.wait.anchor, self.wait.journey
        source = anchor.ref.source
        return {
            "id": self.id,
            "journey": self.journey,
            "version": journey.version,
            "step": self.step,
            "key": self.key,
            "channel": journey.steps[self.step - 1].channel,
            "deadline": format_instant(self.wait.deadline(self.step)),
            "due": format_instant(self.wait.due(self.step)),
            "unless": self.unless,
            "anchor": {
                "messageId": anchor.ref.message_id,
                "event": anchor.ref.event,
                "timestamp": format_instant(anchor.ref.time),
                "source": {
                    "topic": source.topic,
                    "partition": source.partition,
                    "offset": source.offset,
                },
            },
        }


def _named(pattern: Pattern) -> str:
    name = pattern.name or f"any {pattern.type}"
    kind = "" if pattern.type == "track" or pattern.name is None else f"{pattern.type} "
    where = "" if pattern.where is None else f" where {pattern.where.text}"
    return f"{kind}{name}{where}"


def open_steps(
    journey: str, key: str, facts: Facts, rules: Rules, holders: Collection[Start] | None = None
) -> Iterator[OpenStep]:
    """The steps of one journey and key that are not decided; `holders` picks among the anchors."""
    for wait in derive(facts, rules.of(journey)).waits:
        if holders is None or any(wait.anchor is start for start in holders):
            for step in wait.open_steps():
                yield OpenStep(journey, key or None, wait, step)


async def count_open(pipeline: Reach, names: Collection[str]) -> dict[str, int | None]:
    """By journey how many waits are open; None where too many entities wait to count them."""
    rules = rules_of((await pipeline.in_force()).shelf)
    counts: Counter[str] = Counter()
    for partition in range(pipeline.settings.partitions):
        keys = await pipeline.store.due(partition, _END_OF_TIME, COUNTED_MAX + 1)
        if len(keys) > COUNTED_MAX:
            return dict.fromkeys(sorted(names))
        for first in range(0, len(keys), _BATCH):
            values = await pipeline.store.load(partition, keys[first : first + _BATCH])
            for value in values:
                if value is not None:
                    counts.update(_open_journeys(read_entity(value), rules, names))
    return {name: counts[name] for name in sorted(names)}


def _open_journeys(entity: Entity, rules: Rules, names: Collection[str]) -> Iterator[str]:
    facts: Iterator[tuple[str, Facts]]
    match entity:
        case Person() | Device():
            journeys = entity.profile.journeys
            facts = ((name, one) for name, keys in journeys.items() for one in keys.values())
        case Case():
            facts = iter([(entity.journey, entity.facts)])
        case _:
            return
    for name, one in facts:
        if name in names:
            for wait in derive(one, rules.of(name)).waits:
                if wait.open_steps():
                    yield name
