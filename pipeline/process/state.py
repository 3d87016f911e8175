"""The state process of one partition: the only writer of its state.

Records are folded in portions; each portion is one atomic commit that moves the watermark. What
is at or before the watermark has been taken and is passed over; a commit that finds another
watermark than expected means that somebody else went on: the cache is dropped, and reading goes
back to where the store stands.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.domain.messages import Record
from pipeline.ports import START, Change, Entry, Mark, Store
from pipeline.process.holdings import CACHE_MAX, Halted, Holdings, Overtaken
from pipeline.process.portion import Aside, Missing, Oversized, Place, Portion
from pipeline.process.shelf import RulesOf, put_in_force
from pipeline.process.ticks import Passing, tick
from pipeline.process.visits import visit
from pipeline.wire.records import Announce, Control, Enforce, Tick, UnreadableRecord, decode
from pipeline.wire.state import SHELF_KEY, encode_own

__all__ = ["Committed", "Halted", "Overtaken", "StateProcess"]

PORTION_MAX: Final = 500
"""Records, or due entities of a tick, in one commit: bounds the script's run time in the store."""

POISON_RUN_MAX: Final = 100
"""So many records in a row that had to be put aside mean that the fold is broken, not they."""


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
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By journey, outcome and reason; see `Portion`."""


class StateProcess:
    """Takes the records of one partition. Not for use by two tasks at once."""

    def __init__(
        self,
        place: Place,
        store: Store,
        committed: Callable[[Committed], None],
        rules_of: RulesOf | None = None,
        keeps: Callable[[], int] = lambda: CACHE_MAX,
    ) -> None:
        """`committed` is told of every commit, in order. `rules_of` compiles a shelf in its way.

        `keeps` tells how many entities may stay in memory from one commit to the next.
        """
        self.place = place
        self._held = Holdings(place, store, rules_of, keeps)
        self._committed = committed
        self._behind_gap: Mark | None = None

    @property
    def watermark(self) -> Mark:
        """Where the state stands."""
        return self._held.watermark or START

    @property
    def stored(self) -> Mark | None:
        """The watermark; None where the store has none."""
        return self._held.watermark

    @property
    def begin(self) -> int:
        """Where to read from: the last record taken is read once more, to see that it is there."""
        at, last = self.watermark, self._held.ledger.last
        return last[0] if last is not None and last[0] < at.offset else at.offset

    @property
    def clock(self) -> int:
        """The latest tick taken, ms."""
        return self._held.ledger.clock

    @property
    def kept(self) -> int:
        """How many entities are in memory."""
        return len(self._held.entities)

    async def open(self) -> Mark:
        """Read where the store stands; what is behind it is to be read, see `begin`."""
        await self._held.open()
        return self.watermark

    async def apply(self, records: Sequence[LogRecord]) -> None:
        """Take records in order. Raises `Overtaken`, `Halted`, or the store's errors."""
        if records and records[0].offset > self.watermark.offset:
            self._see_gap()
        elif records:
            self._behind_gap = None  # there was none: the next one is asked for once more, too
        portion: list[tuple[LogRecord, Record]] = []
        begin = self.watermark.offset
        for record in records:
            if record.offset < begin:
                self._compare(record)
                continue
            read = self._read(record)
            if isinstance(read, Record):
                portion.append((record, read))
                if len(portion) < PORTION_MAX:
                    continue
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
        last = self._held.ledger.last
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
        wanted = {read.to: None for _, read in records if read.to.kind != "nobody"}
        await self._held.load(wanted, first.offset)
        portion, ledger = self._portion(), self._held.ledger
        for record, read in records:
            ledger.log_time = max(ledger.log_time, record.timestamp)
            while True:
                try:
                    portion.take(read, record.offset, ledger.log_time)
                    break
                except Missing as missing:
                    await self._held.load([missing.ref], record.offset)
                except Exception as error:  # a bug of ours must not stop the stream
                    raise _Poison from error
        ledger.last, ledger.poison = _taken(last), 0
        try:
            return portion, portion.change(Mark(last.offset + 1, 0))
        except Exception as error:
            raise _Poison from error

    def _portion(self) -> Portion:
        held = self._held
        return Portion(self.place, held.rules, held.ledger, held.entities)

    async def _commit(self, portion: Portion, change: Change) -> None:
        await self._held.commit(change)
        self._committed(
            Committed(
                portion.internal,
                portion.outward,
                portion.counts,
                portion.lateness,
                portion.outcomes,
            )
        )

    async def _isolate(self, records: Sequence[tuple[LogRecord, Record]], poison: _Poison) -> None:
        """The fold failed: find the record it fails on, and put that one aside."""
        before = self._held.watermark
        await self.open()
        if self._held.watermark != before:
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
        ledger = self._held.ledger
        if reason != "too_large":  # that one is a matter of the entity, not of our code
            ledger.poison += 1
        if ledger.poison > POISON_RUN_MAX:
            raise Halted(
                f"{self.place.log} at {record.offset}: more than {POISON_RUN_MAX} records in a row"
                f" can't be taken, last: {reason}, {detail}: see `pipeline deadletters list`, and"
                " run a version that can take them"
            )
        ledger.last = _taken(record)
        portion = self._portion()
        position = None if read is None else read.position
        portion.put_aside(record.value, record.offset, position, reason, detail)
        await self._commit(portion, portion.change(Mark(record.offset + 1, 0)))

    async def _control(self, record: LogRecord, control: Control) -> None:
        match control:
            case Tick():
                await self._tick(record, control)
                return
            case Announce(digest, document):
                self._held.shelf.documents[digest] = document
                self._held.enforce()
            case Enforce():
                await self._enforce(record, control)
        self._held.ledger.last = _taken(record)
        change = Change(Mark(record.offset + 1, 0))
        change.entities[SHELF_KEY] = encode_own(self._held.shelf)
        await self._commit(self._portion(), change)

    async def _tick(self, record: LogRecord, control: Tick) -> None:
        # a leader whose clock runs ahead of the broker's must not make anything due
        passing = Passing(record.offset, min(control.time, record.timestamp), control.most)
        last = _taken(record)
        await tick(self._held, passing, last, PORTION_MAX, self._portion, self._commit)

    async def _enforce(self, record: LogRecord, control: Enforce) -> None:
        held, at = self._held, f"{self.place.log} at {record.offset}"
        if control.digest not in held.shelf.documents:
            raise Halted(f"{at}: unknown rulebook {control.digest}")
        held.ledger.log_time = max(held.ledger.log_time, record.timestamp)
        means_open_waits = put_in_force(held.shelf, control, held.ledger.log_time)
        held.enforce()
        if means_open_waits:
            await visit(held, record.offset, PORTION_MAX, self._portion, self._commit)


def _taken(record: LogRecord) -> tuple[int, bytes]:
    """What tells a record from any other at its offset."""
    digest = hashlib.blake2b(record.value or b"", digest_size=8)
    digest.update(b"%d" % record.timestamp)
    return record.offset, digest.digest()
