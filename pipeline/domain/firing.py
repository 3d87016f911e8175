"""An address lets triggers out, by its own gates, and takes them back (rules 9 and 10)."""

from dataclasses import replace

from pipeline.domain.entities import Address, Cause, Held, OpenTrigger
from pipeline.domain.events import Channel
from pipeline.domain.facts import EventRef
from pipeline.domain.messages import Ended, Postponed, Recalled, who_ref
from pipeline.domain.outputs import (
    Attempt,
    Consent,
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
    """The gates that are the address's own: consent, cooldown, limits, calling window."""
    consent = address.consents.get(attempt.channel)
    attempt, reason = _judged(address, attempt, consent, turn.now)
    if reason is not None or consent is None:
        turn.say(decision_on(attempt, "suppressed", reason, turn.now))
    elif attempt.opens_at is None or attempt.opens_at > turn.now:
        _postpone(address, attempt, turn)
    else:
        _fire(address, attempt, consent, turn)


def _judged(
    address: Address, attempt: Attempt, consent: Consent | None, now: int
) -> tuple[Attempt, str | None]:
    """With the gates' verdicts, and why it is suppressed if it is."""
    gates = list(attempt.gates)
    reason: str | None = None
    if consent is None or not consent.subscribed:
        reason = "no_consent" if consent is None else "opted_out"
    gates.append(Gate("consent", "fail" if reason else "pass"))
    if reason is None and attempt.cooldown:
        last = address.last_fired.get(attempt.journey)
        reason = "cooldown" if last is not None and now - last < attempt.cooldown else None
        gates.append(Gate("cooldown", "fail" if reason else "pass"))
    if reason is None and attempt.limits:
        reached = _reached(address, attempt, now)
        reason = "limits" if reached else None
        gates.append(Gate("limits", "fail" if reached else "pass", reached))
    return replace(attempt, gates=tuple(gates)), reason


def _reached(address: Address, attempt: Attempt, now: int) -> str | None:
    """The limit that leaves no room for one more, exact to the millisecond."""
    fired = address.fired.get(attempt.channel, [])
    for limit in attempt.limits:
        if sum(at > now - limit.per for at in fired) >= limit.most:
            return limit.name
    return None


def _postpone(address: Address, attempt: Attempt, turn: Turn) -> None:
    """The person keeps it: at the release it is they who may be called elsewhere."""
    address.held[attempt.id] = Held(attempt.who, attempt.channel, attempt.expires_at)
    turn.tell(who_ref(attempt.who), Postponed(attempt))


def _fire(address: Address, attempt: Attempt, consent: Consent, turn: Turn) -> None:
    if attempt.held is not None:
        attempt = replace(attempt, gates=(*attempt.gates, attempt.held))
    elif attempt.window:
        attempt = replace(attempt, gates=(*attempt.gates, Gate("window", "pass", attempt.window)))
    address.last_fired[attempt.journey] = turn.now
    if attempt.limits:
        longest = max(limit.per for limit in attempt.limits)
        fired = address.fired.get(attempt.channel, [])
        kept = [at for at in fired if at > turn.now - longest]
        address.fired[attempt.channel] = [*kept, turn.now]
    address.open[attempt.id] = OpenTrigger(replace(attempt, include={}, limits=(), gates=()))
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
    held = address.held.pop(recalled.trigger, None)
    if held is not None and not recalled.erased:
        ended = Ended(recalled.trigger, "cancelled", "cancelled", recalled.cause)
        turn.tell(who_ref(held.who), ended)
    rank = ERASED if recalled.erased else CANCELLED
    note_cause(address, recalled.trigger, rank, recalled.cause, turn)


def opted_out(address: Address, channel: Channel, ref: EventRef | None, turn: Turn) -> None:
    """The address no longer is opted in to a channel: what is open there is to be retracted, what
    was postponed ends."""
    for trigger, opened in address.open.items():
        if opened.attempt.channel == channel:
            note_cause(address, trigger, OPTED_OUT, ref, turn)
    for trigger, held in list(address.held.items()):
        if held.channel == channel:
            del address.held[trigger]
            turn.tell(who_ref(held.who), Ended(trigger, "suppressed", "opted_out", ref))


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
