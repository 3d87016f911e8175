"""What came nearest to starting or ending a wait and did not, judged anew on the raw events."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pipeline.commands.raw_events import Arrived
from pipeline.domain.events import Event
from pipeline.domain.ids import at_path, key_text
from pipeline.domain.rules import Condition, Journey, Pattern
from pipeline.rulebook.conditions import fields_read

Json = dict[str, Any]
_SHOWN: Final = 80


def start_misses(journey: Journey, events: Iterable[Arrived], started: set[str]) -> list[Json]:
    """Why events of a person started nothing of a journey; alike ones once, with the last of them.

    `started` are the messageIds of the starts that are told of elsewhere.
    """
    found: dict[str, Json] = {}
    taken: dict[tuple[str, str], Arrived] = {}
    for arrived in events:
        event = arrived.event
        first = taken.setdefault((event.own_id, event.message_id), arrived)
        for text in _start_miss(journey, event, started, None if first is arrived else first):
            made = found.setdefault(text, {"journey": journey.name, "text": text, "count": 0})
            made["count"] += 1
            made["event"] = arrived.as_json()
    return list(found.values())


def _start_miss(
    journey: Journey, event: Event, started: set[str], first: Arrived | None
) -> Iterator[str]:
    if event.message_id in started:
        if first is not None:
            yield _repeated(first)
        return
    named = [pattern for pattern in journey.start if pattern.names(event)]
    if not named:
        near = [p.name for p in journey.start if p.name is not None and _near(p, event)]
        yield from (f"`{event.name}` is not `{name}`: names are compared exactly" for name in near)
        return
    reasons = [why for pattern in named if (why := _false(pattern.where, event)) is not None]
    if len(reasons) == len(named):
        yield from reasons
    elif first is not None:
        yield _repeated(first)
    else:
        yield (
            f"`{event.name or event.type}` fits, and no decision on it is on record: it was taken"
            " before the journey was in force or for a person who was erased, its decision is no"
            " longer in the topic, or no worker has taken it yet"
        )


def _repeated(first: Arrived) -> str:
    source = first.event.source
    place = f"{source.topic} {source.partition}:{source.offset}"
    return f"it repeats the messageId of {place}, and was dropped if that was within 24 hours"


def _near(pattern: Pattern, event: Event) -> bool:
    """Whether a name differs from what is meant by capitals, blanks or signs only."""
    return (
        pattern.type == event.type
        and pattern.name is not None
        and _bare(pattern.name) == _bare(event.name)
    )


def _bare(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


def _false(where: Condition | None, event: Event) -> str | None:
    """Why a condition is not true of an event; None where it is."""
    if where is None:
        return None
    names: Mapping[str, object] = {
        "properties": event.properties,
        "context": event.context,
        "type": event.type,
        "event": event.name,
    }
    verdict = where(names)
    if verdict is True:
        return None
    values = "; ".join(_values(where, names))
    said = "was false" if verdict is False else "could not be judged"
    return f"`where` {said}: {where.text}" + (f" ({values})" if values else "")


def _values(where: Condition, names: Mapping[str, object]) -> Iterator[str]:
    """What the condition read."""
    for path in sorted(fields_read(where.text)):
        if path[0] in names and len(path) > 1:
            value = at_path(names, path)
            shown = "is missing" if value is None else f"is {value!r}"[:_SHOWN]
            yield f"{'.'.join(path)} {shown}"


def cancel_misses(
    journey: Journey, key: str | None, anchor: Json, events: Iterable[Arrived]
) -> Iterator[tuple[Arrived, str]]:
    """Events after a start that look as if they ended its wait, and why they did not."""
    for arrived in events:
        event = arrived.event
        named = [pattern for pattern in journey.unless if pattern.names(event)]
        near = [p.name for p in journey.unless if p.name is not None and _near(p, event)]
        if event.message_id == anchor["messageId"]:
            continue
        if not named:
            yield from ((arrived, f"its name is not `{name}`") for name in near)
            continue
        theirs = key_text(at_path(_roots(event), journey.key)) if journey.key else ""
        if theirs != (key or ""):
            yield arrived, "it has no usable key" if theirs is None else f"its key is {theirs}"
            continue
        if any(p.where is not None and p.where.uses_start for p in named):
            continue
        # a condition that cannot be judged ends the wait
        if all(p.where is not None and p.where(_names(event)) is False for p in named):
            reasons = [why for p in named if (why := _false(p.where, event)) is not None]
            yield arrived, "; ".join(reasons)


def _roots(event: Event) -> dict[str, object]:
    return {"properties": event.properties, "context": event.context}


def _names(event: Event) -> dict[str, object]:
    return {**_roots(event), "type": event.type, "event": event.name}
