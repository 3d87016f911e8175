"""The whole pipeline on one simulated clock: tests of rulebooks, backtests and captures run here.

Raw records go through the production decoder, the entities through the production state process;
only Kafka is a few lists, and time passes as it is told. A tick stands at every instant at which
something is due, after what arrived at that instant.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.domain.messages import Erase, Record
from pipeline.domain.refs import Ref
from pipeline.domain.versions import Ruling
from pipeline.ports import Entry, Store
from pipeline.process.normalize import Normalizer
from pipeline.process.portion import Place
from pipeline.process.shelf import RulesOf
from pipeline.process.state import Committed, StateProcess
from pipeline.wire.records import Announce, Enforce, Tick, encode, encode_control
from pipeline.wire.state import partition_of

RAW_TOPIC = "segment.raw"
EVENTS_TOPIC = "segment.events"


class Logged(NamedTuple):
    """A record of a log that is a list."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


@dataclass(slots=True)
class _Partition:
    process: StateProcess
    unread: list[Logged] = field(default_factory=list)
    end: int = 0

    def append(self, value: bytes | None, at: int) -> None:
        self.unread.append(Logged(self.end, at, None, value))
        self.end += 1

    def read(self) -> list[Logged]:
        records, self.unread = self.unread, []
        return records


class Replay:
    """Feed it raw records in order of log time; what came out stands in `outputs`."""

    def __init__(
        self,
        store: Store,
        partitions: int = 1,
        region: str = "US",
        rules_of: RulesOf | None = None,
    ) -> None:
        """`store` must be empty. `rules_of` compiles rulebooks in its own way, to watch them."""
        self.outputs: list[Entry] = []
        self.counts: Counter[str] = Counter()
        self.now = 0
        self._store = store
        self._raw_offsets: Counter[tuple[str, int]] = Counter()
        self._normalizer = Normalizer(partitions, region, EVENTS_TOPIC, "segment.dead-letter")
        self._partitions = [
            _Partition(
                StateProcess(
                    Place(n, partitions, "", EVENTS_TOPIC), store, self._committed, rules_of
                )
            )
            for n in range(partitions)
        ]

    async def enforce(
        self, document: dict[str, Any], digest: str, rulings: dict[str, Ruling] | None = None
    ) -> None:
        """Put a rulebook in force now, with what becomes of open waits."""
        for partition in self._partitions:
            partition.append(encode_control(Announce(digest, document)), self.now)
            partition.append(encode_control(Enforce(digest, rulings or {})), self.now)
        await self._settle()

    async def feed(
        self,
        value: bytes | None,
        at: int,
        kafka_time: int | None = None,
        place: tuple[str, int, int] | None = None,
    ) -> None:
        """A raw record that arrives at `at`; what is due before then is decided first.

        `place` is where it stands, where it comes from a real topic: topic, partition, offset.
        """
        await self._reach(at)
        topic, partition, offset = place or (RAW_TOPIC, 0, self._raw_offsets[RAW_TOPIC, 0])
        self._raw_offsets[topic, partition] = offset + 1
        result = self._normalizer.normalize(
            topic, partition, [Logged(offset, kafka_time or at, None, value)]
        )
        self.counts.update(result.counts)
        self.outputs += result.dead_letters
        self._publish(result.events)
        await self._settle()

    async def feed_all(self, values: Iterable[bytes], at: int) -> None:
        """Raw records that arrive together, in one batch."""
        await self._reach(at)
        first = self._raw_offsets[RAW_TOPIC, 0]
        records = [Logged(first + n, at, None, value) for n, value in enumerate(values)]
        self._raw_offsets[RAW_TOPIC, 0] = first + len(records)
        result = self._normalizer.normalize(RAW_TOPIC, 0, records)
        self.counts.update(result.counts)
        self.outputs += result.dead_letters
        self._publish(result.events)
        await self._settle()

    async def erase(self, id_: str, at: int) -> None:
        """Right to erasure of a userId or anonymousId."""
        await self._reach(at)
        ref = Ref("person", id_)
        self._partition(ref).append(encode(Record(ref, None, None, Erase())), self.now)
        await self._settle()

    async def advance(self, until: int) -> None:
        """Let time pass up to and including `until`."""
        numbers = range(len(self._partitions))
        while True:
            progress = await self._store.progress(numbers)
            dues = {n: at.due for n, at in progress.items() if at.due is not None}
            earliest = min(dues.values(), default=until + 1)
            if earliest > until:
                break
            self.now = max(self.now, earliest)
            for number, due in dues.items():
                if due <= self.now:
                    self._partitions[number].append(encode_control(Tick(self.now)), self.now)
            await self._settle()
        self.now = max(self.now, until)

    async def _reach(self, at: int) -> None:
        if at > self.now:
            await self.advance(at - 1)
            self.now = at

    def _partition(self, ref: Ref) -> _Partition:
        return self._partitions[partition_of(ref, len(self._partitions))]

    def _publish(self, entries: list[Entry]) -> None:
        for entry in entries:
            assert entry.partition is not None
            self._partitions[entry.partition].append(entry.value, self.now)

    def _committed(self, committed: Committed) -> None:
        self._publish(committed.internal)
        self.outputs += committed.outward
        self.counts.update(committed.counts)

    async def _settle(self) -> None:
        """Until no entity has anything left to take.

        What was taken and published is forgotten, as Kafka's retention and the relay do: memory
        grows with the state, not with the history.
        """
        while behind := [p.process for p in self._partitions if p.unread]:
            for process in behind:
                number = process.place.partition
                await process.apply(self._partitions[number].read())
                for internal in (True, False):
                    await self._store.trim(number, internal=internal, upto=process.watermark)
