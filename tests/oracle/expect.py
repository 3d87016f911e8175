"""`expect` and `decisions` of a test case (CONTRACT 6) against a result."""

from __future__ import annotations

from typing import Any

from tests.oracle.events import key_text
from tests.oracle.times import instant

Record = dict[str, Any]
_NAMES = {
    "user": "userId",
    "anonymous": "anonymousId",
    "trigger": "journey",
    "retraction": "journey",
}
_TIMES = ("at", "firedAt", "deadline", "expiresAt", "decidedAt")


def check(case: Record, outputs: list[Record], decisions: list[Record]) -> list[str]:
    """What is wrong, a line each; empty if the case passes."""
    wrong = []
    wanted, there = list(case.get("expect") or []), list(outputs)
    # the most particular first, so that a general one does not take what only it could match
    for want in sorted(wanted, key=len, reverse=True):
        kind = "trigger" if "trigger" in want else "retraction"
        found = next((item for item in there if item["type"] == kind and _fits(want, item)), None)
        if found is None:
            wrong.append(f"missing: {want}")
        else:
            there.remove(found)
    wrong += [f"too much: {item}" for item in there]
    wrong += [
        f"no such decision: {want}"
        for want in case.get("decisions") or []
        if not any(_fits(want, item) for item in decisions)
    ]
    return wrong


def _fits(want: Record, item: Record) -> bool:
    return all(_same(name, value, item) for name, value in want.items())


def _same(name: str, value: Any, item: Record) -> bool:
    name = _NAMES.get(name, name)
    if name == "at":
        name = next(field for field in ("at", "firedAt", "decidedAt") if field in item)
    have = item.get(name)
    if name == "anchor" and isinstance(have, dict):
        have = have.get("messageId")
    if name in _TIMES:
        return instant(value) == instant(have)
    if name == "key":
        return key_text(value) == key_text(have)
    if name == "consent" and isinstance(value, dict) and isinstance(have, dict):
        return all(have.get(field) == part for field, part in value.items())
    return bool(value == have)
