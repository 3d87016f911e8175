"""What is told from a glance at the bytes is what reading them with care gives."""

import json
import re
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.wire.strict_json import MAX_DEPTH, MAX_EVENT_BYTES, Unreadable, deeper_than, load
from pipeline.wire.verdicts import RejectReason

DIGITS = st.text("0123456789", min_size=17, max_size=24)
TEXTS = DIGITS | st.builds(
    lambda *parts: "".join(parts), st.text("-:,[{ \"'ä0", max_size=3), DIGITS
)
JSON = st.recursive(
    st.integers(10**16, 10**24)
    | st.integers(-(10**20), -(10**16))
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
SPACING = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")])


def exact(digits: str) -> int | str:
    return number if -(2**63) <= (number := int(digits)) < 2**64 else digits


def with_care(value: bytes) -> object:
    """With each integer of a value that has many digits in a row anywhere."""
    loaded = orjson.loads(value)
    if not re.search(rb"[0-9]{19}", value):
        return loaded
    if deeper_than(loaded, MAX_DEPTH + 2):
        return RejectReason.TOO_DEEP
    return json.loads(value, parse_int=exact)


def found(value: bytes) -> object:
    try:
        return load(value)[0]
    except Unreadable as refused:
        return refused.reason


def nested(inner: Any, levels: int, arrays: int = 2) -> Any:
    """In so many objects and arrays: of three, so many are arrays."""
    for level in range(levels):
        inner = [inner] if level % 3 < arrays else {"in": inner}
    return inner


@settings(max_examples=500)
@example(10**22, (",", ":"), 0)
@given(JSON, SPACING, st.integers(0, 3) | st.integers(28, 38))
def test_long_integers_stay_exact_wherever_they_stand(
    inner: Any, spacing: tuple[str, str], levels: int
) -> None:
    value = json.dumps(nested(inner, levels), separators=spacing, ensure_ascii=False).encode()

    assert repr(found(value)) == repr(with_care(value))


@settings(max_examples=300)
@given(
    st.text('[{ "', max_size=3),
    st.sampled_from([0, 1, 30, 31, 32]),
    st.integers(0, 3),
    st.sampled_from([0, 65_400, 65_536]),
)
def test_what_is_told_to_be_small_is_over_no_limit(
    text: str, levels: int, arrays: int, room: int
) -> None:
    value = nested({"text": text, "long": "x" * room}, levels, arrays)
    raw = orjson.dumps(value)

    _, small = load(raw)

    assert not (small and (deeper_than(value, MAX_DEPTH) or len(raw) > MAX_EVENT_BYTES))
    assert small or room or levels + text.count("[") + text.count("{") >= MAX_DEPTH
