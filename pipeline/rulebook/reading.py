"""What a rulebook reads of events and people: fields, texts that conditions name, event names.

Made from a document, so that who has to leave data out knows what decides.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.rulebook.cel.paths import Path
from pipeline.rulebook.conditions import fields_read
from pipeline.rulebook.load import Document

_QUOTED: Final = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'""")


@dataclass(frozen=True, slots=True)
class Reading:
    """Paths begin with `properties`, `context` or `traits`; what is read of `start` is under the
    root it has there.

    `judged`: by conditions. `shown`: in `include`. `keys`: correlation keys. `dates`: what
    deadlines rest on. `literals`: every text that a condition names. `events`: the names of events,
    pages and screens that start, end, opt in or out, or are counted.
    """

    judged: frozenset[Path]
    shown: frozenset[Path]
    keys: frozenset[Path]
    dates: frozenset[Path]
    literals: frozenset[str]
    events: frozenset[str]

    def judges(self, path: Path) -> bool:
        """Whether a condition reads this field, or something that it is a part of."""
        return any(path[: len(read)] == read for read in self.judged)

    def shows(self, path: Path) -> bool:
        """Whether triggers carry this field, or something that it is a part of."""
        return any(path[: len(read)] == read for read in self.shown)


def reading_of(document: Document) -> Reading:
    """What a canonical document reads."""
    journeys: list[dict[str, Any]] = document.get("journeys", [])
    conditions = [text for journey in journeys for text in _conditions(journey)]
    steps = [step for journey in journeys for step in journey["steps"]]
    fields = [path for text in conditions for path in fields_read(text)]
    judged = {path[1:] if path[0] == "start" else path for path in fields}
    patterns = [each for journey in journeys for each in (*journey["start"], *journey["unless"])]
    names = {each.get("event", each.get("name")) for each in patterns}
    names |= {rule["event"] for rule in document.get("consent", {}).get("events", [])}
    names |= {path[1] for path in fields if path[0] == "events" and len(path) > 1}
    literals = {text for condition in conditions for text in _literals(condition)}
    return Reading(
        judged=frozenset(path for path in judged if path),
        shown=frozenset(_path(path) for step in steps for path in step["include"]),
        keys=frozenset(_path(journey["key"]) for journey in journeys if journey.get("key")),
        dates=frozenset(_path(step["until"]) for step in steps if step.get("until")),
        literals=frozenset(literals),
        events=frozenset({name for name in names if name is not None} | literals),
    )


def _conditions(journey: Mapping[str, Any]) -> Iterator[str]:
    holders = [*journey["start"], *journey["unless"]]
    texts = [holder.get("where") for holder in holders]
    texts += [journey.get("audience"), *(step.get("when") for step in journey["steps"])]
    return (text for text in texts if text)


def _literals(condition: str) -> Iterator[str]:
    for double, single in _QUOTED.findall(condition):
        yield double or single


def _path(text: str) -> Path:
    return tuple(text.split("."))
