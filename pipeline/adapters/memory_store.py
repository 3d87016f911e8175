"""The state store in memory: `pipeline test`, simulation, backtest and tests run on it."""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.ports import START, TOGETHER, Change, Entry, Mark, Progress


@dataclass(slots=True)
class _Partition:
    watermark: Mark | None = None
    causes: Sequence[int] = ()
    entities: dict[bytes, bytes] = field(default_factory=dict)
    due: dict[bytes, int] = field(default_factory=dict)
    index: list[tuple[int, bytes]] = field(default_factory=list)
    outboxes: dict[bool, list[Entry]] = field(default_factory=lambda: {True: [], False: []})
    lots: dict[bool, list[Mark]] = field(default_factory=lambda: {True: [], False: []})
    """The last marks of what goes together when it is trimmed."""
    latest: dict[bool, Mark] = field(default_factory=lambda: {True: START, False: START})

    def copy(self) -> "_Partition":
        return _Partition(
            self.watermark,
            self.causes,
            dict(self.entities),
            dict(self.due),
            list(self.index),
            {side: list(entries) for side, entries in self.outboxes.items()},
            {side: list(marks) for side, marks in self.lots.items()},
            dict(self.latest),
        )

    def set_due(self, key: bytes, instant: int | None) -> None:
        old = self.due.pop(key, None)
        if old is not None:
            del self.index[bisect_right(self.index, (old, key)) - 1]
        if instant is not None:
            self.due[key] = instant
            insort(self.index, (instant, key))


class MemoryStore:
    """Fulfils `Store` and `GuardStore`.

    `snapshot` and `restore` are what a lost Redis and its backup are.
    """

    def __init__(self) -> None:
        self._partitions: dict[int, _Partition] = {}
        self._identity: bytes | None = None

    def snapshot(self) -> Mapping[int, object]:
        """The state as it is, to be given to `restore`."""
        return {p: state.copy() for p, state in self._partitions.items()}

    def restore(self, snapshot: Mapping[int, object]) -> None:
        """Go back to a snapshot."""
        self._partitions = {
            p: state.copy() for p, state in snapshot.items() if isinstance(state, _Partition)
        }

    async def watermark(self, partition: int) -> Mark | None:
        """See `Store`."""
        return self._of(partition).watermark

    async def load(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Store`."""
        entities = self._of(partition).entities
        return [entities.get(key) for key in keys]

    async def load_at(
        self, partition: int, keys: Sequence[bytes]
    ) -> tuple[Mark | None, list[bytes | None]]:
        """See `Store`."""
        return self._of(partition).watermark, await self.load(partition, keys)

    async def due_at(
        self, partition: int, until: int, limit: int, skip: int = 0
    ) -> tuple[Mark | None, list[bytes]]:
        """See `Store`."""
        return self._of(partition).watermark, await self.due(partition, until, limit, skip)

    async def due(self, partition: int, until: int, limit: int, skip: int = 0) -> list[bytes]:
        """See `Store`."""
        index = self._of(partition).index
        end = bisect_right(index, until, key=lambda item: item[0])
        return [key for _, key in index[skip : min(end, skip + limit)]]

    async def commit(self, partition: int, expected: Mark | None, change: Change) -> bool:
        """See `Store`."""
        if expected is not None and change.watermark <= expected:
            raise ValueError(f"watermark {change.watermark} is not later than {expected}")
        state = self._of(partition)
        if state.watermark != expected:
            return False
        _check(state, change)
        state.watermark, state.causes = change.watermark, change.causes
        for key, value in change.entities.items():
            if value is None:
                state.entities.pop(key, None)
            else:
                state.entities[key] = value
        for key, instant in change.due.items():
            state.set_due(key, instant)
        for internal, entries in ((True, change.internal), (False, change.outward)):
            if entries:
                state.outboxes[internal].extend(entries)
                lots = (entries[i : i + TOGETHER] for i in range(0, len(entries), TOGETHER))
                state.lots[internal].extend(lot[-1].mark for lot in lots)
                state.latest[internal] = entries[-1].mark
        return True

    async def outbox(
        self, partition: int, *, internal: bool, after: Mark | None, limit: int
    ) -> list[Entry]:
        """See `Store`."""
        entries = self._of(partition).outboxes[internal]
        start = 0 if after is None else bisect_right(entries, after, key=lambda e: e.mark)
        return entries[start : start + limit]

    async def trim(self, partition: int, *, internal: bool, upto: Mark) -> None:
        """See `Store`."""
        state = self._of(partition)
        entries, lots = state.outboxes[internal], state.lots[internal]
        if count := bisect_right(lots, upto):
            last = lots[count - 1]
            del lots[:count]
            del entries[: bisect_right(entries, last, key=lambda e: e.mark)]

    async def progress(self, partitions: Iterable[int]) -> Mapping[int, Progress]:
        """See `Store`."""
        return {p: self._progress(self._of(p)) for p in partitions}

    async def identity(self) -> bytes | None:
        """See `GuardStore`."""
        return self._identity

    async def identify(self, value: bytes, *, replace: bool = False) -> None:
        """See `GuardStore`."""
        if replace or self._identity is None:
            self._identity = value

    async def forget(self, partition: int) -> None:
        """See `GuardStore`."""
        self._partitions.pop(partition, None)

    def flush(self) -> None:
        """Forget everything, as FLUSHALL does."""
        self._partitions.clear()
        self._identity = None

    def _of(self, partition: int) -> _Partition:
        return self._partitions.setdefault(partition, _Partition())

    @staticmethod
    def _progress(state: _Partition) -> Progress:
        internal = state.outboxes[True]
        return Progress(
            state.watermark or START,
            internal[0].mark if internal else None,
            state.index[0][0] if state.index else None,
            state.causes,
        )


def _check(state: _Partition, change: Change) -> None:
    for internal, entries in ((True, change.internal), (False, change.outward)):
        last = state.latest[internal]
        for entry in entries:
            if entry.mark <= last:
                raise ValueError("an outbox entry is not later than those before it")
            last = entry.mark
