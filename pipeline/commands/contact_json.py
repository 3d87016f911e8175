"""One contact as `contact --json` prints it, from what the store has of them."""

from collections.abc import Iterator
from typing import Any

from pipeline.commands.outlook import outlook
from pipeline.commands.people import Found
from pipeline.commands.primary import why_primary
from pipeline.commands.used_limits import calling_of
from pipeline.domain.entities import Address
from pipeline.domain.events import Source
from pipeline.domain.outputs import Consent
from pipeline.domain.profile import KINDS, Profile
from pipeline.domain.shadow import is_shadow
from pipeline.domain.times import format_instant
from pipeline.domain.turn import Rules
from pipeline.wire.outputs import STANDARD_TRAITS

Json = dict[str, Any]


def as_json(found: Found, rules: Rules, now: int) -> Json:
    """One contact as `--json` prints it. `now` (ms) is what gates and limits are looked at by."""
    profile = found.profile
    traits = profile.live_traits()
    steps = found.open_steps(rules)
    times = (profile.first_seen_at, profile.created_at, profile.updated_at)
    first_seen, created, updated = (format_instant(at) if at else None for at in times)
    return {
        "foundBy": found.via,
        "kind": found.ref.kind,
        "erased": found.erased,
        "userId": found.ref.id if found.ref.kind == "person" else None,
        "formerUserIds": profile.user_ids,
        "anonymousIds": [found.ref.id] if found.ref.kind == "device" else profile.devices,
        "firstSeenAt": first_seen,
        "createdAt": created,
        "updatedAt": updated,
        "phones": _addresses(found, "phone"),
        "emails": _addresses(found, "email"),
        "primary": {kind: why_primary(profile.book(kind), kind) for kind in KINDS},
        "traits": {name: v for name, v in traits.items() if name in STANDARD_TRAITS},
        "custom": {name: v for name, v in traits.items() if name not in STANDARD_TRAITS},
        "optIns": list(_opt_ins(found.addresses)),
        "unbound": list(_unbound(profile)),
        "waiting": [
            {**step.as_json(), "outlook": outlook(found, step, rules, now)} for step in steps
        ],
        "held": held_steps(profile),
        "nextDue": format_instant(steps[0].wait.due(steps[0].step)) if steps else None,
        "events": {
            name: {
                "count": stat.count,
                "first": format_instant(stat.first),
                "last": format_instant(stat.last),
            }
            for name, stat in sorted(profile.stats.items(), key=lambda item: -item[1].last)
        },
        "calling": calling_of(found, rules, now),
        "triggers": list(_triggers(found)),
        "lastFired": list(_last_fired(found.addresses)),
    }


def _unbound(profile: Profile) -> Iterator[Json]:
    """Opt-ins that wait for an address (rule 14)."""
    for waiting in profile.waiting:
        claim = waiting.claim
        yield {
            "channel": claim.channel,
            "timestamp": format_instant(claim.timestamp),
            "until": format_instant(waiting.until),
            "messageId": claim.ref.message_id,
        }


def held_steps(profile: Profile) -> list[Json]:
    """Steps that passed the person's gates and wait until they may go out."""
    return [
        {
            "id": attempt.id,
            "journey": attempt.journey,
            "version": attempt.version,
            "step": attempt.step,
            "key": attempt.key,
            "channel": attempt.channel,
            "to": attempt.to,
            "gate": attempt.held.gate if attempt.held else "window",
            "rule": attempt.held.detail if attempt.held else None,
            "opensAt": None if attempt.opens_at is None else format_instant(attempt.opens_at),
            "expiresAt": format_instant(attempt.expires_at),
            "deadline": format_instant(attempt.deadline),
            "anchor": {
                "messageId": attempt.anchor.message_id,
                "event": attempt.anchor.event,
                "timestamp": format_instant(attempt.anchor.time),
                "source": _source(attempt.anchor.source),
            },
        }
        for attempt in sorted(profile.postponed.values(), key=lambda each: each.order)
        if not is_shadow(attempt.journey)
    ]


def _last_fired(addresses: dict[str, Address]) -> Iterator[Json]:
    """What cooldowns go by."""
    for name, address in addresses.items():
        for journey, at in sorted(address.last_fired.items()):
            if not is_shadow(journey):
                yield {"address": name, "journey": journey, "firedAt": format_instant(at)}


def _addresses(found: Found, kind: str) -> list[Json]:
    if found.ref.kind == "address":
        return [
            {"address": name, "isPrimary": False, "userIds": address.user_ids}
            for name, address in found.addresses.items()
            if address.kind == kind
        ]
    book = found.profile.book("phone" if kind == "phone" else "email")
    primary = book.primary()
    return [
        {
            "address": name,
            "isPrimary": name == primary,
            "knownSince": format_instant(since),
            "userIds": found.addresses[name].user_ids if name in found.addresses else [],
        }
        for name, since in sorted(book.known().items(), key=lambda item: item[1])
    ]


def _opt_ins(addresses: dict[str, Address]) -> Iterator[Json]:
    for name, address in addresses.items():
        for channel, consent in sorted(address.consents.items()):
            yield {
                "address": name,
                **_consent(consent),
                "via": address.via.get(channel),
            }


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


def _source(source: Source) -> Json:
    return {"topic": source.topic, "partition": source.partition, "offset": source.offset}


def _triggers(found: Found) -> Iterator[Json]:
    """Those that can still be retracted; all of them stand in `journey.triggers`."""
    for address in found.addresses.values():
        for id_, opened in address.open.items():
            attempt = opened.attempt
            if is_shadow(attempt.journey):
                continue
            if attempt.who.key in found.own_ids or id_ in found.profile.sent:
                yield {
                    "id": id_,
                    "journey": attempt.journey,
                    "step": attempt.step,
                    "key": attempt.key,
                    "channel": attempt.channel,
                    "to": attempt.to,
                    "deadline": format_instant(attempt.deadline),
                    "expiresAt": format_instant(attempt.expires_at),
                }
