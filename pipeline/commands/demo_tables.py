"""What the demo shows at its end: contacts, opt-ins, triggers, and why the others did not fire."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from pipeline.commands.reasons import REASONS
from pipeline.commands.tables import line, table

Json = Mapping[str, Any]


def show(screen: Console, records: Mapping[str, Sequence[Json]]) -> None:
    """All tables."""
    screen.print(_contacts(records["contacts"]))
    screen.print(_opt_ins(records["optins"], records["consent.evidence"]))
    screen.print(_triggers(records["journey.triggers"]))
    screen.print(_others(records["journey.decisions"]))
    reasons = [letter.get("reason", "?") for letter in records["segment.dead-letter"]]
    line(screen, f"dead letters: {len(reasons)} ({', '.join(sorted(reasons))})")


def _who(record: Json) -> Any:
    return record.get("userId") or record.get("anonymousId")


def _contacts(contacts: Sequence[Json]) -> Any:
    rows = [
        (
            contact["userId"] or "-",
            " ".join(str(contact["traits"].get(n) or "") for n in ("firstName", "lastName")),
            contact["phone"],
            contact["email"],
            ", ".join(contact["anonymousIds"]) or "-",
        )
        for contact in sorted(contacts, key=lambda contact: contact["userId"] or "")
    ]
    return table(("user", "name", "phone", "email", "devices"), rows, f"Contacts ({len(rows)})")


def _opt_ins(opt_ins: Sequence[Json], evidence: Sequence[Json]) -> Any:
    rows = [
        (
            each["address"],
            each["channel"],
            each["status"],
            each["timestamp"],
            each["via"],
            ", ".join(each["userIds"]) or "-",
        )
        for each in sorted(opt_ins, key=lambda each: (each["address"], each["channel"]))
    ]
    ignored = [
        (each["address"], each["channel"], f"ignored: {each['reason']}", each["timestamp"],
         each["via"], _who(each))
        for each in evidence
        if not each["taken"] and each["reason"] != "older"
    ]  # fmt: skip
    columns = ("address", "channel", "status", "since", "by", "users")
    return table(columns, [*rows, *ignored], f"Opt-ins ({len(rows)}), and those not taken")


def _triggers(records: Sequence[Json]) -> Any:
    rows = [
        (
            record["type"],
            record["journey"],
            record["key"],
            _who(record),
            f"{record['channel']} {record['to']}",
            record.get("firedAt") or record["at"],
            record.get("reason") or f"opted in {record['consent']['timestamp'][:10]}",
        )
        for record in sorted(records, key=lambda each: each.get("firedAt") or each["at"])
    ]
    columns = ("", "journey", "key", "user", "to", "at", "why")
    return table(columns, rows, f"Triggers and retractions ({len(rows)})")


def _others(decisions: Sequence[Json]) -> Any:
    rows = [
        (
            record["journey"],
            record["key"],
            _who(record),
            record["outcome"],
            REASONS.get(record["reason"], record["reason"]),
            record["cause"]["event"] if record["cause"] else "-",
        )
        for record in sorted(decisions, key=lambda each: (each["journey"], each["key"] or ""))
        if record["outcome"] != "fired"
    ]
    columns = ("journey", "key", "user", "outcome", "why nobody is called", "cause")
    return table(columns, rows, f"Waits that did not fire ({len(rows)})")
