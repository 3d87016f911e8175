"""Outward records as JSON: what `schemas/` describes."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from pipeline.domain.events import Source
from pipeline.domain.facts import EventRef
from pipeline.domain.ids import digest
from pipeline.domain.outputs import (
    Consent,
    Contact,
    Decision,
    Evidence,
    Gate,
    Happening,
    OptIn,
    Output,
    Retraction,
    Trigger,
)
from pipeline.domain.times import format_instant

STANDARD_TRAITS: Final = frozenset(
    "address age avatar birthday company createdAt description email firstName gender id lastName"
    " name phone title username website".split()
)
"""Segment's reserved traits; all others are custom."""

Json = dict[str, object]
Described: TypeAlias = tuple[str, str | None, Json | None, str]
"""Topic, key, value and CloudEvents type."""


def _trigger(output: Trigger) -> Described:
    attempt = output.attempt
    value: Json = {
        "type": "trigger",
        "id": attempt.id,
        "journey": attempt.journey,
        "version": attempt.version,
        "step": attempt.step,
        "key": attempt.key,
        "userId": attempt.who.user_id,
        "anonymousId": attempt.who.anonymous_id,
        "channel": attempt.channel,
        "to": attempt.to,
        "anchor": _event(attempt.anchor),
        "deadline": format_instant(attempt.deadline),
        "firedAt": format_instant(output.fired_at),
        "expiresAt": format_instant(attempt.expires_at),
        "consent": _consent(output.consent),
        "include": attempt.include,
        "gates": _gates(output.gates),
    } | _variant(attempt.variant)
    return "journey.triggers", attempt.who.key, value, "trigger"


def _retraction(output: Retraction) -> Described:
    value: Json = {
        "type": "retraction",
        "id": output.id,
        "journey": output.journey,
        "version": output.version,
        "step": output.step,
        "key": output.key,
        "userId": output.who.user_id,
        "anonymousId": output.who.anonymous_id,
        "channel": output.channel,
        "to": output.to,
        "reason": output.reason,
        "cause": None if output.cause is None else _event(output.cause),
        "at": format_instant(output.at),
    }
    return "journey.triggers", output.who.key, value, "retraction"


def _decision(output: Decision) -> Described:
    value: Json = {
        "id": output.id,
        "journey": output.journey,
        "version": output.version,
        "step": output.step,
        "key": output.key,
        "userId": output.who.user_id,
        "anonymousId": output.who.anonymous_id,
        "outcome": output.outcome,
        "reason": output.reason,
        "deadline": format_instant(output.deadline),
        "decidedAt": format_instant(output.decided_at),
        "anchor": _event(output.anchor),
        "cause": None if output.cause is None else _event(output.cause),
        "gates": _gates(output.gates),
    } | _variant(output.variant)
    value |= _would_have_been(output)
    return "journey.decisions", output.who.key, value, "decision"


def _contact(output: Contact) -> Described:
    if output.moved:
        return "contacts", output.who.key, None, "contact"
    traits = output.traits
    anonymous = output.who.anonymous_id
    value: Json = {
        "userId": output.who.user_id,
        "anonymousIds": [anonymous] if anonymous else list(output.anonymous_ids),
        "phone": output.phone,
        "email": output.email,
        "phones": [{"address": p, "isPrimary": p == output.phone} for p in output.phones],
        "emails": [{"address": e, "isPrimary": e == output.email} for e in output.emails],
        "traits": {name: v for name, v in traits.items() if name in STANDARD_TRAITS},
        "custom": {name: v for name, v in traits.items() if name not in STANDARD_TRAITS},
        "createdAt": format_instant(output.created_at),
        "updatedAt": format_instant(output.updated_at),
        "firstSeenAt": format_instant(output.first_seen_at),
        "source": None if output.source is None else _source(output.source),
    }
    return "contacts", output.who.key, value, "contact"


def _opt_in(output: OptIn) -> Described:
    key = f"{output.address}|{output.channel}"
    consent = output.consent
    if consent is None:
        return "optins", key, None, "optin"
    value: Json = {
        "address": output.address,
        "kind": output.kind,
        **_consent(consent),
        "via": output.via,
        "userIds": list(output.user_ids),
    }
    return "optins", key, value, "optin"


def _evidence(output: Evidence) -> Described:
    action = {True: "subscribed", False: "unsubscribed"}
    value: Json = {
        "address": output.address,
        "kind": output.kind,
        "channel": output.channel,
        "action": None if output.subscribed is None else action[output.subscribed],
        "taken": output.reason is None,
        "reason": output.reason,
        "timestamp": None if output.timestamp is None else format_instant(output.timestamp),
        "ip": output.ip,
        "source": output.source,
        "text": output.text,
        "via": output.via,
        "event": output.ref.event,
        "userId": output.who.user_id,
        "anonymousId": output.who.anonymous_id,
        "messageId": output.ref.message_id,
        "evidence": _source(output.ref.source),
        "at": format_instant(output.at),
    }
    return "consent.evidence", output.address, value, "evidence"


def _happening(output: Happening) -> Described:
    at = format_instant(output.at)
    value: Json = {
        "type": "track",
        "event": output.event,
        "userId": output.who.user_id,
        "anonymousId": output.who.anonymous_id,
        "messageId": digest(
            output.event, output.who.key, at, repr(sorted(output.properties.items()))
        ),
        "timestamp": at,
        "properties": output.properties,
    }
    return "segment.outbound", output.who.key, value, "happening"


def _event(ref: EventRef) -> Json:
    return {
        "messageId": ref.message_id,
        "event": ref.event,
        "timestamp": format_instant(ref.time),
        "source": _source(ref.source),
    }


def _source(source: Source) -> Json:
    return {"topic": source.topic, "partition": source.partition, "offset": source.offset}


def _consent(consent: Consent) -> Json:
    return {
        "channel": consent.channel,
        "status": "subscribed" if consent.subscribed else "unsubscribed",
        "timestamp": format_instant(consent.timestamp),
        "ip": consent.ip,
        "source": consent.source,
        "text": consent.text,
        "evidence": _source(consent.evidence),
    }


def _variant(name: str | None) -> Json:
    """Only journeys with an experiment have one; the records of others are as they always were."""
    return {} if name is None else {"variant": name}


def _would_have_been(output: Decision) -> Json:
    """Of a step that a gate held back or that came too late."""
    made: Json = {}
    if output.channel is not None:
        made["channel"] = output.channel
    if output.to is not None:
        made["to"] = output.to
    if output.expires_at is not None:
        made["expiresAt"] = format_instant(output.expires_at)
    return made


def _gates(gates: tuple[Gate, ...]) -> list[Json]:
    return [_gate(gate) for gate in gates]


def _gate(gate: Gate) -> Json:
    made: Json = {"gate": gate.gate, "verdict": gate.verdict}
    if gate.until is not None:
        made["until"] = format_instant(gate.until)
    if gate.detail:
        made["detail"] = gate.detail
    return made


_BY_TYPE: Final[dict[type, Callable[[Any], Described]]] = {
    Trigger: _trigger,
    Retraction: _retraction,
    Decision: _decision,
    Contact: _contact,
    OptIn: _opt_in,
    Evidence: _evidence,
    Happening: _happening,
}


def describe(output: Output) -> Described:
    """An output as it is published; but for `Refused`, which is none of these topics'."""
    return _BY_TYPE[type(output)](output)
