"""A batch of raw records gives what each record gives by itself, in order."""

from collections import Counter
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.events import Source
from pipeline.domain.messages import Did, Position, Record
from pipeline.domain.refs import destination
from pipeline.process.normalize import Normalizer
from pipeline.process.replay import Logged
from pipeline.wire.records import decode
from pipeline.wire.segment import decode as decode_raw
from pipeline.wire.state import partition_of

NOON = 1_772_539_200_000
FINE: dict[str, Any] = {"type": "track", "event": "Fine", "anonymousId": "a1", "userId": "u1"}
CALLS = st.sampled_from(
    [
        FINE,
        FINE | {"anonymousId": None},
        FINE | {"anonymousId": None, "userId": None},
        FINE | {"integrations": {"All": False}},
        FINE | {"type": "bark"},
        FINE | {"event": ""},
    ]
)
VALUES = (
    st.sampled_from([None, b"", b"{", b"[]"])
    | CALLS.map(orjson.dumps)
    | st.lists(CALLS, max_size=3).map(lambda calls: orjson.dumps({"batch": calls}))
)


@given(st.lists(VALUES, max_size=6))
def test_a_batch_is_the_sum_of_its_records(values: list[bytes | None]) -> None:
    normalizer = Normalizer(32, "US", "segment.events", "segment.dead-letter")
    counts: Counter[str] = Counter()
    expected, refused, usable = [], [], []
    for offset, value in enumerate(values):
        made = decode_raw(value, Source("raw", 3, offset), NOON)
        for event in made.events:
            to, position = destination(event), Position("raw/3", offset, event.index + 1)
            expected.append((partition_of(to, 32), Record(to, position, None, Did(event))))
        counts.update(rejected.reason for rejected in made.rejected)
        counts.update(dropped.reason for dropped in made.dropped)
        counts["event"] += sum(bool(event.own_id) for event in made.events)
        refused += [offset] if made.rejected else []
        usable.append(bool(made.events or made.dropped))

    batch = [Logged(offset, NOON, None, value) for offset, value in enumerate(values)]
    result = normalizer.normalize("raw", 3, batch)

    assert [(entry.partition, decode(entry.value or b"")) for entry in result.events] == expected
    assert [entry.mark.offset for entry in result.dead_letters] == refused
    assert result.counts == counts
    assert result.bad == usable.count(False)
    assert result.bad_run == len(usable) - max(
        (n for n, good in enumerate(usable, 1) if good), default=0
    )
