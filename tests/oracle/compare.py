"""The difference of two results in words, and smaller histories that still differ."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from tests.oracle.times import instant, text

Record = dict[str, Any]

TRIGGER = (
    "type",
    "journey",
    "step",
    "key",
    "person",
    "channel",
    "to",
    "anchor",
    "deadline",
    "at",
    "expiresAt",
    "variant",
)
RETRACTION = ("type", "journey", "key", "person", "channel", "to", "reason", "at")
DECISION = ("journey", "step", "key", "person", "anchor", "outcome", "decidedAt")
_NOT_STANDING = ("superseded", "ignored")


def normal(record: Record, fields: Iterable[str]) -> tuple[Any, ...]:
    """Fields that the contract fixes, in one notation: the person, the anchor's messageId."""
    anchor = record.get("anchor")
    anchor = anchor.get("messageId") if isinstance(anchor, dict) else anchor
    if isinstance(anchor, str) and (anchor.startswith("derived") or len(anchor) > 100):
        anchor = "derived"
    at = record.get("at") or record.get("firedAt")
    values = {
        **record,
        "anchor": anchor,
        "person": record.get("userId") or ("anonymous", record.get("anonymousId")),
        "at": at,
    }
    out = []
    for name in fields:
        value = values.get(name)
        moment = instant(value) if name in ("at", "deadline", "expiresAt", "decidedAt") else None
        out.append(text(moment) if moment is not None else value)
    return tuple(out)


def compare(expected: Any, actual: Any, decisions: bool = True) -> str:
    """'' where two results say the same; else - what only `expected` has, + what only `actual` has.

    Takes anything with `outputs` and `decisions`.
    """
    lines = _difference(
        "output",
        [_output(item) for item in expected.outputs],
        [_output(item) for item in actual.outputs],
    )
    if decisions:
        lines += _difference("decision", said(expected.decisions), said(actual.decisions))
    return "\n".join(lines)


def _output(record: Record) -> tuple[Any, ...]:
    return normal(record, TRIGGER if record["type"] == "trigger" else RETRACTION)


def said(decisions: list[Record]) -> list[tuple[Any, ...]]:
    """What was decided, a row a step, with the reason for a suppression.

    Of a start with nothing decided that it does not stand.
    Rule 5 leaves open how often and as what the latter is written.
    """
    decided: set[tuple[Any, ...]] = set()
    standing: set[tuple[Any, ...]] = set()
    for record in decisions:
        row = normal(record, DECISION)
        journey, step, key, person, anchor, outcome, at = row
        if record.get("reason") in ("missing_key", "missing_date"):
            decided.add((journey, step, key, person, anchor, record["reason"], at))
        elif outcome in _NOT_STANDING:
            standing.add((journey, key, anchor))
        else:
            if outcome == "suppressed":
                outcome = record.get("reason")
            decided.add(
                (journey, step, key, None if outcome == "erased" else person, anchor, outcome, at)
            )
    opened = {(row[0], row[2], row[4]) for row in decided}
    return sorted(decided, key=repr) + [
        (*start, "not standing") for start in sorted(standing - opened, key=repr)
    ]


def _difference(
    what: str, expected: list[tuple[Any, ...]], actual: list[tuple[Any, ...]]
) -> list[str]:
    extra, missing = list(actual), []
    for row in expected:
        if row in extra:
            extra.remove(row)
        else:
            missing.append(row)
    return [f"- {what} {row}" for row in sorted(missing, key=repr)] + [
        f"+ {what} {row}" for row in sorted(extra, key=repr)
    ]


def shrink(
    rulebook: Record, case: Record, differs: Callable[[Record, Record], bool]
) -> tuple[Record, Record]:
    """Remove events, journeys, people and fields one at a time as long as `differs` still holds."""
    rulebook, case = copy.deepcopy(rulebook), pinned(case)
    smaller = True
    while smaller:
        smaller = False
        for place in _places(rulebook, case):
            book_now, case_now = copy.deepcopy((rulebook, case))
            if _remove(book_now, case_now, place) and _still(differs, book_now, case_now):
                rulebook, case, smaller = book_now, case_now, True
                break
    return rulebook, case


def pinned(case: Record) -> Record:
    """The case with messageIds and end written out: removing an event leaves the others alone."""
    case = copy.deepcopy(case)
    for position, event in enumerate(case.get("events", []), 1):
        if "raw" not in event and "erase" not in event:
            event.setdefault("messageId", f"m{position:04d}")
    if case.get("events"):
        case.setdefault(
            "until", max(str(event.get("arrives", event.get("at"))) for event in case["events"])
        )
    return case


_FIELDS = (
    "where",
    "audience",
    "experiment",
    "holdout",
    "once",
    "repeat",
    "lookback",
    "lateness",
    "unless",
)


def _places(rulebook: Record, case: Record) -> list[tuple[Any, ...]]:
    events = case.get("events", [])
    places: list[tuple[Any, ...]] = [("case", "events", n) for n in reversed(range(len(events)))]
    places += [("case", "given", name) for name in case.get("given", {})]
    for n, event in enumerate(events):
        places += [("case", "events", n, "arrives")] if "at" in event and "arrives" in event else []
        places += (
            [("case", "events", n, "anonymous")] if "user" in event and "anonymous" in event else []
        )
        places += [
            ("case", "events", n, "properties", name) for name in event.get("properties", {})
        ]
        if isinstance(event.get("identify"), dict):
            places += [("case", "events", n, "identify", name) for name in event["identify"]]
    places += [("book", "journeys", n) for n in range(len(rulebook.get("journeys", [])))]
    for n, journey in enumerate(rulebook.get("journeys", [])):
        places += [("book", "journeys", n, name) for name in _FIELDS if name in journey]
        places += [
            ("book", "journeys", n, "steps", step)
            for step in range(len(journey["steps"]))
            if len(journey["steps"]) > 1
        ]
        places += [
            ("book", "journeys", n, "steps", number, name)
            for number, step in enumerate(journey["steps"])
            for name in ("when", "variant", "offset", "within", "cooldown")
            if name in step
        ]
    places += [
        ("book", "consent", "events", n)
        for n in range(len((rulebook.get("consent") or {}).get("events", [])))
    ]
    return places


def _remove(rulebook: Record, case: Record, place: tuple[Any, ...]) -> bool:
    at: Any = rulebook if place[0] == "book" else case
    try:
        for part in place[1:-1]:
            at = at[part]
        del at[place[-1]]
    except (KeyError, IndexError):
        return False
    events = case.get("events", [])
    arrivals = [str(event.get("arrives", event.get("at"))) for event in events]
    return arrivals == sorted(arrivals)


def _still(differs: Callable[[Record, Record], bool], rulebook: Record, case: Record) -> bool:
    try:
        return differs(rulebook, case)
    except (KeyError, ValueError, IndexError, TypeError):  # it cannot be judged any more
        return False
