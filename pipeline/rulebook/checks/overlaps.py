"""Two journeys that can contact one person for the same thing, with no limit between them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.domain.rules import Journey, Pattern, Rulebook
from pipeline.rulebook.cel.facts import Fact, contradict, facts_of
from pipeline.rulebook.cel.syntax import parse
from pipeline.rulebook.load import Sources
from pipeline.rulebook.places import JourneyPlace, journeys_of, patterns_of
from pipeline.rulebook.shape import Node
from pipeline.rulebook.slots import SHADOW


class _Starting(NamedTuple):
    """One way in which a journey starts. `facts`: what must hold where it is sent."""

    journey: Journey
    pattern: Pattern
    facts: list[Fact]
    node: Node


def check_overlaps(sources: Sources, rulebook: Rulebook) -> None:
    """Note for each journey the first that stands before it, and how many more there are."""
    compiled = {journey.name: journey for journey in rulebook.journeys}
    earlier: dict[tuple[Any, ...], dict[str | None, list[_Starting]]] = {}
    for place in journeys_of(sources):
        if place.made.get("status") in {SHADOW, "retired"}:
            continue  # it contacts nobody
        found: dict[str, tuple[_Starting, _Starting, list[str]]] = {}
        for one in _startings(place, compiled[place.made["journey"]]):
            by_name = earlier.setdefault((one.pattern.type, one.journey.key), {})
            for other in _alike(one, by_name):
                if channels := _shared(one, other, rulebook):
                    found.setdefault(other.journey.name, (one, other, channels))
            by_name.setdefault(one.pattern.name, []).append(one)
        if found:
            _note(*next(iter(found.values())), len(found) - 1)


def _alike(one: _Starting, by_name: dict[str | None, list[_Starting]]) -> list[_Starting]:
    """Those that one event can start along with it; no name means any event of the type."""
    name = one.pattern.name
    names = by_name if name is None else (None, name)
    return [each for known in names for each in by_name.get(known, ())]


def _startings(place: JourneyPlace, journey: Journey) -> Iterator[_Starting]:
    audience = _facts(journey.audience.text) if journey.audience else []
    pairs = zip(patterns_of(place, "start"), journey.start, strict=True)
    for written, pattern in pairs:
        where = _facts(pattern.where.text) if pattern.where else []
        yield _Starting(journey, pattern, where + audience, written.node)


def _facts(text: str) -> list[Fact]:
    return facts_of(parse(text))


def _shared(one: _Starting, other: _Starting, rulebook: Rulebook) -> list[str]:
    """The channels on which both can be sent for one event, and nothing counts them together."""
    if one.journey.name == other.journey.name:
        return []
    limits = rulebook.calling.limits if rulebook.calling else ()
    limited = {
        channel for each in limits if not each.applies.regions for channel in each.applies.channels
    }
    used = [{str(step.channel) for step in each.journey.steps} for each in (one, other)]
    shared = sorted((used[0] & used[1]) - limited)
    return shared if shared and not contradict(one.facts + other.facts) else []


def _note(one: _Starting, other: _Starting, channels: list[str], more: int) -> None:
    name = one.pattern.name or other.pattern.name or f"any {one.pattern.type}"
    ways = " and ".join(channels)
    key = ".".join(one.journey.key)
    about = f"with the same `{key}`" if key else "of one person"
    place = f"{other.node.file}:{other.node.line}"
    rest = f" (and so with {more} more)" if more else ""
    message = (
        f"`{name}` {about} also starts `{other.journey.name}` ({place}), and both contact by {ways}"
    )
    remedy = f"add `limits` for {ways} in calling.yaml, or `where`s that exclude each other"
    one.node.warn(message + rest, remedy, "same-contact")
