"""One contact as `contact --json` prints it, from what the store has of them."""

from collections.abc import Iterator
from typing import Any

from pipeline.commands.people import Found
from pipeline.domain.entities import Address
from pipeline.domain.outputs import Consent
from pipeline.domain.times import format_instant
from pipeline.domain.turn import Rules

Json = dict[str, Any]


def as_json(found: Found, rules: Rules) -> Json:
    """One contact as `--json` prints it."""
    profile = found.profile
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
        "traits": profile.live_traits(),
        "optIns": list(_opt_ins(found.addresses)),
        "waiting": [step.as_json() for step in steps],
        "nextDue": format_instant(steps[0].wait.due(steps[0].step)) if steps else None,
        "events": {
            name: {
                "count": stat.count,
                "first": format_instant(stat.first),
                "last": format_instant(stat.last),
            }
            for name, stat in sorted(profile.stats.items(), key=lambda item: -item[1].last)
        },
        "triggers": list(_triggers(found)),
    }


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
    evidence = consent.evidence
    return {
        "channel": consent.channel,
        "status": "subscribed" if consent.subscribed else "unsubscribed",
        "timestamp": format_instant(consent.timestamp),
        "ip": consent.ip,
        "source": consent.source,
        "text": consent.text,
        "evidence": {
            "topic": evidence.topic,
            "partition": evidence.partition,
            "offset": evidence.offset,
        },
    }


def _triggers(found: Found) -> Iterator[Json]:
    """Those that can still be retracted; all of them stand in `journey.triggers`."""
    for address in found.addresses.values():
        for id_, opened in address.open.items():
            attempt = opened.attempt
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
