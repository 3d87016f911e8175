"""Event names that are written in two ways: names are compared exactly, letter by letter."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.rulebook.cel.facts import compared_with
from pipeline.rulebook.conditions import fields_read
from pipeline.rulebook.journeys import pattern_name
from pipeline.rulebook.load import Sources
from pipeline.rulebook.places import conditions_of, journeys_of, patterns_of
from pipeline.rulebook.shape import Node


class Use(NamedTuple):
    """A name, the type of call, and where it is written; `group`: the list that it stands in."""

    type: str
    name: str
    node: Node
    group: str


def folded(name: str) -> str:
    """A name without what is easily mistaken: letter case, blanks, `_` and `-`."""
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def uses_of(sources: Sources) -> Iterator[Use]:
    """Every event name of the rules, in the order of the files."""
    consent = sources.tops.get("consent.yaml")
    for rule in consent.at("events").items() if consent and consent.has("events") else ():
        yield Use("track", rule.value["event"], rule.at("event"), "consent.yaml")
    for journey in journeys_of(sources):
        for part in ("start", "unless"):
            for pattern in patterns_of(journey, part):
                if (name := pattern_name(pattern.made)) is not None:
                    group = f"{journey.root.file} {part}"
                    yield Use(pattern.made["type"], name, pattern.node, group)
        for place in conditions_of(journey):
            for name in names_in(place.text):
                yield Use("track", name, place.node, f"{journey.root.file} {place.part}")


def names_in(text: str) -> list[str]:
    """The event names that a condition looks up or compares with."""
    counted = {path[1] for path in fields_read(text) if path[0] == "events" and len(path) > 1}
    compared = compared_with(text, ("event",)) | compared_with(text, ("start", "event"))
    return sorted(counted | compared)


def check_names(sources: Sources) -> None:
    """Note the rarer spelling; both side by side in one list are meant."""
    by_name: dict[tuple[str, str], list[Use]] = {}
    for use in uses_of(sources):
        by_name.setdefault((use.type, folded(use.name)), []).append(use)
    for uses in by_name.values():
        counts = Counter(use.name for use in uses)
        if len(counts) > 1:
            usual = max(uses, key=lambda use: counts[use.name])
            _note(uses, usual)


def _note(uses: list[Use], usual: Use) -> None:
    together = {use.group for use in uses if use.name == usual.name}
    for use in uses:
        if use.name != usual.name and use.group not in together:
            message = f"`{use.name}` is written `{usual.name}` in {usual.node.file}"
            remedy = f"write `{usual.name}`: names are exact"
            use.node.warn(f"{message}:{usual.node.line}", remedy, "name-spelling")
