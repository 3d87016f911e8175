"""The state process of one partition: the only writer of its state.

Records are folded in portions; each portion is one atomic commit that moves the watermark. What
is at or before the watermark has been taken and is passed over; a commit that finds another
watermark than expected means that somebody else went on: the cache is dropped, and reading goes
back to where the store stands.
"""

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.domain.entities import Entity
from pipeline.domain.messages import Record, Ref
from pipeline.domain.turn import Rules
from pipeline.ports import START, Change, Entry, Mark, Store
from pipeline.process.portion import Aside, Missing, Oversized, Place, Portion
from pipeline.process.shelf import rules_of
from pipeline.wire.records import Announce, Control, Enforce, Tick, UnreadableRecord, decode
from pipeline.wire.state import (
    LEDGER_KEY,
    SHELF_KEY,
    Ledger,
    Shelf,
    UnreadableState,
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
"""So many records in a row that had to be put aside mean that the fold is broken, not they."""

_OPEN_TRIES: Final = 5
_UNREADABLE: Final = (
    "it is left as it is: run the version that wrote it, or restore a backup, or run"
    " `pipeline worker --rebuild`"
)


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


class _Poison(Exception):
    """The fold failed on a record; the cause says how."""


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
        self._behind_gap: Mark | None = None

    @property
    def watermark(self) -> Mark:
        """Where the state stands."""
        return self._expected or START

    @property
    def stored(self) -> Mark | None:
        """The watermark; None where the store has none."""
        return self._expected

    @property
    def begin(self) -> int:
        """Where to read from: the last record taken is read once more, to see that it is there."""
        at, last = self.watermark, self._ledger.last
        return last[0] if last is not None and last[0] < at.offset else at.offset

    @property
    def clock(self) -> int:
        """The latest tick taken, ms."""
        return self._ledger.clock

    async def open(self) -> Mark:
        """Read where the store stands. Raises `Halted` where what it has can't be gone on with."""
        partition, log = self.place.partition, self.place.log
        self._cache.clear()
        self._expected = await self._store.watermark(partition)
        for _ in range(_OPEN_TRIES):
            ledger, shelf = await self._store.load(partition, [LEDGER_KEY, SHELF_KEY])
            before, self._expected = self._expected, await self._store.watermark(partition)
            if before == self._expected:  # else a rival went on, or the store back, in between
                break
        if (self._expected is None) != (ledger is None):
            raise Halted(
                f"{log}: Redis has lost a part of this partition's state (eviction, or keys were"
                " removed): restore a backup, or run `pipeline worker --rebuild`"
            )
        try:
            self._ledger, self._shelf = decode_ledger(ledger), decode_shelf(shelf)
        except UnreadableState as error:
            raise Halted(f"{log}: {error} (its ledger or rulebooks): {_UNREADABLE}") from error
        self._enforce()
        return self.watermark

    async def apply(self, records: Sequence[LogRecord]) -> None:
        """Take records in order. Raises `Overtaken`, `Halted`, or the store's errors."""
        if records and records[0].offset > self.watermark.offset:
            self._see_gap()
        portion: list[tuple[LogRecord, Record]] = []
        for record in records:
            if record.offset < self.watermark.offset:
                self._compare(record)
                continue
            read = self._read(record)
            if isinstance(read, Record):
                portion.append((record, read))
            if len(portion) >= PORTION_MAX or not isinstance(read, Record):
                await self._fold(portion)
                portion = []
            if read is None:
                await self._put_aside(record, None, "unreadable", "not a record of ours")
            elif not isinstance(read, Record):
                await self._control(record, read)
        await self._fold(portion)

    def _see_gap(self) -> None:
        """Records in between may not have been read; asked for once more, they are not there."""
        if self._behind_gap != self.watermark:
            self._behind_gap = self.watermark
            raise Overtaken(self.place.log)

    def _compare(self, record: LogRecord) -> None:
        """A record that was taken: the last one must be the one that was taken."""
        last = self._ledger.last
        if last is not None and record.offset == last[0] and _taken(record) != last:
            raise Halted(
                f"{self.place.events_topic} partition {self.place.partition}: the record at"
                f" {record.offset} is not the one that was taken there: the brokers lost records,"
                " or the topic or the cluster is another one; what follows would be skipped or"
                " taken twice: bring the log back, or run `pipeline worker --rebuild`"
            )

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

    async def _fold(self, records: Sequence[tuple[LogRecord, Record]]) -> None:
        if not records:
            return
        try:
            portion, change = await self._folded(records)
        except _Poison as poison:
            await self._isolate(records, poison)
            return
        await self._commit(portion, change)

    async def _folded(self, records: Sequence[tuple[LogRecord, Record]]) -> tuple[Portion, Change]:
        (first, _), (last, _) = records[0], records[-1]
        wanted = {read.to for _, read in records if read.to.kind != "nobody"}
        await self._load(wanted, first.offset)
        portion = self._portion(self._cache)
        for record, read in records:
            ledger = portion.ledger
            ledger.log_time = max(ledger.log_time, record.timestamp)
            while True:
                try:
                    portion.take(read, record.offset, ledger.log_time)
                    break
                except Missing as missing:
                    await self._load({missing.ref}, record.offset)
                except Exception as error:  # a bug of ours must not stop the stream
                    raise _Poison from error
        self._ledger.last, self._ledger.poison = _taken(last), 0
        try:
            return portion, portion.change(Mark(last.offset + 1, 0))
        except Exception as error:
            raise _Poison from error

    async def _load(self, refs: set[Ref], offset: int) -> None:
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
            self._cache[ref] = None if value is None else self._entity(value, ref, offset)[1]

    def _entity(self, value: bytes, wanted: Ref | bytes, offset: int) -> tuple[Ref, Entity]:
        """What can't be read must not be overwritten: nothing is taken from here on."""
        try:
            ref, entity = decode_entity(value)
            if isinstance(wanted, Ref) and ref.kind != wanted.kind:
                raise UnreadableState(f"a {ref.kind} where a {wanted.kind} should be")
        except UnreadableState as error:
            key = wanted if isinstance(wanted, bytes) else entity_key(wanted)
            raise Halted(
                f"{self.place.log} at {offset}: {error}"
                f" (entity {key[:2].decode()}:{key[3:].hex()}): {_UNREADABLE}"
            ) from error
        return ref, entity

    def _portion(self, entities: dict[Ref, Entity | None]) -> Portion:
        return Portion(self.place, self._rules, self._ledger, entities)

    async def _commit(self, portion: Portion, change: Change) -> None:
        change.entities[LEDGER_KEY] = encode_own(self._ledger)
        if not await self._store.commit(self.place.partition, self._expected, change):
            raise Overtaken(self.place.log)
        self._expected = change.watermark
        while len(self._cache) > CACHE_MAX:
            self._cache.popitem(last=False)
        self._committed(
            Committed(portion.internal, portion.outward, portion.counts, portion.lateness)
        )

    async def _isolate(self, records: Sequence[tuple[LogRecord, Record]], poison: _Poison) -> None:
        """The fold failed: find the record it fails on, and put that one aside."""
        before = self._expected
        await self.open()
        if self._expected != before:
            raise Overtaken(self.place.log)
        if len(records) > 1:
            for one in records:
                await self._fold([one])
            return
        ((record, read),) = records
        cause = poison.__cause__
        large = isinstance(cause, Oversized)
        detail = f"what it causes is too large: {cause}" if large else type(cause).__name__
        await self._put_aside(record, read, "too_large" if large else "fold_failed", detail)

    async def _put_aside(
        self, record: LogRecord, read: Record | None, reason: Aside, detail: str
    ) -> None:
        ledger = self._ledger
        if reason != "too_large":  # that one is a matter of the entity, not of our code
            ledger.poison += 1
        if ledger.poison > POISON_RUN_MAX:
            raise Halted(
                f"{self.place.log} at {record.offset}: more than {POISON_RUN_MAX} records in a row"
                f" can't be taken, last: {reason}, {detail}: see `pipeline deadletters list`, and"
                " run a version that can take them"
            )
        ledger.last = _taken(record)
        portion = self._portion({})
        position = None if read is None else read.position
        portion.put_aside(record.value, record.offset, position, reason, detail)
        await self._commit(portion, portion.change(Mark(record.offset + 1, 0)))

    async def _control(self, record: LogRecord, control: Control) -> None:
        match control:
            case Tick(time):
                await self._tick(record, time)
                return
            case Announce(digest, document):
                self._shelf.documents[digest] = document
            case Enforce(digest):
                if digest not in self._shelf.documents:
                    raise Halted(f"{self.place.log} at {record.offset}: unknown rulebook {digest}")
                self._shelf.current = digest
        self._enforce()
        self._ledger.last = _taken(record)
        change = Change(Mark(record.offset + 1, 0))
        change.entities[SHELF_KEY] = encode_own(self._shelf)
        await self._commit(self._portion({}), change)

    def _enforce(self) -> None:
        try:
            self._rules = rules_of(self._shelf)
        except Exception as error:
            raise Halted(
                f"{self.place.log}: this code can't read a rulebook that was applied"
                f" ({type(error).__name__}): run the version that applied it, or a newer one"
            ) from error

    async def _tick(self, record: LogRecord, time: int) -> None:
        """Decide what is due, oldest first, in bounded commits; the watermark counts them."""
        offset = record.offset
        nth = self.watermark.index if self.watermark.offset == offset else 0
        more = time >= self._ledger.clock
        while True:
            due = await self._due(time, offset) if more else []
            more = len(due) == PORTION_MAX
            portion, caused = self._ticked(due, offset, nth, time)
            if more:
                nth = max(caused, nth + 1)
                await self._commit(portion, self._change(portion, Mark(offset, nth)))
                continue
            self._ledger.clock = max(time, self._ledger.clock)
            self._ledger.log_time = max(time, self._ledger.log_time)
            self._ledger.last = _taken(record)
            await self._commit(portion, self._change(portion, Mark(offset + 1, 0)))
            return

    def _ticked(self, due: Sequence[Ref], offset: int, nth: int, time: int) -> tuple[Portion, int]:
        """A tick can't be put aside: all that was due at it would be lost with it."""
        portion = self._portion(self._cache)
        for ref in due:
            try:
                nth = portion.tick(ref, offset, nth, time)
            except Exception as error:
                raise self._tick_failed(error, offset, entity_key(ref)) from error
        return portion, nth

    def _change(self, portion: Portion, watermark: Mark) -> Change:
        try:
            return portion.change(watermark)
        except Exception as error:
            raise self._tick_failed(error, watermark.offset, b"") from error

    def _tick_failed(self, error: Exception, offset: int, key: bytes) -> Halted:
        whose = f" for entity {key[:2].decode()}:{key[3:].hex()}" if key else ""
        return Halted(
            f"{self.place.log} at {offset}: a tick failed with {type(error).__name__}{whose};"
            " nothing of it was written: run a version that can decide it"
        )

    async def _due(self, time: int, offset: int) -> list[Ref]:
        keys = await self._store.due(self.place.partition, time, PORTION_MAX)
        refs: list[Ref] = []
        values = await self._store.load(self.place.partition, keys)
        for key, value in zip(keys, values, strict=True):
            if value is not None:
                ref, entity = self._entity(value, key, offset)
                refs.append(ref)
                self._cache.setdefault(ref, entity)
        return refs


def _taken(record: LogRecord) -> tuple[int, bytes]:
    """What tells a record from any other at its offset."""
    digest = hashlib.blake2b(record.value or b"", digest_size=8)
    digest.update(b"%d" % record.timestamp)
    return record.offset, digest.digest()
