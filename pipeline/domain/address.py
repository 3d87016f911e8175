"""A phone or an email: weighs opt-ins, lets triggers out, takes them back.

Promise 2 rests here: a trigger leaves only from the address it names, which knows its own consent.
"""

from dataclasses import replace
from typing import Final

from pipeline.domain.claims import Claim
from pipeline.domain.entities import Address, Cause, OpenTrigger
from pipeline.domain.events import AddressKind, Channel
from pipeline.domain.facts import EventRef
from pipeline.domain.messages import Attempted, Claimed, Held, Message, Recalled, Wipe
from pipeline.domain.outputs import (
    Attempt,
    Consent,
    Evidence,
    Gate,
    Happening,
    OptIn,
    Retraction,
    RetractionReason,
    Trigger,
    Who,
    decision_on,
)
from pipeline.domain.times import HOUR
from pipeline.domain.turn import Turn

ERASED, OPTED_OUT, CANCELLED = range(3)
"""Ranks of causes: of what is taken at one log time the first gives the reason (rule 10)."""

HOLDERS_MAX: Final = 1_000
"""Users that an address names: a number that a form fills in for everybody has no end."""

NOBODY: Final = Who(None, None)


def take(address: Address, to: str, message: Message, turn: Turn) -> None:
    """Take one message for the address `to`."""
    match message:
        case Claimed():
            address.kind = message.kind
            _weigh(address, to, message, turn)
        case Attempted(attempt) if attempt.ordered:
            address.queue.append(attempt)
            address.queued_at = turn.now
        case Attempted(attempt):
            _attempt(address, attempt, turn)
        case Recalled():
            _recall(address, message, turn)
        case Held():
            address.kind = message.kind
            _hold(address, to, message, turn)
        case Wipe():
            address.kind = message.kind
            _wipe(address, to, message, turn)
        case _:
            raise TypeError(type(message))


def _weigh(address: Address, to: str, claimed: Claimed, turn: Turn) -> None:
    """Rule 12: the newest by its own timestamp wins, an opt-out wins a tie."""
    claim = claimed.claim
    now = address.consents.get(claim.channel)
    wins = now is None or (claim.timestamp, not claim.subscribed) > (
        now.timestamp,
        not now.subscribed,
    )
    turn.say(evidence(claim, claimed.who, to, claimed.kind, None if wins else "older", turn.now))
    if not wins:
        return
    address.consents[claim.channel] = Consent(
        claim.channel,
        claim.subscribed,
        claim.timestamp,
        claim.ip,
        claim.source,
        claim.text,
        claim.ref.source,
    )
    address.via[claim.channel] = claim.via
    turn.say(_opt_in(address, to, claim.channel))
    if claimed.who.key and (now is None or now.subscribed != claim.subscribed):
        name = "Contact Subscribed" if claim.subscribed else "Contact Unsubscribed"
        properties: dict[str, object] = {"channel": claim.channel, address.kind: to}
        turn.say(Happening(name, claimed.who, properties, turn.now))
    if now is not None and now.subscribed and not claim.subscribed:
        for trigger, opened in address.open.items():
            if opened.attempt.channel == claim.channel:
                _cause(address, trigger, OPTED_OUT, claim.ref, turn)


def evidence(
    claim: Claim, who: Who, to: str | None, kind: AddressKind, reason: str | None, at: int
) -> Evidence:
    """What became of a claim."""
    return Evidence(
        address=to,
        kind=kind,
        channel=claim.channel,
        subscribed=claim.subscribed,
        reason=reason,
        timestamp=claim.timestamp,
        ip=claim.ip,
        source=claim.source,
        text=claim.text,
        via=claim.via,
        who=who,
        ref=claim.ref,
        at=at,
    )


def _opt_in(address: Address, to: str, channel: Channel) -> OptIn:
    via, users = address.via.get(channel, ""), tuple(address.user_ids)
    return OptIn(to, address.kind, channel, address.consents[channel], via, users)


def _attempt(address: Address, attempt: Attempt, turn: Turn) -> None:
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


def _recall(address: Address, recalled: Recalled, turn: Turn) -> None:
    for attempt in [queued for queued in address.queue if queued.id == recalled.trigger]:
        address.queue.remove(attempt)
        if recalled.erased:
            turn.say(decision_on(attempt, "erased", "erasure", turn.now))
        else:
            turn.say(decision_on(attempt, "cancelled", "cancelled", turn.now, recalled.cause))
    rank = ERASED if recalled.erased else CANCELLED
    _cause(address, recalled.trigger, rank, recalled.cause, turn)


def _cause(address: Address, trigger: str, rank: int, ref: EventRef | None, turn: Turn) -> None:
    """Note it; which cause gives the reason is told once everything of this log time is known."""
    opened = address.open.get(trigger)
    if opened is not None and turn.now <= opened.attempt.expires_at:
        time = ref.time if ref is not None else 0
        opened.causes.append(Cause(turn.now, rank, time, ref))


def _hold(address: Address, to: str, held: Held, turn: Turn) -> None:
    if held.holds == (held.user_id in address.user_ids):
        return
    if held.holds and len(address.user_ids) >= HOLDERS_MAX:
        turn.count("too_many_holders")
        return
    if held.holds:
        address.user_ids.append(held.user_id)
    else:
        address.user_ids.remove(held.user_id)
    for channel in address.consents:
        turn.say(_opt_in(address, to, channel))


def _wipe(address: Address, to: str, wipe: Wipe, turn: Turn) -> None:
    """Rule 20: opt-ins go, also for others; opt-outs stay, without what was said."""
    for trigger in address.open:
        consent = address.consents.get(address.open[trigger].attempt.channel)
        if consent is not None and consent.subscribed:
            _cause(address, trigger, OPTED_OUT, None, turn)
    for channel, consent in list(address.consents.items()):
        if consent.subscribed:
            del address.consents[channel]
        else:
            address.consents[channel] = replace(consent, ip=None, source=None, text=None)
        address.via.pop(channel, None)
        turn.say(OptIn(to, address.kind, channel, None))
    if wipe.who.user_id in address.user_ids:
        address.user_ids.remove(wipe.who.user_id)


def tick(address: Address, turn: Turn) -> None:
    """Judge and retract what there is to; forget what cannot be retracted any more."""
    for attempt in sorted(address.queue, key=lambda attempt: attempt.order):
        _attempt(address, attempt, turn)
    address.queue = []
    for trigger, opened in list(address.open.items()):
        if opened.causes:
            _retract(opened.attempt, min(opened.causes, key=lambda cause: cause[:3]), turn)
            del address.open[trigger]
        elif turn.now > opened.attempt.expires_at:
            del address.open[trigger]


def _retract(attempt: Attempt, cause: Cause, turn: Turn) -> None:
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


def due(address: Address) -> int | None:
    """At once where something is to be judged or retracted; else when it can be forgotten."""
    pending = [cause.at for opened in address.open.values() for cause in opened.causes]
    pending += [address.queued_at] if address.queue else []
    if pending:
        return min(pending)
    expiries = [opened.attempt.expires_at for opened in address.open.values()]
    return (min(expiries) // HOUR + 1) * HOUR if expiries else None


def is_empty(address: Address) -> bool:
    """Nothing left worth keeping."""
    kept = (address.consents, address.user_ids, address.open, address.queue, address.last_fired)
    return not any(kept)
