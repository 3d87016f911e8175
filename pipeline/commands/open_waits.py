"""What somebody, or everybody, is waiting for: derived from the facts, as the workers do."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.commands.reach import Reach, read_entity
from pipeline.domain.facts import Facts, Start
from pipeline.domain.ids import trigger_id
from pipeline.domain.rules import Pattern
from pipeline.domain.times import format_instant
from pipeline.domain.turn import Rules
from pipeline.domain.waits import Wait, derive
from pipeline.process.forecast import Forecasts, forecast
from pipeline.process.holdings import END_OF_TIME
from pipeline.process.shelf import rules_of
from pipeline.rulebook.load import Document
from pipeline.rulebook.open_waits import ranges
from pipeline.wire.state import Shelf

_BATCH: Final = 500
_PAGE: Final = 10_000


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


async def forecasts(pipeline: Reach, shelf: Shelf, document: Document, digest: str) -> Forecasts:
    """What each policy would do at an apply of this document, now; nothing is changed."""
    meant = ranges(shelf.documents.values(), document)
    rules = rules_of(replace(shelf, documents=shelf.documents | {digest: document}))
    found: Forecasts = {}
    for partition in range(pipeline.settings.partitions):
        keys = await _waiting(pipeline, partition)
        for first in range(0, len(keys), _BATCH):
            for value in await pipeline.store.load(partition, keys[first : first + _BATCH]):
                if value is not None:
                    forecast(read_entity(value), rules, meant, pipeline.clock.now(), found)
    return dict(sorted(found.items()))


async def _waiting(pipeline: Reach, partition: int) -> list[bytes]:
    """The keys of all that is due at any time; what moves in between is counted once."""
    keys: dict[bytes, None] = {}
    skip = 0
    while page := await pipeline.store.due(partition, END_OF_TIME, _PAGE, skip=skip):
        keys |= dict.fromkeys(page)
        skip += len(page)
    return list(keys)
