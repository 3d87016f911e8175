"""Where each part of a journey's canonical form stands in its file.

Only for journeys without errors: there the canonical parts and the nodes of the file go together.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.rulebook.journeys import Pattern
from pipeline.rulebook.load import Sources
from pipeline.rulebook.shape import Node


class JourneyPlace(NamedTuple):
    """A journey: its file's root, and its canonical form."""

    root: Node
    made: dict[str, Any]


class PatternPlace(NamedTuple):
    """An alternative of `start` or `unless`: its number in the canonical list, counted from 1."""

    number: int
    made: Pattern
    node: Node
    where: Node | None


class StepPlace(NamedTuple):
    """A step of the file; `numbers` are those of the steps that it and its repetitions make."""

    numbers: range
    made: dict[str, Any]
    node: Node


def journeys_of(sources: Sources) -> Iterator[JourneyPlace]:
    """Every journey, in the order of the files."""
    for root in sources.journeys:
        yield JourneyPlace(root, sources.canonical[root.file])


def patterns_of(journey: JourneyPlace, part: str) -> Iterator[PatternPlace]:
    """The alternatives of `start` or `unless`, each where its name is written."""
    if not journey.root.has(part):
        return
    written = list(_written(journey.root.at(part)))
    pairs = zip(journey.made[part], written, strict=True)
    for number, (made, (node, where)) in enumerate(pairs, 1):
        yield PatternPlace(number, made, node, where)


def _written(node: Node) -> Iterator[tuple[Node, Node | None]]:
    for each in node.list(single=True):
        where = each.at("where") if each.has("where") else None
        if each.has("event"):
            for part in each.at("event").list(single=True):
                yield from ((name, where) for name in _names(part))
        else:
            yield from ((name, where) for name in _names(each))


def _names(node: Node) -> Iterator[Node]:
    """A text, or the names of a map of type and name; the map itself where it has none."""
    if isinstance(node.value, Mapping) and node.has("name"):
        yield from node.at("name").list(single=True)
    else:
        yield node


def steps_of(journey: JourneyPlace) -> Iterator[StepPlace]:
    """The steps as the file has them."""
    first = 1
    pairs = zip(journey.root.at("steps").items(), journey.made["steps"], strict=True)
    for node, made in pairs:
        times = made.get("times") or 1
        yield StepPlace(range(first, first + times), made, node)
        first += times


class ConditionPlace(NamedTuple):
    """A condition: the part it belongs to (start, unless, audience, when) and its text."""

    part: str
    node: Node
    text: str


def conditions_of(journey: JourneyPlace) -> Iterator[ConditionPlace]:
    """Every condition of a journey; one that several alternatives share comes once."""
    for part in ("start", "unless"):
        seen: set[tuple[int, str]] = set()
        for pattern in patterns_of(journey, part):
            where = pattern.where
            if where is not None and (where.line, pattern.made["where"]) not in seen:
                seen.add((where.line, pattern.made["where"]))
                yield ConditionPlace(part, where, pattern.made["where"])
    if "audience" in journey.made:
        yield ConditionPlace("audience", journey.root.at("audience"), journey.made["audience"])
    for step in steps_of(journey):
        if "when" in step.made:
            yield ConditionPlace("when", step.node.at("when"), step.made["when"])
