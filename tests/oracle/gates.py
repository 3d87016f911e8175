"""The gates in their order (rule 9) and what an audience sees (rule 18, CONTRACT 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from tests.oracle.cel import holds
from tests.oracle.consent import Consent
from tests.oracle.events import Event
from tests.oracle.people import Person
from tests.oracle.rulebook import Journey, Step


def first_closed(
    journey: Journey,
    step: Step,
    anchor: Event,
    person: Person,
    theirs: Sequence[Event],
    number: str | None,
    consent: Consent,
    called: Sequence[int],
    now: int,
) -> str | None:
    """The gate that suppresses a step, if any. `called`: when the journey fired to the address."""
    scope = {
        "traits": trait_values(theirs),
        "start": anchor.as_start(),
        "events": _Counts(event_counts(theirs)),
    }
    if not holds(journey.audience, scope, unjudged=False):
        return "audience"
    if not holds(step.when, scope, unjudged=False):
        return "condition"
    if held_out(journey, person):
        return "holdout"
    if number is None:
        return "no_address"
    if not consent.subscribed(number, step.channel):
        return "opted_out" if consent.said_of(number, step.channel) else "no_consent"
    return "cooldown" if any(now - at < step.cooldown for at in called) else None


def held_out(journey: Journey, person: Person) -> bool:
    digest = hashlib.sha256(f"{journey.salt}\0{journey.name}\0{person[1]}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < journey.percent / 100


class _Counts(dict[str, dict[str, Any]]):
    """A name never seen has count 0."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> dict[str, Any]:
        return {"count": 0}


def trait_values(events: Iterable[Event]) -> dict[str, Any]:
    """Rule 18."""
    newest: dict[str, tuple[int, str]] = {}
    values: dict[str, Any] = {}
    for event in events:
        if event.type != "identify":
            continue
        for name, value in event.traits.items():
            if (event.time, event.message_id) >= newest.get(name, (event.time, "")):
                newest[name], values[name] = (event.time, event.message_id), value
    return {name: value for name, value in values.items() if value is not None}


def event_counts(events: Iterable[Event]) -> dict[str, dict[str, Any]]:
    """What `audience` sees as `events`: track events by name."""
    seen: dict[str, list[Event]] = {}
    for event in events:
        if event.type == "track" and event.name:
            seen.setdefault(event.name, []).append(event)
    counts = {}
    for name, several in seen.items():
        in_order = sorted(several, key=lambda event: event.time)
        first, last = (in_order[end].as_start()["timestamp"] for end in (0, -1))
        counts[name] = {"count": len(several), "first": first, "last": last}
    return counts
