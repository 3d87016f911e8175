"""A story as a timeline in words: what happened when, where it stands, what it was judged by."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.commands.gates import Judged, gate_words, length, local
from pipeline.commands.looking_back import Told
from pipeline.commands.misses import cancel_misses
from pipeline.commands.raw_events import Arrived
from pipeline.commands.reasons import OUTCOMES, REASONS, RETRACTIONS
from pipeline.commands.stories import Story
from pipeline.domain.rules import Journey
from pipeline.domain.times import parse_instant

Json = dict[str, Any]
_NO_DEADLINE = frozenset({"missing_key", "missing_date", "once", "stale_start", "repeat"})
"""Starts that opened nothing."""


class Entry(NamedTuple):
    """One line, and what belongs below it: the gates of a decision in the order judged.

    `at`: event time of events, log time of what was decided; RFC 3339.
    """

    at: str
    kind: str
    text: str
    gates: tuple[str, ...] = ()


def timeline(story: Story, told: Told) -> list[Entry]:
    """In order of time."""
    entries = [
        *_start(story),
        *_consent(story),
        *_deadlines(story),
        *_causes(story, told),
        *_not_cancelled(story, told),
        *_decided(story, told),
        *_open(story, told),
    ]
    return sorted(entries, key=lambda entry: entry.at)


def _start(story: Story) -> Iterator[Entry]:
    anchor = story.anchor
    text = f"{_event(anchor, story.raw)} starts it"
    if story.erased:
        text += "; what it said is not shown: the person was erased"
    elif story.raw is None:
        text += "; the record itself is no longer in the topic (retention)"
    else:
        event = story.raw.event
        who = [f"userId {event.user_id}"] if event.user_id else []
        who += [f"anonymousId {event.anonymous_id}"] if event.anonymous_id else []
        said = ", ".join(f"{name} {value}" for name, value in event.properties.items())
        text += f": {', '.join(who)}" + (f"; {said}" if said else "")
    yield Entry(anchor["timestamp"], "start", text)


def _consent(story: Story) -> Iterator[Entry]:
    """Every opt-in and opt-out of where it went; of an old one at least what triggers carry."""
    told = set()
    for record in story.evidence:
        place = _place(record["evidence"])
        told.add((place, record["channel"]))
        at = record["timestamp"] or record["at"]
        said = _said(record)
        taken = "taken" if record["taken"] else f"not taken: {record['reason']}"
        action = record["action"] or "says nothing clear"
        text = f"{record['address']} {action} to {record['channel']} by {record['event']}"
        where = f"evidence {place}, message {record['messageId']}, arrived {record['at']}"
        yield Entry(at, "consent", f"{text} ({said}{where}; {taken})")
    for trigger in story.triggers:
        consent = trigger["consent"]
        place = _place(consent["evidence"])
        if (place, consent["channel"]) not in told:
            text = f"{trigger['to']} {consent['status']} to {consent['channel']}"
            said = f"{_said(consent)}evidence {place}"
            yield Entry(consent["timestamp"], "consent", f"{text} ({said})")


def _said(record: Json) -> str:
    parts = (f"{name} {record[name]}" for name in ("source", "ip", "text") if record[name])
    return "".join(f"{part}, " for part in parts)


def _deadlines(story: Story) -> Iterator[Entry]:
    records = [*story.decisions, *story.triggers, *story.waiting, *story.held]
    deadlines = {
        (record["step"], record["deadline"])
        for record in records
        # where it is the instant of deciding, that is told
        if record.get("reason") not in _NO_DEADLINE and record.get("due") != record["deadline"]
    }
    for step, deadline in sorted(deadlines):
        yield Entry(deadline, "deadline", f"deadline of step {step}")


def _causes(story: Story, told: Told) -> Iterator[Entry]:
    causes = {
        cause["messageId"]: cause
        for record in [*story.decisions, *story.retractions]
        if (cause := record.get("cause"))
    }
    for cause in causes.values():
        text = f"{_event(cause, told.raw.find(cause))} speaks against it"
        yield Entry(cause["timestamp"], "cause", text)


def _not_cancelled(story: Story, told: Told) -> Iterator[Entry]:
    """What looks as if it had ended the wait; known where the raw topic was searched."""
    journey = _journey(story, told)
    if journey is None or story.erased:
        return
    records = [*story.decisions, *story.triggers, *story.waiting, *story.held]
    last = max(
        parse_instant(record.get("expiresAt") or record["deadline"]) or 0 for record in records
    )
    first = (parse_instant(story.anchor["timestamp"]) or 0) - journey.lookback
    near = [each for each in told.raw.events if first <= each.event.time <= last]
    for arrived, why in cancel_misses(journey, story.key, story.anchor, near):
        made = arrived.as_json()
        yield Entry(
            made["timestamp"], "no_cause", f"{_event(made, arrived)} does not end it: {why}"
        )


def _decided(story: Story, told: Told) -> Iterator[Entry]:
    fired = {trigger["id"]: trigger for trigger in story.triggers}
    for decision in story.decisions:
        trigger = fired.get(decision["id"]) if decision["outcome"] == "fired" else None
        record = trigger or decision
        judged = _judged(story, told, record)
        gates = tuple(gate_words(gate, record, judged) for gate in decision["gates"])
        yield Entry(decision["decidedAt"], "decision", _decision(decision), gates)
    for trigger in story.triggers:
        to = f"trigger {trigger['id']} to {trigger['to']} by {trigger['channel']}"
        at = local(parse_instant(trigger["firedAt"]) or 0, _judged(story, told, trigger))
        rest = f", best before {trigger['expiresAt']}{at}"
        yield Entry(trigger["firedAt"], "trigger", to + rest)
    for gone in story.retractions:
        words = RETRACTIONS.get(gone["reason"], "")
        yield Entry(gone["at"], "retraction", f"retracted, {gone['reason']}: {words}")


def _decision(decision: Json) -> str:
    outcome, reason = decision["outcome"], decision["reason"]
    variant = f" (variant {decision['variant']})" if decision.get("variant") else ""
    text = f"step {decision['step']}{variant} {outcome}: {OUTCOMES.get(outcome, '')}"
    return text + (f" ({reason}: {REASONS.get(reason, '')})" if reason else "")


def _open(story: Story, told: Told) -> Iterator[Entry]:
    journey = _journey(story, told)
    lateness = journey.lateness if journey else 0
    late = f", {length(lateness)} after the deadline for late cancels" if lateness else ""
    for wait in story.waiting:
        unless = f", unless {'; '.join(wait['unless'])}" if wait["unless"] else ""
        text = f"step {wait['step']} ({wait['channel']}) is to be decided{late}{unless}"
        yield Entry(wait["due"], "open", text)
    for held in story.held:
        judged = _judged(story, told, held)
        opens = held["opensAt"]
        when = "and does not open in time"
        if opens is not None:
            when = f"until {opens}{local(parse_instant(opens) or 0, judged)}"
        rule = f" ({held['rule']})" if held["rule"] else ""
        text = f"step {held['step']} ({held['channel']} to {held['to']}) is held by"
        rest = f" {held['gate']}{rule} {when}; best before {held['expiresAt']}"
        yield Entry(opens or held["expiresAt"], "held", text + rest)


def _journey(story: Story, told: Told) -> Journey | None:
    return told.rules.of(story.journey).get(story.version)


def _judged(story: Story, told: Told, record: Json) -> Judged:
    calling = told.rules.current.calling
    place = None
    if calling is not None and not story.erased and record.get("to"):
        whose = [one.profile for one in told.people if record["to"] in one.addresses]
        traits = whose[0].live_traits() if whose else {}
        phone = record["to"] if "@" not in record["to"] else None
        if phone is None and whose:
            phone = whose[0].phones.primary()
        context = story.raw.event.context if story.raw else {}
        place = calling.atlas.locate(traits, phone, context)
    return Judged(_journey(story, told), calling, place)


def _event(event: Json, raw: Arrived | None) -> str:
    arrived = f", arrived {raw.as_json()['arrivedAt']}" if raw else ""
    return f"{event['event']} ({_place(event['source'])}, message {event['messageId']}{arrived})"


def _place(source: Json) -> str:
    return f"{source['topic']} {source['partition']}:{source['offset']}"
