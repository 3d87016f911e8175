"""The state process of one partition: the only writer of its state.

Records are folded in portions; each portion is one atomic commit that moves the watermark. What
is at or before the watermark has been taken and is passed over; a commit that finds another
watermark than expected means that somebody else went on: the cache is dropped, and reading goes
back to where the store stands.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.domain.entities import Entity
from pipeline.domain.messages import Record, Ref
from pipeline.domain.turn import Rules
from pipeline.ports import START, Change, Entry, Mark, Store
from pipeline.process.portion import Missing, Place, Portion
from pipeline.process.shelf import rules_of
from pipeline.wire.records import Announce, Control, Enforce, Tick, UnreadableRecord, decode
from pipeline.wire.state import (
    LEDGER_KEY,
    SHELF_KEY,
    Ledger,
    Shelf,
    decode_entity,
    decode_ledger,
    decode_shelf,
    encode_own,
    entity_key,
)

PORTION_MAX: Final = 500
"""Records, or due entities of a tick, in one commit: bounds the script's run time in the store."""

CACHE_MAX: Final = 50_000
"""Entities kept decoded for one partition."""

POISON_RUN_MAX: Final = 100
"""So many records in a row on which the fold failed mean that the fold is broken, not they."""


class LogRecord(Protocol):
    """What of a Kafka record is read."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int:
        """Its append time, ms."""

    @property
    def value(self) -> bytes | None:
        """One record of ours."""


class Overtaken(Exception):
    """The store stands elsewhere than this process thought; read on from its watermark."""


class Halted(Exception):
    """Going on would do harm; the message says what to look at."""


@dataclass(slots=True)
class Committed:
    """What a commit published, for the relay and the metrics."""

    internal: list[Entry] = field(default_factory=list)
    outward: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lateness: list[int] = field(default_factory=list)
    """Of the triggers among it: from deadline to firing, ms."""


class StateProcess:
    """Takes the records of one partition. Not for use by two tasks at once."""

    def __init__(self, place: Place, store: Store, committed: Callable[[Committed], None]) -> None:
        """`committed` is told of every commit, in order."""
        self.place = place
        self._store = store
        self._committed = committed
        self._expected: Mark | None = None
        self._cache: OrderedDict[Ref, Entity | None] = OrderedDict()
        self._ledger = Ledger()
        self._shelf = Shelf()
        self._rules = Rules()
        self._poison_run = 0

    @property
    def watermark(self) -> Mark:
        """Where the state stands."""
        return self._expected or START

    @property
    def clock(self) -> int:
        """The latest tick taken, ms."""
        return self._ledger.clock

    async def open(self) -> Mark:
        """Read where the store stands; the offset to read on from is its first part."""
        partition = self.place.partition
        self._expected = await self._store.watermark(partition)
        ledger, shelf = await self._store.load(partition, [LEDGER_KEY, SHELF_KEY])
        self._ledger, self._shelf = decode_ledger(ledger), decode_shelf(shelf)
        self._rules = rules_of(self._shelf)
        self._cache.clear()
        return self.watermark

    async def apply(self, records: Sequence[LogRecord]) -> None:
        """Take records in order. Raises `Overtaken`, `Halted`, or the store's errors."""
        portion: list[tuple[LogRecord, Record]] = []
        for record in records:
            if record.offset < self.watermark.offset:
                continue
            read = self._read(record)
            if isinstance(read, Record):
                portion.append((record, read))
            if len(portion) >= PORTION_MAX or not isinstance(read, Record):
                await self._fold(portion)
                portion = []
            if read is None:
                await self._pass_over(record)
            elif not isinstance(read, Record):
                await self._control(record, read)
        await self._fold(portion)

    def _read(self, record: LogRecord) -> Record | Control | None:
        try:
            return decode(record.value or b"")
        except UnreadableRecord as error:
            if record.value and record.value[:1] == b"\x94":
                # ours, but of a version this code does not know: dropping it would lose it
                raise Halted(
                    f"{self.place.log} at {record.offset}: {error}; update the worker"
                ) from error
            return None

    async def _pass_over(self, record: LogRecord) -> None:
        portion = self._portion({})
        portion.counts["unreadable"] += 1
        await self._commit(portion, Mark(record.offset + 1, 0))

    async def _fold(self, records: Sequence[tuple[LogRecord, Record]]) -> None:
        if not records:
            return
        try:
            portion = await self._folded(records)
        except (Overtaken, Halted):
            raise
        except Exception as error:  # noqa: BLE001  # a bug of ours must not stop the stream
            await self._isolate(records, error)
            return
        self._poison_run = 0
        await self._commit(portion, Mark(records[-1][0].offset + 1, 0))

    async def _folded(self, records: Sequence[tuple[LogRecord, Record]]) -> Portion:
        await self._load({read.to for _, read in records if read.to.kind != "nobody"})
        portion = self._portion(self._cache)
        for record, read in records:
            ledger = portion.ledger
            ledger.log_time = max(ledger.log_time, record.timestamp)
            while True:
                try:
                    portion.take(read, record.offset, ledger.log_time)
                    break
                except Missing as missing:
                    await self._load({missing.ref})
        return portion

    async def _load(self, refs: set[Ref]) -> None:
        wanted: list[Ref] = []
        for ref in sorted(refs):
            if ref in self._cache:
                self._cache.move_to_end(ref)
            else:
                wanted.append(ref)
        if not wanted:
            return
        values = await self._store.load(self.place.partition, [entity_key(ref) for ref in wanted])
        for ref, value in zip(wanted, values, strict=True):
            self._cache[ref] = None if value is None else decode_entity(value)[1]

    def _portion(self, entities: dict[Ref, Entity | None]) -> Portion:
        return Portion(self.place, self._rules, self._ledger, entities)

    async def _commit(self, portion: Portion, watermark: Mark) -> None:
        change = portion.change(watermark)
        change.entities[LEDGER_KEY] = encode_own(self._ledger)
        if not await self._store.commit(self.place.partition, self._expected, change):
            raise Overtaken(self.place.log)
        self._expected = watermark
        while len(self._cache) > CACHE_MAX:
            self._cache.popitem(last=False)
        self._committed(
            Committed(portion.internal, portion.outward, portion.counts, portion.lateness)
        )

    async def _isolate(self, records: Sequence[tuple[LogRecord, Record]], error: Exception) -> None:
        """The fold failed: find the record it fails on, and put that one aside."""
        await self.open()
        if len(records) > 1:
            for one in records:
                await self._fold([one])
            return
        self._poison_run += 1
        if self._poison_run > POISON_RUN_MAX:
            raise Halted(
                f"{self.place.log}: the fold failed on {POISON_RUN_MAX} records in a row,"
                f" last with {type(error).__name__} at {records[0][0].offset}"
            ) from error
        ((record, read),) = records
        portion = self._portion({})
        portion.put_aside(record.value, record.offset, read, type(error).__name__)
        await self._commit(portion, Mark(record.offset + 1, 0))

    async def _control(self, record: LogRecord, control: Control) -> None:
        match control:
            case Tick(time):
                await self._tick(record.offset, time)
                return
            case Announce(digest, document):
                self._shelf.documents[digest] = document
            case Enforce(digest):
                if digest not in self._shelf.documents:
                    raise Halted(f"{self.place.log} at {record.offset}: unknown rulebook {digest}")
                self._shelf.current = digest
        self._rules = rules_of(self._shelf)
        change = Change(Mark(record.offset + 1, 0))
        change.entities[SHELF_KEY] = encode_own(self._shelf)
        change.entities[LEDGER_KEY] = encode_own(self._ledger)
        if not await self._store.commit(self.place.partition, self._expected, change):
            raise Overtaken(self.place.log)
        self._expected = change.watermark

    async def _tick(self, offset: int, time: int) -> None:
        """Decide what is due, oldest first, in bounded commits; the watermark counts them."""
        nth = self.watermark.index if self.watermark.offset == offset else 0
        more = time >= self._ledger.clock
        while True:
            portion = self._portion(self._cache)
            due = await self._due(time) if more else []
            caused = nth
            for ref in due:
                caused = portion.tick(ref, offset, caused, time)
            more = len(due) == PORTION_MAX
            if not more:
                self._ledger.clock = max(time, self._ledger.clock)
                self._ledger.log_time = max(time, self._ledger.log_time)
                await self._commit(portion, Mark(offset + 1, 0))
                return
            nth = max(caused, nth + 1)
            await self._commit(portion, Mark(offset, nth))

    async def _due(self, time: int) -> list[Ref]:
        keys = await self._store.due(self.place.partition, time, PORTION_MAX)
        refs: list[Ref] = []
        for value in await self._store.load(self.place.partition, keys):
            if value is not None:
                ref, entity = decode_entity(value)
                refs.append(ref)
                self._cache.setdefault(ref, entity)
        return refs
