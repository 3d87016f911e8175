"""A test case (CONTRACT 6) as events with log times; ids, times, keys, phones (rules 1, 4, 19)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import phonenumbers

from tests.oracle.times import DAY, SKEW, instant, text

_REFUSED = frozenset(
    (
        "|null|none|nil|nan|undefined|unknown|anonymous|guest|true|false|id|email|userid|user_id"
        "|anonymousid|anonymous_id|distinctid|distinct_id|not_authenticated|[object object]|-1"
    ).split("|")
)
_TYPES = ("track", "page", "screen", "identify", "group", "alias")


@dataclass
class Event:
    seq: int
    log: int  # log time, also the record's Kafka time
    time: int  # event time
    type: str = ""
    name: str | None = None
    user: str | None = None
    anon: str | None = None
    message_id: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, Any] = field(default_factory=dict)
    previous: str | None = None
    erase: str | None = None
    opt_ins: dict[str, Any] = field(default_factory=dict)  # of `given` only: known without question

    @property
    def own(self) -> str | None:
        return self.user or self.anon

    def scope(self) -> dict[str, Any]:
        return {
            "properties": self.properties,
            "context": self.context,
            "type": self.type,
            "event": self.name,
        }

    def as_start(self) -> dict[str, Any]:
        return {
            **self.scope(),
            "timestamp": datetime.fromisoformat(text(self.time)),
            "messageId": self.message_id,
        }


def clean_id(value: Any, refuse: frozenset[str]) -> str | None:
    """The id trimmed, or None where rule 19 refuses it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    trimmed = str(value).strip()
    bare = trimmed
    while len(bare) >= 2 and bare[0] == bare[-1] and bare[0] in "'\"":
        bare = bare[1:-1].strip()
    bare = bare.lower()
    if (
        bare in _REFUSED
        or bare in refuse
        or trimmed.lower() in refuse
        or re.fullmatch(r"[0-]*", bare)
    ):
        return None
    return trimmed


def key_text(value: Any) -> str | None:
    """Rule 4: the key as text, None for anything that is no key."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    if isinstance(value, str) and value.strip():
        return value
    return None


def look_up(path: str, scope: dict[str, Any]) -> Any:
    """The value at a dotted path, None where there is none."""
    value: Any = scope
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value


def phone(value: Any) -> str | None:
    """E.164, or None for what is not a possible number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    try:
        number = phonenumbers.parse(str(value), "US")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email(value: Any) -> str | None:
    return value.strip().lower() if isinstance(value, str) and "@" in value else None


def address(kind: str, value: Any) -> str | None:
    return phone(value) if kind == "phone" else email(value)


def read_case(case: dict[str, Any], refuse: frozenset[str]) -> tuple[list[Event], list[Event], int]:
    """What is given, the events in order of arrival, and the instant up to which the clock runs."""
    events: list[Event] = []
    for position, entry in enumerate(case.get("events") or [], 1):
        log = _at(entry.get("arrives", entry.get("at")))
        log = max([log, *(event.log for event in events[-1:])])
        if "erase" in entry:
            events.append(Event(len(events), log, log, erase=str(entry["erase"])))
            continue
        for body in _bodies(entry, position):
            events.append(_event(len(events), log, body, refuse))
    first = min((min(event.log, event.time) for event in events), default=0)
    given = [
        _given(number, user, facts, first - 3650 * DAY)
        for number, (user, facts) in enumerate((case.get("given") or {}).items())
    ]
    until = (
        _at(case["until"]) if case.get("until") else max((event.log for event in events), default=0)
    )
    return given, events, until


def _at(value: Any) -> int:
    found = instant(value)
    if found is None:
        raise ValueError(f"not a time: {value!r}")
    return found


def _bodies(entry: dict[str, Any], position: int) -> list[dict[str, Any]]:
    if "raw" in entry:
        raw = entry["raw"]
        if not isinstance(raw, dict):
            return []
        if isinstance(raw.get("batch"), list):
            shared = {name: raw[name] for name in ("sentAt", "receivedAt") if name in raw}
            context = raw.get("context") or {}
            return [
                {**shared, **item, "context": {**context, **(item.get("context") or {})}}
                for item in raw["batch"]
                if isinstance(item, dict)
            ]
        return [raw]
    type_ = next(name for name in _TYPES if name in entry)
    body: dict[str, Any] = {
        "type": type_,
        "messageId": entry.get("messageId", f"m{position:04d}"),
        "userId": entry.get("user"),
        "anonymousId": entry.get("anonymous"),
        "properties": entry.get("properties") or {},
        "context": entry.get("context") or {},
        "traits": entry.get("traits") or {},
        "timestamp": entry.get("at"),
    }
    if type_ == "track":
        body["event"] = entry["track"]
    elif type_ in ("page", "screen"):
        body["name"] = entry[type_]
    elif type_ == "identify":
        body["traits"] = entry["identify"] or {}
    elif type_ == "alias":
        body["previousId"] = entry["alias"]
    return [body]


def _event(seq: int, log: int, body: dict[str, Any], refuse: frozenset[str]) -> Event:
    message_id = body.get("messageId")
    usable = isinstance(message_id, str) and message_id.strip() and len(message_id) <= 100
    return Event(
        seq=seq,
        log=log,
        time=event_time(body, log),
        type=str(body.get("type") or ""),
        name=body.get("event") if body.get("type") == "track" else body.get("name"),
        user=clean_id(body.get("userId"), refuse),
        anon=clean_id(body.get("anonymousId"), refuse),
        message_id=str(message_id) if usable else f"derived-{seq:04d}",
        properties=plain(body.get("properties")),
        context=plain(body.get("context")),
        traits=plain(body.get("traits")),
        previous=clean_id(body.get("previousId"), refuse),
    )


def event_time(body: dict[str, Any], log: int) -> int:
    """Rule 1."""
    time = instant(body.get("timestamp"))
    received = instant(body.get("receivedAt"))
    if time is None and received is not None:
        sent, original = instant(body.get("sentAt")), instant(body.get("originalTimestamp"))
        time = (
            received - (sent - original) if sent is not None and original is not None else received
        )
    return min(log if time is None else time, log + SKEW)


def plain(value: Any) -> Any:
    """As it would be in JSON: YAML's times as text."""
    if value is None:
        return {}
    return _json(value) if isinstance(value, dict) else {}


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, datetime):
        at = instant(value)
        return text(at) if at is not None else None
    return value.isoformat() if isinstance(value, date) else value


def _given(number: int, user: str, facts: dict[str, Any], long_ago: int) -> Event:
    traits = {name: item for name, item in facts.items() if name not in ("traits", "optIn")} | (
        facts.get("traits") or {}
    )
    return Event(
        seq=-1 - number,
        log=long_ago,
        time=long_ago,
        type="identify",
        user=str(user),
        message_id=f"given-{user}",
        traits=plain(traits),
        opt_ins=facts.get("optIn") or {},
    )
