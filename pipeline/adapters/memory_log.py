"""Kafka in memory: topics as lists, with what the relay, the barrier and their tests need."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pipeline.names import Names
from pipeline.ports import Bounds, Clock, Entry, Fenced, Mark, Unsettled


class Record(NamedTuple):
    """A record as a consumer sees it; the timestamp is its append time, never going back."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class MemoryLog:
    """Fulfils `InternalPublisher`, `Log` and `GuardLog`.

    `outward` gives a partition's `OutwardPublisher`. Topics but raw and events have one partition.
    """

    def __init__(
        self, clock: Clock, names: Names, partitions: int, *, raw_partitions: int = 1
    ) -> None:
        self._clock = clock
        self._names = names
        self._partitions = partitions
        self._raw_partitions = raw_partitions
        self._records: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self._normalized: dict[tuple[str, int], int] = {}
        self.reached: dict[int, Mark] = {}
        """By partition, how far its outward records are published."""
        self.owners: dict[int, MemoryPublisher] = {}
        self.ids = ("cluster", "topic")
        self.members = 0
        """Workers in the group."""
        self._starts: dict[tuple[str, int], int] = {}

    def write(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: tuple[tuple[str, bytes], ...] = (),
        partition: int = 0,
    ) -> int:
        """Append a record and return its offset."""
        records = self._records[topic, partition]
        last = records[-1].timestamp if records else 0
        now = max(last, self._clock.now())
        records.append(Record(len(records), now, key, value, headers))
        return len(records) - 1

    def read(
        self, topic: str, partition: int = 0, offset: int = 0, limit: int | None = None
    ) -> list[Record]:
        """Records from an offset on."""
        end = None if limit is None else offset + limit
        return self._records[topic, partition][offset:end]

    def expire(self, topic: str, partition: int, upto: int) -> None:
        """Let retention remove what is before an offset."""
        self._starts[topic, partition] = upto

    def cut(self, topic: str, partition: int, end: int) -> None:
        """Lose what was acknowledged, as an unclean election does."""
        del self._records[topic, partition][end:]

    def commit(self, topic: str, partition: int, offset: int) -> None:
        """Say how far normalize is, as its group's committed offset does."""
        self._normalized[topic, partition] = offset

    def outward(self, partition: int) -> "MemoryPublisher":
        """A publisher of a partition's outward records."""
        return MemoryPublisher(self, partition)

    async def publish(self, entries: Sequence[Entry]) -> None:
        """See `InternalPublisher`."""
        for entry in entries:
            self.write(
                entry.topic,
                entry.value,
                key=entry.key,
                headers=entry.headers,
                partition=entry.partition or 0,
            )

    async def raw_ends(self) -> Mapping[tuple[str, int], int]:
        """See `Log`."""
        topic = self._names.raw
        return {(topic, p): len(self._records[topic, p]) for p in range(self._raw_partitions)}

    async def normalized(self) -> Mapping[tuple[str, int], int]:
        """See `Log`."""
        topic = self._names.raw
        return {
            (topic, p): self._normalized.get((topic, p), 0) for p in range(self._raw_partitions)
        }

    async def event_ends(self) -> Mapping[int, int]:
        """See `Log`."""
        return {p: len(self._records[self._names.events, p]) for p in range(self._partitions)}

    async def source(self) -> tuple[str, str]:
        """See `GuardLog`."""
        return self.ids

    async def bounds(self) -> Mapping[int, Bounds]:
        """See `GuardLog`."""
        ends, events = await self.event_ends(), self._names.events
        return {p: Bounds(self._starts.get((events, p), 0), end) for p, end in ends.items()}

    async def first(self, wanted: Callable[[bytes], bool]) -> tuple[int, int] | None:
        """See `GuardLog`."""
        for partition, (start, _) in (await self.bounds()).items():
            for record in self.read(self._names.events, partition, start):
                if wanted(record.value or b""):
                    return partition, record.offset
        return None

    async def places(self) -> Mapping[int, Mark]:
        """See `GuardLog`."""
        return dict(self.reached)

    async def published(self) -> bool:
        """See `GuardLog`."""
        inner = {self._names.raw, self._names.events}
        return any(records for (topic, _), records in self._records.items() if topic not in inner)

    async def workers(self) -> int:
        """See `GuardLog`."""
        return self.members

    async def append(self, partition: int, value: bytes) -> None:
        """See `Log`."""
        self.write(self._names.events, value, partition=partition)


class MemoryPublisher:
    """Fulfils `OutwardPublisher`: the last one that was opened is the owner."""

    def __init__(self, log: MemoryLog, partition: int) -> None:
        self._log = log
        self._partition = partition
        self._opened = False

    async def open(self) -> Mark | None:
        """See `OutwardPublisher`."""
        self._log.owners[self._partition] = self
        self._opened = True
        return self._log.reached.get(self._partition)

    async def publish(self, entries: Sequence[Entry]) -> None:
        """See `OutwardPublisher`."""
        if not self._opened:
            raise Unsettled("the publisher is not open")
        if self._log.owners.get(self._partition) is not self:
            self._opened = False
            raise Fenced(f"partition {self._partition}: another owner has taken over")
        place = self._log.reached.get(self._partition)
        if entries and place is not None and entries[0].mark <= place:
            raise ValueError(f"{entries[0].mark} was published: the place is {place}")
        await self._log.publish(entries)
        if entries:
            self._log.reached[self._partition] = entries[-1].mark

    async def close(self) -> None:
        """See `OutwardPublisher`."""
        self._opened = False
