"""`expect` and `decisions` of a test case: which fields there are, and whether they can be meant.

An expectation stays as it was written: a plain dict with the fields of the records under their
names there, and `user`, `anonymous`, `at`, `trigger` and `retraction` as shorter ones.
"""

from typing import Any, Final

from pipeline.domain.times import parse_instant
from pipeline.rulebook.shape import Node, written
from pipeline.rulebook.steps import CHANNELS

_COMMON: Final = (
    "id", "key", "user", "anonymous", "userId", "anonymousId", "at", "version", "step", "channel",
    "to", "anchor", "deadline", "expiresAt", "variant",
)  # fmt: skip
TRIGGER_KEYS: Final = ("trigger", *_COMMON, "firedAt", "consent", "include", "gates")
RETRACTION_KEYS: Final = ("retraction", *_COMMON, "firedAt", "reason", "cause")
DECISION_KEYS: Final = (
    "id", "journey", "version", "step", "key", "user", "anonymous", "userId", "anonymousId",
    "outcome", "reason", "deadline", "decidedAt", "at", "anchor", "cause", "gates", "variant",
    "channel", "to", "expiresAt",
)  # fmt: skip
OUTCOMES: Final = (
    "fired", "cancelled", "suppressed", "expired", "superseded", "ignored", "erased",
)  # fmt: skip
RETRACTION_REASONS: Final = ("late_cancel", "cancelled_after_fire", "opted_out", "erased")
TIMES: Final = ("at", "deadline", "firedAt", "expiresAt", "decidedAt")


def read_output(node: Node) -> dict[str, Any] | None:
    """A trigger or a retraction that must come."""
    kind = "retraction" if node.has("retraction") else "trigger"
    if node.has_keys() and not node.has(kind):
        remedy = "begin with `trigger: JOURNEY` or `retraction: JOURNEY`"
        node.error("this is neither a trigger nor a retraction", remedy)
        return None
    if not node.map(TRIGGER_KEYS if kind == "trigger" else RETRACTION_KEYS, "a trigger (a map)"):
        return None
    node.at(kind).text()
    if kind == "retraction" and node.has("reason"):
        node.at("reason").choice(RETRACTION_REASONS)
    return _fields(node)


def read_decision(node: Node) -> dict[str, Any] | None:
    """A decision that must be among them."""
    if not node.map(DECISION_KEYS, "a decision (a map)"):
        return None
    if node.has("outcome"):
        node.at("outcome").choice(OUTCOMES)
    return _fields(node)


def _fields(node: Node) -> dict[str, Any]:
    for short, long in (("user", "userId"), ("anonymous", "anonymousId")):
        if node.has(short) and node.has(long):
            node.at(long).error(f"`{short}` and `{long}` are the same", "remove one of them")
    for name in TIMES:
        if node.has(name) and node.value[name] is not None and not _is_time(node.value[name]):
            remedy = "write a time as 2026-03-03T15:00:00Z"
            node.at(name).error(f"`{name}` is {written(node.value[name])}, not a time", remedy)
    if node.has("channel"):
        node.at("channel").choice(CHANNELS)
    for name in ("step", "version"):
        if node.has(name):
            node.at(name).whole(1, 2**31 - 1)
    return dict(node.value)


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and parse_instant(value) is not None


def named_journey(expectation: dict[str, Any]) -> tuple[str, Any] | None:
    """The key that names the journey, and the name."""
    for key in ("trigger", "retraction", "journey"):
        if key in expectation:
            return key, expectation[key]
    return None
