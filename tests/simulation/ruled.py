"""What may not come out after a change, by the log of the partition that says it.

An address decides by the changes that stand before its cause in its own log. So no word of a
dropped version, and none of a paused journey, may be caused by a record behind the change: that
holds at once in each partition, and for all of them when the last has taken it.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipeline.domain.shadow import slot
from pipeline.wire.records import Announce, Enforce, decode
from pipeline.wire.state import SHELF_KEY, decode_shelf
from tests.simulation.kafka import Kafka, Record, Written
from tests.simulation.system import NAMES

Json = dict[str, Any]
Published = dict[tuple[int, str], list[Written]]


@dataclass(frozen=True)
class InForce:
    """From an offset of a partition on. `known` and `paused`, `dropped` are by names inside."""

    offset: int = -1
    known: frozenset[tuple[str, int]] = frozenset()
    """Journeys and versions that were in force by now."""
    paused: frozenset[str] = frozenset()
    dropped: dict[str, int] = field(default_factory=dict)
    """Versions below this one are."""


def pauses(kafka: Kafka, states: list[Any]) -> Iterator[str]:
    """Partitions in which other journeys are paused than was said last."""
    for number, state in enumerate(states):
        *_, last = _spans(kafka.logs[NAMES.events, number])
        known = decode_shelf(state.entities.get(SHELF_KEY)).pauses
        going_on = {journey for journey, pause in known.items() if pause.until is None}
        if going_on != last.paused:
            yield f"{number} has paused {sorted(going_on)} and not {sorted(last.paused)}"


def wrongs(kafka: Kafka, partitions: int, published: Published) -> Iterator[str]:
    """Triggers that must not be."""
    for number in range(partitions):
        spans = list(_spans(kafka.logs[NAMES.events, number]))
        offsets = [span.offset for span in spans]
        for topic in (NAMES.triggers, NAMES.shadow):
            for written in published.get((number, topic), ()):
                value = orjson.loads(written.value or b"")
                if value.get("type") == "trigger":
                    offset = int(dict(written.headers)["position"].split(b":")[1])
                    span = spans[bisect_left(offsets, offset) - 1]
                    name = value["journey"]
                    inside = slot(name) if topic == NAMES.shadow else name
                    for wrong in _wrongs(inside, value["version"], span):
                        what = f"{topic}: {value['id'][:8]} of {name} {value['version']}"
                        yield f"{what} caused by {number}:{offset} {wrong} {span.offset}"


def _wrongs(name: str, version: int, span: InForce) -> Iterator[str]:
    if version < span.dropped.get(name, 0):
        yield "though dropped at"
    if name in span.paused:
        yield "though paused at"
    if (name, version) not in span.known:
        yield "was never in force by"


def _spans(log: list[Record]) -> Iterator[InForce]:
    """One for each change, in order; the first is before all."""
    span = InForce()
    documents: dict[str, Json] = {}
    yield span
    for record in log:
        read = decode(record.value or b"")
        if isinstance(read, Announce):
            documents[read.digest] = read.document
        elif isinstance(read, Enforce):
            span = _next(span, record.offset, documents[read.digest], read)
            yield span


def _next(span: InForce, offset: int, document: Json, enforce: Enforce) -> InForce:
    inside = {
        slot(made["journey"]) if made.get("status") == "shadow" else made["journey"]: made
        for made in document["journeys"]
    }
    dropped = dict(span.dropped)
    for name, ruling in enforce.rulings.items():
        dropped[name] = max(ruling.drop, dropped.get(name, 0))
    return InForce(
        offset,
        span.known | {(name, made["version"]) for name, made in inside.items()},
        frozenset(name for name, made in inside.items() if made.get("status") == "paused"),
        dropped,
    )
