"""Stateless: raw records become events for the entity whose id they carry, or dead letters.

Publishing happens in raw order and positions are those of the raw log, so that a partition of
`segment.events` can drop what a restart publishes again.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.domain.events import Event, Source
from pipeline.domain.messages import Did
from pipeline.domain.refs import destination
from pipeline.ports import MAX_RECORD, Entry, Mark
from pipeline.wire.records import encode_message
from pipeline.wire.segment import Decoded, Rejected, decode
from pipeline.wire.state import partition_of

NAMED_MAX: Final = 20
"""Items of a batch that a dead letter names."""


class RawRecord(Protocol):
    """What of a Kafka record is read."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int:
        """Its Kafka time, ms."""

    @property
    def key(self) -> bytes | None:
        """Any."""

    @property
    def value(self) -> bytes | None:
        """JSON of a producer."""


@dataclass(slots=True)
class Normalized:
    """What a batch of raw records became."""

    events: list[Entry] = field(default_factory=list)
    dead_letters: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    """Records without anything usable."""
    bad_run: int = 0
    """So many of them at the end of the batch, in a row."""


@dataclass(frozen=True, slots=True)
class Normalizer:
    """The settings that decoding and routing depend on."""

    partitions: int
    region: str
    events_topic: str
    dead_letter_topic: str

    def normalize(self, topic: str, partition: int, records: Iterable[RawRecord]) -> Normalized:
        """Decode, check and route; never raises for what a producer wrote."""
        result = Normalized()
        log = f"{topic}/{partition}"
        for record in records:
            source = Source(topic, partition, record.offset)
            decoded = decode(record.value, source, record.timestamp, self.region)
            for event in decoded.events:
                result.events.append(self._entry(event, log))
            if decoded.rejected or decoded.dropped:
                self._note(record, source, decoded, result)
            else:
                result.counts["event"] += len(decoded.events)
                result.bad_run = 0
        return result

    def _note(
        self, record: RawRecord, source: Source, decoded: Decoded, result: Normalized
    ) -> None:
        """Dead letter and counts of a record that is not taken whole."""
        usable = bool(decoded.events or decoded.dropped)
        result.bad += not usable
        result.bad_run = 0 if usable else result.bad_run + 1
        for rejected in decoded.rejected:
            result.counts[rejected.reason] += 1
        if decoded.rejected:
            # one letter a record: a batch with many bad items must not be copied for each
            letter = dead_letter(record, source, decoded.rejected)
            mark = Mark(source.offset, 1)
            result.dead_letters.append(Entry(mark, self.dead_letter_topic, *letter))
        for dropped in decoded.dropped:
            result.counts[dropped.reason] += 1
        nobodys = sum(not event.own_id for event in decoded.events)  # counted by their reason
        result.counts["event"] += len(decoded.events) - nobodys

    def _entry(self, event: Event, log: str) -> Entry:
        to, offset, nth = destination(event), event.source.offset, event.index + 1
        value = encode_message(to, (log, offset, nth, 0), None, Did(event))
        partition = partition_of(to, self.partitions)
        return Entry(Mark(offset, nth), self.events_topic, None, value, (), partition)


def dead_letter(
    record: RawRecord, source: Source, rejected: Sequence[Rejected]
) -> tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]:
    """Key, value and headers of a dead letter: the original bytes, why, and where they stood.

    Of a batch the reason is the first item's; the detail names the items refused.
    """
    first, *others = rejected
    detail = first.detail
    if others:
        items = ", ".join(f"{item.index}: {item.reason}" for item in rejected[:NAMED_MAX])
        detail = f"{len(rejected)} items: {items}"
    value = record.value
    if value is not None and len(value) + len(record.key or b"") > MAX_RECORD:
        detail = f"{detail}; {len(value)} bytes are not copied, see the source"
        value = None
    headers = (
        ("reason", first.reason),
        ("detail", detail),
        ("source-topic", source.topic),
        ("source-partition", str(source.partition)),
        ("source-offset", str(source.offset)),
    )
    return record.key, value, tuple((name, text.encode()) for name, text in headers)
