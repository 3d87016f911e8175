"""JSON from strangers: exact integers, bounded, and never an exception but `Unreadable`.

orjson refuses NaN, Infinity, byte order marks, lone surrogates and bytes that are not UTF-8, but
it turns integers beyond 64 bits into floats, and so one id into another. A value with a number of
19 digits or more is therefore read once more, such integers as decimal text. Of a key that
occurs twice the last one counts.

Nearly no value needs that, nor has one so many parts that their depth must be measured: both is
told by passes over the bytes that cost less than reading them does.
"""

import json
from typing import Final

import orjson

from pipeline.wire.verdicts import RejectReason

MAX_DEPTH: Final = 32
"""Levels of objects and arrays in one event, itself included."""
MAX_EVENT_BYTES: Final = 64 * 1024
"""Segment's limit is 32 KB as the client sends it; twice that leaves room for what servers add.

No event below it can hold 10,000 properties (Segment's other limit): that needs no check.
"""

_ENVELOPE_LEVELS: Final = 2
_LONG: Final = b"0" * 19
_OTHER: Final = b" "
_DIGITS_AS_ZERO: Final = bytes(
    ord("0") if chr(byte).isdecimal() else ord(_OTHER) for byte in range(256)
)
_BEFORE_A_NUMBER: Final = frozenset(b":,[- \t\n\r")
"""Digits behind anything else are within a text, or a fraction or exponent."""
_MIN_64: Final = -(2**63)
_MAX_64: Final = 2**64 - 1
_DIGITS_64: Final = 20


class Unreadable(Exception):
    """Why a value is refused; the detail holds nothing of it."""

    def __init__(self, reason: RejectReason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def load(value: bytes | None) -> tuple[object, bool]:
    """The value of one record, of any JSON type, and whether it is surely small.

    In one that is no part can be over a limit.
    """
    if not value:
        raise Unreadable(RejectReason.NO_VALUE)
    try:
        loaded: object = orjson.loads(value)
    except orjson.JSONDecodeError as problem:
        if "depth limit" in problem.msg:
            raise Unreadable(RejectReason.TOO_DEEP) from None
        raise Unreadable(RejectReason.INVALID_JSON, str(problem)) from None
    small = len(value) <= MAX_EVENT_BYTES and _has_few_parts(value)
    digits = value.translate(_DIGITS_AS_ZERO)
    at = digits.find(_LONG)
    if at >= 0:
        # the standard decoder recurses: how deep it gets must not depend on who calls
        if not small and deeper_than(loaded, MAX_DEPTH + _ENVELOPE_LEVELS):
            raise Unreadable(RejectReason.TOO_DEEP)
        if _may_be_a_number(value, digits, at):
            loaded = json.loads(value, parse_int=_exact_integer)
    return loaded, small


def _may_be_a_number(value: bytes, digits: bytes, at: int) -> bool:
    """Whether the long run of digits there, or one behind it, may be more than a part of a text."""
    while at > 0 and value[at - 1] not in _BEFORE_A_NUMBER:
        ends = digits.find(_OTHER, at)
        at = digits.find(_LONG, ends) if ends > 0 else -1
    return at >= 0


def _exact_integer(digits: str) -> int | str:
    if len(digits) <= _DIGITS_64 and _MIN_64 <= (number := int(digits)) <= _MAX_64:
        return number
    return digits


def _has_few_parts(value: bytes) -> bool:
    """Whether fewer objects and arrays begin in it than can be nested too deep.

    `bytes.count` of one character takes three times as long.
    """
    objects = len(value) - len(value.replace(b"{", b"", MAX_DEPTH + 1))
    arrays = len(value) - len(value.replace(b"[", b"", MAX_DEPTH + 1))
    return objects + arrays <= MAX_DEPTH


def fault(event: object, shared_bytes: int = 0) -> RejectReason | None:
    """Which limit an event exceeds; `shared_bytes` is what its batch adds to it."""
    try:
        compact = orjson.dumps(event)
    except orjson.JSONEncodeError:  # its own limit of depth is above ours
        return RejectReason.TOO_DEEP
    if len(compact) + shared_bytes > MAX_EVENT_BYTES:
        return RejectReason.TOO_LARGE
    if not _has_few_parts(compact) and deeper_than(event, MAX_DEPTH):
        return RejectReason.TOO_DEEP
    return None


def size(value: object) -> int:
    """Bytes as compact JSON, however it was written."""
    return len(orjson.dumps(value))


def deeper_than(value: object, limit: int) -> bool:
    """Whether objects and arrays are nested more than `limit` levels."""
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > limit:
            return True
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    return False
