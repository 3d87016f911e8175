"""From an event to facts: which journeys it starts, which it cancels, under which key."""

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.domain.events import Event
from pipeline.domain.facts import Cancel, EventRef, Start
from pipeline.domain.ids import at_path, digest, key_text
from pipeline.domain.refs import Ref
from pipeline.domain.rules import Journey, Pattern
from pipeline.domain.schedule import dates_of
from pipeline.domain.turn import Turn


class Noticed(NamedTuple):
    """A fact for one journey and key. `key` None: a start that lacks its key opens nothing."""

    journey: Journey
    key: str | None
    start: Start | None
    cancel: Cancel | None


def case_of(journey: str, key: str) -> Ref:
    """The entity in which the facts of a `match: key` journey meet."""
    return Ref("case", digest(journey, key))


def starts(event: Event, holder: Ref, turn: Turn) -> Iterable[Noticed]:
    """The waits that an event opens, by the rulebook in force."""
    for journey in turn.rules.current.journeys_of(event):
        if journey.status == "retired":
            continue
        if any(_meets(pattern, event, turn) for pattern in journey.start):
            yield Noticed(journey, _key(journey, event), _start(journey, event, holder, turn), None)


def _meets(pattern: Pattern, event: Event, turn: Turn) -> bool:
    """A condition that cannot be judged is false in a start."""
    if not pattern.names(event):
        return False
    if pattern.where is None:
        return True
    fits = pattern.where(_names(event))
    if fits is None:
        turn.count("start_unjudged")
    return fits is True


def _start(journey: Journey, event: Event, holder: Ref, turn: Turn) -> Start:
    properties, context = event.properties, event.context
    if not journey.reads_start:
        # an open wait keeps only what its triggers will show
        wanted = {path.split(".")[1] for step in journey.steps for path in step.include}
        properties = {name: value for name, value in properties.items() if name in wanted}
        context = {name: context[name] for name in ("timezone",) if name in context}
    return Start(
        own_id=event.own_id,
        version=journey.version,
        ref=EventRef.of(event),
        taken_at=turn.now,
        type=event.type,
        properties=properties,
        context=context,
        holder_kind="person" if holder.kind == "person" else "device",
        holder_id=holder.id,
        dates=dates_of(journey, _names(event), event.time),
    )


def cancels(event: Event, turn: Turn) -> Iterable[Noticed]:
    """What an event ends, by every version that a wait may be pinned to."""
    found: dict[tuple[str, str], list[tuple[Journey, bool]]] = {}
    for journey in turn.rules.cancelled_by(event):
        sure = _cancels(journey, event, turn)
        if sure is None:
            continue
        key = _key(journey, event)
        if key is None:
            turn.count("cancel_without_key")
            continue
        found.setdefault((journey.name, key), []).append((journey, sure))
    for (name, key), versions in found.items():
        maybe = tuple(journey.version for journey, sure in versions if not sure)
        cancel = Cancel(
            own_id=event.own_id,
            ref=EventRef.of(event),
            taken_at=turn.now,
            sure=tuple(journey.version for journey, sure in versions if sure),
            maybe=maybe,
            type=event.type,
            properties=event.properties if maybe else {},
            context=event.context if maybe else {},
            newest=max(turn.rules.of(name)),
        )
        yield Noticed(versions[-1][0], key, None, cancel)


def _cancels(journey: Journey, event: Event, turn: Turn) -> bool | None:
    """True: it does; False: that depends on the anchor; None: it does not."""
    verdict: bool | None = None
    for pattern in journey.unless:
        if not pattern.names(event):
            continue
        if pattern.where is None:
            return True
        if pattern.where.uses_start:
            verdict = False
            continue
        fits = pattern.where(_names(event))
        if fits is None:
            # in doubt nobody is called
            turn.count("cancel_unjudged")
        if fits is not False:
            return True
    return verdict


def _names(event: Event) -> dict[str, object]:
    return {
        "properties": event.properties,
        "context": event.context,
        "type": event.type,
        "event": event.name,
    }


def _key(journey: Journey, event: Event) -> str | None:
    """Rule 4; a journey without a key has one wait a person, under the empty key."""
    return key_text(at_path(_names(event), journey.key)) if journey.key else ""
