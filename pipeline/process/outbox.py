"""One outbox of a partition as a queue that a relay takes from.

Entries come from memory as they are offered after each commit. At the start, after `reload`, and
when more are offered than memory should hold, they are read from the store until it has no more.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from pipeline.ports import Entry, Mark, Store

MOST_ENTRIES: Final = 10_000
MOST_BYTES: Final = 16 * 1024 * 1024
_PAGE: Final = 500
_OVERHEAD: Final = 300
"""Bytes that an entry costs besides its key and value."""


class Outbox:
    """Gives the entries in order, at least once each."""

    def __init__(
        self,
        store: Store,
        partition: int,
        *,
        internal: bool,
        most_entries: int = MOST_ENTRIES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._store = store
        self._partition = partition
        self._internal = internal
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._queue: deque[Entry] = deque()
        self._bytes = 0
        self._cursor: Mark | None = None
        self._behind = True
        self._dropped = 0
        self.loads = 0
        """How often `reload` was called: what was taken before it is to be forgotten."""
        self._some = asyncio.Event()
        self._some.set()
        self._less = asyncio.Event()

    @property
    def empty(self) -> bool:
        """True where there is nothing to take that is known of."""
        return not self._queue and not self._behind

    def __len__(self) -> int:
        """Entries in memory."""
        return len(self._queue)

    async def room(self) -> None:
        """Wait until no more than half of what memory holds is waiting here.

        Who writes entries faster than they are published would fill the store with them.
        """
        while self._behind or self._full(0.5):
            self._less.clear()
            await self._less.wait()

    def offer(self, entries: Sequence[Entry]) -> None:
        """Entries that a commit has written."""
        if not entries:
            return
        if self._behind or self._full(1.0):
            # they are in the store; the flag goes only after a read that saw all that was dropped
            self._behind = True
            self._dropped += 1
        else:
            self._extend(entries)
        self._some.set()

    def reload(self, after: Mark | None) -> None:
        """Forget what is in memory and read from the store what is later than `after`."""
        self._queue.clear()
        self._bytes = 0
        self._cursor = after
        self._behind = True
        self.loads += 1
        self._some.set()

    async def take(self, most: int, wait: float | None = None) -> list[Entry]:
        """The next entries, at least one; none where none came within `wait` seconds."""
        try:
            async with asyncio.timeout(wait):
                await self._fill()
        except TimeoutError:
            return []
        taken = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
        self._bytes -= sum(map(_size, taken))
        self._less.set()
        self._cursor = taken[-1].mark
        return taken

    async def _fill(self) -> None:
        while True:
            self._some.clear()
            if self._behind and not self._queue:
                await self._read()
            if self._queue:
                return
            if not self._behind:
                await self._some.wait()

    async def _read(self) -> None:
        dropped, loads = self._dropped, self.loads
        page = await self._store.outbox(
            self._partition, internal=self._internal, after=self._cursor, limit=_PAGE
        )
        if loads != self.loads:
            return
        self._extend(page)
        if len(page) < _PAGE and dropped == self._dropped:
            self._behind = False
            self._less.set()

    def _full(self, share: float) -> bool:
        entries, size = share * self._most_entries, share * self._most_bytes
        return len(self._queue) >= entries or self._bytes >= size

    def _extend(self, entries: Sequence[Entry]) -> None:
        """Leave out what is known: a commit may be offered just after a read has seen it."""
        last = self._queue[-1].mark if self._queue else self._cursor
        for entry in entries:
            if last is None or entry.mark > last:
                self._queue.append(entry)
                self._bytes += _size(entry)


def _size(entry: Entry) -> int:
    return len(entry.key or b"") + len(entry.value or b"") + _OVERHEAD
