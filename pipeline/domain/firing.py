"""An address lets triggers out, by its own gates, and takes them back (rules 9 and 10)."""

from dataclasses import replace

from pipeline.domain.caps import FIRED_MAX
from pipeline.domain.entities import Address, Cause, Held, OpenTrigger
from pipeline.domain.events import Channel
from pipeline.domain.facts import EventRef
from pipeline.domain.messages import Ended, Judged, Postponed, Recalled
from pipeline.domain.outputs import (
    PAUSED,
    Attempt,
    Consent,
    Gate,
    Happening,
    Retraction,
    RetractionReason,
    Room,
    Trigger,
    decision_on,
)
from pipeline.domain.refs import who_ref
from pipeline.domain.shadow import is_shadow
from pipeline.domain.turn import Turn

ERASED, OPTED_OUT, CANCELLED = range(3)
"""Ranks of causes: of what is taken at one log time the first gives the reason (rule 10)."""


def attempt_now(address: Address, attempt: Attempt, turn: Turn) -> None:
    """The gates that are the address's own: consent, cooldown, limits, calling window."""
    consent = address.consents.get(attempt.channel)
    if turn.now > attempt.expires_at:  # it was in the queue for long
        late = turn.rules.of(attempt.journey).too_late(attempt.expires_at)
        turn.say(decision_on(attempt, "expired", late, turn.now))
        _answer(attempt, None, turn)
        return
    versions = turn.rules.of(attempt.journey)
    if attempt.version < versions.ruling.drop:  # an apply overtook it
        turn.say(decision_on(attempt, "superseded", "dropped", turn.now))
        _answer(attempt, None, turn)
        return
    if versions.paused:
        _postpone(address, replace(attempt, opens_at=None, held=PAUSED), turn)
        return
    attempt, reason = _judged(address, attempt, consent, turn.now)
    if reason is not None or consent is None:
        turn.say(decision_on(attempt, "suppressed", reason, turn.now))
        _answer(attempt, None, turn)
    elif attempt.opens_at is not None and attempt.opens_at <= turn.now:
        _fire(address, attempt, consent, turn)
    elif attempt.holds:
        _postpone(address, attempt, turn)
    else:
        closed = Gate("window", "fail", attempt.window, attempt.opens_at)
        over = replace(attempt, gates=(*attempt.gates, closed))
        turn.say(decision_on(over, "suppressed", "window", turn.now))
        _answer(attempt, None, turn)


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
        over = 0 if last is None else last + attempt.cooldown
        reason = "cooldown" if now < over else None
        gates.append(Gate("cooldown", "fail", until=over) if reason else Gate("cooldown", "pass"))
    if reason is None and (attempt.limits or attempt.rooms):
        name, over = _room(address, attempt)
        reason = "limits" if now < over else None
        gates.append(Gate("limits", "fail", name, over) if reason else Gate("limits", "pass"))
    return replace(attempt, gates=tuple(gates)), reason


def _room(address: Address, attempt: Attempt) -> Room:
    """The limit that is the last to have room for it; exact to the millisecond."""
    fired = address.fired.get(attempt.channel, [])
    own = [
        Room(limit.name, fired[-limit.most] + limit.per if len(fired) >= limit.most else 0)
        for limit in attempt.limits
    ]
    return max((*attempt.rooms, *own), key=lambda room: room.at)


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
    longest = max((attempt.counts_for, *(limit.per for limit in attempt.limits)))
    if longest and not is_shadow(attempt.journey):
        fired = [*address.fired.get(attempt.channel, []), turn.now][-FIRED_MAX:]
        address.fired[attempt.channel] = [at for at in fired if at > turn.now - longest]
    address.open[attempt.id] = OpenTrigger(
        replace(attempt, include={}, limits=(), rooms=(), gates=())
    )
    turn.say(Trigger(attempt, turn.now, consent, attempt.gates))
    turn.say(decision_on(attempt, "fired", None, turn.now))
    _happened("Journey Triggered", attempt, turn.now, {}, turn)
    _answer(attempt, turn.now, turn)


def _answer(attempt: Attempt, fired_at: int | None, turn: Turn) -> None:
    """Tell the person what came of it, where limits count them."""
    if attempt.capped:
        turn.tell(who_ref(attempt.who), Judged(attempt.id, attempt.channel, fired_at))


def recall(address: Address, recalled: Recalled, turn: Turn) -> None:
    """A cancel or an erasure means a step that came here."""
    for attempt in [queued for queued in address.queue if queued.id == recalled.trigger]:
        address.queue.remove(attempt)
        _answer(attempt, None, turn)
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
    _happened("Journey Retracted", attempt, cause.at, {"reason": reason}, turn)


def _happened(name: str, attempt: Attempt, at: int, more: dict[str, object], turn: Turn) -> None:
    """For the feed back to Segment; in the shadow nothing happens."""
    if not is_shadow(attempt.journey):
        turn.say(Happening(name, attempt.who, _properties(attempt) | more, at))


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
