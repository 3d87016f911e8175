"""Whatever arrives: no exception, every call accounted for, the same on every replay."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.events import Source
from pipeline.wire.segment import decode

SOURCE = Source("segment.raw", 0, 7)
NOON = 1_772_539_200_000  # 2026-03-03T12:00:00Z

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["+12125550100", "r@example.com", "false", "2026-03-03T08:00:00Z", "voice"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=6) | st.sampled_from(["phone", "isPrimary"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
FIELDS = (
    "event name userId anonymousId user_id messageId timestamp receivedAt sentAt originalTimestamp"
    " properties context integrations traits groupId previousId batch"
).split()
TRAITS = (
    "phone email phones emails optIn opt_in address traits firstName first_name +12125550100"
).split()
KINDS = st.sampled_from(["identify", "track", "page", "screen", "group", "alias", "Track"])
CALLS = st.fixed_dictionaries(
    {"type": KINDS | JSON},
    optional=dict.fromkeys(FIELDS, JSON)
    | {"traits": st.dictionaries(st.sampled_from(TRAITS), JSON, max_size=6)},
)


def accounted(value: bytes, calls: int) -> None:
    result = decode(value, SOURCE, NOON)
    places = {
        it.index for group in (result.events, result.rejected, result.dropped) for it in group
    }
    assert places == set(range(max(calls, 1)))
    assert result == decode(value, SOURCE, NOON)
    for event in result.events:
        assert 0 < event.time <= NOON + 300_000
        assert 0 < len(event.message_id) <= 100


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_answered(value: bytes) -> None:
    decode(value, SOURCE, NOON)


@settings(max_examples=300)
@given(CALLS)
def test_any_call_is_accounted_for(call: Any) -> None:
    if "batch" not in call:
        accounted(orjson.dumps(call), 1)
    decode(orjson.dumps(call), SOURCE, NOON)


@settings(max_examples=100)
@given(st.lists(CALLS | JSON, max_size=4), JSON, JSON)
def test_any_batch_is_accounted_for(calls: list[Any], context: Any, integrations: Any) -> None:
    envelope = {"batch": calls, "context": context, "integrations": integrations}
    accounted(orjson.dumps(envelope), len(calls))
