"""An address lets triggers out, by its own gates, and takes them back (rules 9 and 10)."""

from dataclasses import replace

from pipeline.domain.entities import Address, Cause, OpenTrigger
from pipeline.domain.events import Channel
from pipeline.domain.facts import EventRef
from pipeline.domain.messages import Recalled
from pipeline.domain.outputs import (
    Attempt,
    Gate,
    Happening,
    Retraction,
    RetractionReason,
    Trigger,
    decision_on,
)
from pipeline.domain.turn import Turn

ERASED, OPTED_OUT, CANCELLED = range(3)
"""Ranks of causes: of what is taken at one log time the first gives the reason (rule 10)."""


def attempt_now(address: Address, attempt: Attempt, turn: Turn) -> None:
    """The gates that are the address's own: consent, then cooldown."""
    consent = address.consents.get(attempt.channel)
    if consent is None or not consent.subscribed:
        reason = "no_consent" if consent is None else "opted_out"
        gates = (*attempt.gates, Gate("consent", "fail"))
        turn.say(decision_on(replace(attempt, gates=gates), "suppressed", reason, turn.now))
        return
    attempt = replace(attempt, gates=(*attempt.gates, Gate("consent", "pass")))
    if attempt.cooldown:
        last = address.last_fired.get(attempt.journey)
        cool = last is None or turn.now - last >= attempt.cooldown
        gates = (*attempt.gates, Gate("cooldown", "pass" if cool else "fail"))
        attempt = replace(attempt, gates=gates)
        if not cool:
            turn.say(decision_on(attempt, "suppressed", "cooldown", turn.now))
            return
    address.last_fired[attempt.journey] = turn.now
    address.open[attempt.id] = OpenTrigger(replace(attempt, include={}))
    turn.say(Trigger(attempt, turn.now, consent, attempt.gates))
    turn.say(decision_on(attempt, "fired", None, turn.now))
    turn.say(Happening("Journey Triggered", attempt.who, _properties(attempt), turn.now))


def recall(address: Address, recalled: Recalled, turn: Turn) -> None:
    """A cancel or an erasure means a step that came here."""
    for attempt in [queued for queued in address.queue if queued.id == recalled.trigger]:
        address.queue.remove(attempt)
        if recalled.erased:
            turn.say(decision_on(attempt, "erased", "erasure", turn.now))
        else:
            turn.say(decision_on(attempt, "cancelled", "cancelled", turn.now, recalled.cause))
    rank = ERASED if recalled.erased else CANCELLED
    note_cause(address, recalled.trigger, rank, recalled.cause, turn)


def opted_out(address: Address, channel: Channel, ref: EventRef | None, turn: Turn) -> None:
    """The address no longer is opted in to a channel: what is open there is to be retracted."""
    for trigger, opened in address.open.items():
        if opened.attempt.channel == channel:
            note_cause(address, trigger, OPTED_OUT, ref, turn)


def note_cause(address: Address, trigger: str, rank: int, ref: EventRef | None, turn: Turn) -> None:
    """Note it; which cause gives the reason is told once everything of this log time is known."""
    opened = address.open.get(trigger)
    if opened is not None and turn.now <= opened.attempt.expires_at:
        time = ref.time if ref is not None else 0
        opened.causes.append(Cause(turn.now, rank, time, ref))


def retract(attempt: Attempt, cause: Cause, turn: Turn) -> None:
    """Tell that the trigger should not be acted upon any more."""
    reason = _reason(attempt, cause)
    turn.say(
        Retraction(
            id=attempt.id,
            journey=attempt.journey,
            version=attempt.version,
            step=attempt.step,
            key=attempt.key,
            who=attempt.who,
            channel=attempt.channel,
            to=attempt.to,
            reason=reason,
            cause=cause.ref,
            at=cause.at,
        )
    )
    properties = _properties(attempt) | {"reason": reason}
    turn.say(Happening("Journey Retracted", attempt.who, properties, cause.at))


def _reason(attempt: Attempt, cause: Cause) -> RetractionReason:
    if cause.rank == ERASED:
        return "erased"
    if cause.rank == OPTED_OUT:
        return "opted_out"
    # a cancel up to the deadline should have prevented the trigger
    return "late_cancel" if cause.time <= attempt.deadline else "cancelled_after_fire"


def _properties(attempt: Attempt) -> dict[str, object]:
    return {
        "triggerId": attempt.id,
        "journey": attempt.journey,
        "version": attempt.version,
        "step": attempt.step,
        "key": attempt.key,
        "channel": attempt.channel,
    }
