"""What a history has shown: which events with which fields, and what the rules made of them.

Names and counts only; no values are kept.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from pipeline.domain.events import Event
from pipeline.domain.ids import at_path, key_text
from pipeline.domain.rules import Journey, Rulebook
from pipeline.rulebook.branches import Branch
from pipeline.rulebook.cel.paths import Path
from pipeline.rulebook.watched import watched

NAMES_MAX: Final = 10_000
FIELDS_MAX: Final = 1_000
DEPTH_MAX: Final = 8

KeyKind: TypeAlias = Literal["numbers", "text", "true or false"]
Call: TypeAlias = tuple[str, str]
"""Type and name; the name is empty for calls that have none."""


@dataclass(slots=True)
class SeenCall:
    """How often, with which fields. `cut`: it had more than are remembered."""

    count: int = 0
    fields: set[Path] = field(default_factory=set)
    cut: bool = False


@dataclass(slots=True)
class Observed:
    """All that is remembered of a history.

    `keys` counts by journey, part (start, unless) and call which kinds of keys there were;
    `verdicts` those of conditions of starts. `cut`: there were more names than are remembered.
    """

    records: int = 0
    calls: dict[Call, SeenCall] = field(default_factory=dict)
    traits: SeenCall = field(default_factory=SeenCall)
    opted_in: Counter[str] = field(default_factory=Counter)
    keys: dict[tuple[str, str, Call], Counter[KeyKind]] = field(default_factory=dict)
    verdicts: Counter[Branch] = field(default_factory=Counter)
    cut: bool = False


class Observer:
    """Takes the events of a history, in whatever order."""

    def __init__(self, rulebook: Rulebook) -> None:
        """`rulebook` is the one that is checked."""
        self.observed = Observed()
        self._rulebook = watched(rulebook, lambda branch: self.observed.verdicts.update((branch,)))

    def take(self, event: Event) -> None:
        """Remember its names and fields."""
        observed = self.observed
        call = (event.type, event.name)
        if call not in observed.calls and len(observed.calls) >= NAMES_MAX:
            observed.cut = True
            return
        seen = observed.calls.setdefault(call, SeenCall())
        seen.count += 1
        _remember(seen, {"properties": event.properties, "context": event.context})
        if event.type == "identify":
            observed.traits.count += 1
            _remember(observed.traits, {"traits": event.traits})
        self._consent(event)
        for journey in self._rulebook.journeys_of(event):
            self._journey(journey, event, call)

    def _consent(self, event: Event) -> None:
        for entry in event.opt_ins:
            if entry.subscribed and entry.channel is not None:
                self.observed.opted_in[entry.channel] += 1
        for rule in self._rulebook.consent_rules(event):
            self.observed.opted_in.update(rule.channels if rule.subscribed else ())

    def _journey(self, journey: Journey, event: Event, call: Call) -> None:
        names = {
            "properties": event.properties,
            "context": event.context,
            "type": event.type,
            "event": event.name,
        }
        for pattern in journey.start:
            if pattern.names(event) and pattern.where is not None:
                pattern.where(names)
        kind = _kind(at_path(names, journey.key)) if journey.key else None
        for part, patterns in (("start", journey.start), ("unless", journey.unless)):
            if journey.key and any(pattern.names(event) for pattern in patterns):
                kinds = self.observed.keys.setdefault((journey.name, part, call), Counter())
                kinds.update((kind,) if kind else ())


def _kind(value: object) -> KeyKind | None:
    """By rule 4 a number and its text are one key; None for what is no key."""
    text = key_text(value)
    if text is None:
        return None
    if text in {"true", "false"}:
        return "true or false"
    try:
        float(text)
    except ValueError:
        return "text"
    return "numbers"


def _remember(seen: SeenCall, roots: Mapping[str, Any]) -> None:
    for root, value in roots.items():
        for path in _paths((root,), value):
            if path not in seen.fields:
                if len(seen.fields) >= FIELDS_MAX:
                    seen.cut = True
                    return
                seen.fields.add(path)


def _paths(path: Path, value: object) -> Iterator[Path]:
    if isinstance(value, Mapping) and len(path) <= DEPTH_MAX:
        for name, inner in value.items():
            yield (*path, name)
            yield from _paths((*path, name), inner)
