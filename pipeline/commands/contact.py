"""`pipeline contact ID`: everything that is known of one contact. Shows personal data."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.common import json_option, print_json, reachable, run
from pipeline.domain.times import format_instant

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.commands.people import Found
    from pipeline.domain.entities import Address
    from pipeline.domain.outputs import Consent
    from pipeline.domain.turn import Rules
    from pipeline.settings import Settings

Json = dict[str, Any]


@click.command("contact")
@click.argument("id", type=str)
@json_option
def command(id: str, as_json: bool) -> None:  # noqa: A002  # named so in the usage line
    """Show one contact by userId, anonymousId, phone (any spelling) or email.

    Traits, identities, opt-ins with their evidence, open waits, what was seen and what was sent.
    """
    for contact in run(_look_up(reachable(), id)):
        if as_json:
            print_json(contact)
        else:
            _show(contact)


async def _look_up(settings: "Settings", id_: str) -> list[Json]:
    from pipeline.commands.people import People
    from pipeline.commands.reach import not_found, reach
    from pipeline.process.rulebook_change import rules_of

    async with reach(settings) as pipeline:
        rules = rules_of((await pipeline.in_force()).shelf)
        found = await People(pipeline).find(id_)
    if not found:
        raise not_found(
            f"{id_}: no contact has this userId, anonymousId, phone or email: check its spelling,"
            " and `pipeline doctor` for how far the workers are"
        )
    return [as_json(one, rules) for one in found]


def as_json(found: "Found", rules: "Rules") -> Json:
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


def _addresses(found: "Found", kind: str) -> list[Json]:
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


def _opt_ins(addresses: dict[str, "Address"]) -> Iterator[Json]:
    for name, address in addresses.items():
        for channel, consent in sorted(address.consents.items()):
            yield {
                "address": name,
                **_consent(consent),
                "via": address.via.get(channel),
            }


def _consent(consent: "Consent") -> Json:
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


def _triggers(found: "Found") -> Iterator[Json]:
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


def _show(contact: Json) -> None:
    from pipeline.commands.tables import console, line, shown

    out = console()
    names = (
        ("userId", "userId"),
        ("formerUserIds", "earlier userIds"),
        ("anonymousIds", "devices"),
    )
    line(out, shown(" → ".join(contact["foundBy"])), "bold")
    if contact["erased"]:
        line(out, "erased: nothing is kept, and later events of this id are dropped")
        return
    for key, label in names:
        value = contact[key]
        if value:
            line(out, f"{label}: {shown(', '.join(value) if isinstance(value, list) else value)}")
    seen = [f"{label} {contact[key]}" for key, label in _TIMES if contact[key]]
    if seen:
        line(out, ", ".join(seen))
    _show_tables(out, contact)


_TIMES = (("firstSeenAt", "first seen"), ("createdAt", "contact since"), ("updatedAt", "changed"))


def _show_tables(out: "Console", contact: Json) -> None:
    from pipeline.commands.tables import table

    def show(title: str, columns: str, rows: list[list[Any]]) -> None:
        if rows:
            out.print(table(columns.split(), rows, title))

    points = [
        [p["address"], "primary" if p["isPrimary"] else "", ", ".join(p["userIds"])]
        for p in contact["phones"] + contact["emails"]
    ]
    show("phones and emails", "address primary userIds", points)
    show("traits", "trait value", [[name, v] for name, v in sorted(contact["traits"].items())])
    opt_ins = [[*(o[name] for name in _OPT_IN), _place(o["evidence"])] for o in contact["optIns"]]
    show("opt-ins", " ".join((*_OPT_IN, "evidence")), opt_ins)
    waits = [
        [w["journey"], w["step"], w["key"], w["due"], _anchor(w), "; ".join(w["unless"])]
        for w in contact["waiting"]
    ]
    show("waiting for", "journey step key due since unless", waits)
    events = [[name, s["count"], s["first"], s["last"]] for name, s in contact["events"].items()]
    show("events", "event count first last", events)
    triggers = [[t[name] for name in _TRIGGER] for t in contact["triggers"]]
    show("recent triggers", " ".join(_TRIGGER), triggers)


_OPT_IN = ("address", "channel", "status", "timestamp", "ip", "source", "text")
_TRIGGER = ("id", "journey", "step", "key", "channel", "to", "deadline")


def _place(source: Json) -> str:
    return f"{source['topic']} {source['partition']}:{source['offset']}"


def _anchor(wait: Json) -> str:
    anchor = wait["anchor"]
    return f"{anchor['event']} {anchor['timestamp']} at {_place(anchor['source'])}"
