"""`pipeline contact ID`: everything that is known of one contact. Shows personal data."""

from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.common import json_option, print_json, reachable, run

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.settings import Settings

Json = dict[str, Any]


@click.command("contact")
@click.argument("id", type=str)
@json_option
def command(id: str, as_json: bool) -> None:  # noqa: A002  # named so in the usage line
    """Show one contact by userId, anonymousId, phone (any spelling) or email.

    Traits, identities, opt-ins with their evidence, when they may be called and what their limits
    have left, open waits with what would come of each by what is known now.
    """
    for contact in run(_look_up(reachable(), id)):
        if as_json:
            print_json(contact)
        else:
            _show(contact)


async def _look_up(settings: "Settings", id_: str) -> list[Json]:
    from pipeline.commands.contact_json import as_json
    from pipeline.commands.people import People
    from pipeline.commands.reach import not_found, reach
    from pipeline.process.shelf import rules_of

    async with reach(settings) as pipeline:
        rules = rules_of((await pipeline.in_force()).shelf)
        found = await People(pipeline).find(id_)
        now = pipeline.clock.now()
    if not found:
        raise not_found(
            f"{id_}: no contact has this userId, anonymousId, phone or email: check its spelling,"
            " and `pipeline doctor` for how far the workers are"
        )
    return [as_json(one, rules, now) for one in found]


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
    from pipeline.commands.tables import line, shown, table

    def show(title: str, columns: str, rows: list[list[Any]]) -> None:
        if rows:
            out.print(table(columns.split(), rows, title))

    points = [
        [p["address"], "primary" if p["isPrimary"] else "", ", ".join(p["userIds"])]
        for p in contact["phones"] + contact["emails"]
    ]
    show("phones and emails", "address primary userIds", points)
    for kind, why in contact["primary"].items():
        if why:
            line(out, shown(f"primary {kind}: {why}"))
    for title in ("traits", "custom"):
        show(title, "trait value", [[name, v] for name, v in sorted(contact[title].items())])
    opt_ins = [[*(o[name] for name in _OPT_IN), _place(o["evidence"])] for o in contact["optIns"]]
    show("opt-ins", " ".join((*_OPT_IN, "evidence")), opt_ins)
    unbound = [[o[name] for name in _UNBOUND] for o in contact["unbound"]]
    show("opt-ins that wait for an address", " ".join(_UNBOUND), unbound)
    show("calling", "channel to where open limits", [_calling(c) for c in contact["calling"]])
    waits = [
        [w["journey"], w["step"], w["key"], w["due"], _anchor(w), "; ".join(w["unless"]), _comes(w)]
        for w in contact["waiting"]
    ]
    show("waiting for", "journey step key due since unless outlook", waits)
    held = [[*(h[name] for name in _HELD), _anchor(h)] for h in contact["held"]]
    show("held back", " ".join((*_HELD, "since")), held)
    events = [[name, s["count"], s["first"], s["last"]] for name, s in contact["events"].items()]
    show("events", "event count first last", events)
    triggers = [[t[name] for name in _TRIGGER] for t in contact["triggers"]]
    show("triggers that may be retracted yet", " ".join(_TRIGGER), triggers)
    fired = [[f[name] for name in _FIRED] for f in contact["lastFired"]]
    show("last fired, whoever it was for", " ".join(_FIRED), fired)
    if (id_ := contact["userId"] or next(iter(contact["anonymousIds"]), None)) is not None:
        line(out, shown(f"what was decided before: pipeline explain --user {id_}"), "dim")


def _comes(wait: Json) -> str:
    """What would come of a step, in words."""
    said = wait["outlook"]
    match said["outcome"]:
        case "fire":
            return "fires"
        case "held":
            return f"is held until {said['until']}" if said["until"] else "never opens in time"
        case "unknown":
            return "depends on what is under way"
    return f"{said['outcome']}: {said['reason']}"


def _calling(calling: Json) -> list[str]:
    """Where they are, whether they may be called, and what limits have left."""
    where = ", ".join((*calling["zones"], *calling["regions"])) or "unknown"
    opens = "now" if calling["open"] else calling["opensAt"] or "never"
    limits = [
        f"{each['used']} of {each['max']} used ({each['limit']})" for each in calling["limits"]
    ]
    return [
        calling["channel"],
        calling["to"],
        f"{where} (by {calling['zoneBy']})",
        f"{opens} ({calling['rule']})",
        "; ".join(limits),
    ]


_OPT_IN = ("address", "channel", "status", "timestamp", "ip", "source", "text")
_UNBOUND = ("channel", "timestamp", "until", "messageId")
_HELD = ("journey", "step", "key", "channel", "to", "gate", "rule", "opensAt", "expiresAt")
_FIRED = ("address", "journey", "firedAt")
_TRIGGER = ("id", "journey", "step", "key", "channel", "to", "deadline")


def _place(source: Json) -> str:
    return f"{source['topic']} {source['partition']}:{source['offset']}"


def _anchor(wait: Json) -> str:
    anchor = wait["anchor"]
    return f"{anchor['event']} {anchor['timestamp']} at {_place(anchor['source'])}"
