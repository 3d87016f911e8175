"""What a partition's process holds of the store: its place, ledger and rulebooks, and a cache.

Nothing here decides. Bytes that can't be read halt the partition: they are never overwritten.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from pipeline.domain.entities import Entity
from pipeline.domain.refs import Ref
from pipeline.domain.turn import Rules
from pipeline.ports import Change, Mark, Store
from pipeline.process.portion import Place
from pipeline.process.shelf import RulesOf, rules_of
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

CACHE_MAX: Final = 50_000
"""Entities kept decoded, of all partitions of a worker together: some 9 KB each."""

END_OF_TIME: Final = 2**52
"""An instant (ms) after all others that still is exact as a score of Redis."""

_PAGE: Final = 10_000
_UNREADABLE: Final = (
    "it is left as it is: run the version that wrote it, or restore a backup, or run"
    " `pipeline worker --rebuild`"
)


class Overtaken(Exception):
    """The store stands elsewhere than this process thought; read on from its watermark."""


class Halted(Exception):
    """Going on would do harm; the message says what to look at."""


class Holdings:
    """Of one partition. Not for use by two tasks at once."""

    def __init__(
        self,
        place: Place,
        store: Store,
        rules_of_: RulesOf | None,
        keeps: Callable[[], int],
    ) -> None:
        """`keeps` tells how many entities may stay at the moment."""
        self.place = place
        self._rules_of = rules_of_
        self._keeps = keeps
        self.watermark: Mark | None = None
        self.ledger = Ledger()
        self.shelf = Shelf()
        self.rules = Rules()
        self.entities: OrderedDict[Ref, Entity | None] = OrderedDict()
        """Those that are loaded; None for one that there is not."""
        self._store = store

    async def open(self) -> None:
        """Read where the store stands. Raises `Halted` where what it has can't be gone on with."""
        partition, log = self.place.partition, self.place.log
        self.entities.clear()
        self.watermark, (ledger, shelf) = await self._store.load_at(
            partition, [LEDGER_KEY, SHELF_KEY]
        )
        if (self.watermark is None) != (ledger is None):
            raise Halted(
                f"{log}: Redis has lost a part of this partition's state (evicted or removed"
                " keys): restore a backup, or run `pipeline worker --rebuild`"
            )
        try:
            self.ledger, self.shelf = decode_ledger(ledger), decode_shelf(shelf)
        except UnreadableState as error:
            raise Halted(f"{log}: {error} (ledger or rulebooks): {_UNREADABLE}") from error
        self.enforce()

    def enforce(self) -> None:
        """Let the shelf's rulebook decide."""
        try:
            self.rules = (self._rules_of or rules_of)(self.shelf)
        except Exception as error:
            raise Halted(
                f"{self.place.log}: this code can't read a rulebook that was applied"
                f" ({type(error).__name__}): run the version that applied it, or a newer one"
            ) from error

    async def load(self, refs: Iterable[Ref], offset: int) -> None:
        """Have these among the entities; `offset` is that of the record that needs them."""
        wanted: list[Ref] = []
        for ref in refs:
            if ref in self.entities:
                self.entities.move_to_end(ref)
            else:
                wanted.append(ref)
        if not wanted:
            return
        keys = [entity_key(ref) for ref in wanted]
        values = await self._load(keys)
        for ref, key, value in zip(wanted, keys, values, strict=True):
            self.entities[ref] = None if value is None else self._read(value, key, offset)[1]

    async def due(self, time: int, offset: int, limit: int) -> list[Ref]:
        """The entities that are due, oldest first, loaded."""
        return await self.loaded(await self._due(time, limit), offset)

    async def waiting(self) -> list[bytes]:
        """The keys of all that is due at any time, in the order of `due`."""
        keys: list[bytes] = []
        while len(page := await self._due(END_OF_TIME, _PAGE, skip=len(keys))) == _PAGE:
            keys += page
        return keys + page

    async def _load(self, keys: list[bytes]) -> list[bytes | None]:
        watermark, values = await self._store.load_at(self.place.partition, keys)
        self._see(watermark)
        return values

    async def _due(self, time: int, limit: int, skip: int = 0) -> list[bytes]:
        watermark, keys = await self._store.due_at(self.place.partition, time, limit, skip)
        self._see(watermark)
        return keys

    def _see(self, watermark: Mark | None) -> None:
        """That what was read is of where this process stands, and not of a rival's next commit.

        The commit would compare the same; but a store that forgot that commit in between is where
        this process thinks it is, and would take what was folded of it.
        """
        if watermark != self.watermark:
            raise Overtaken(self.place.log)

    async def loaded(self, keys: list[bytes], offset: int) -> list[Ref]:
        """The entities of these keys that there are, loaded, in this order."""
        values = await self._load(keys)
        refs: list[Ref] = []
        for key, value in zip(keys, values, strict=True):
            if value is not None:
                ref, entity = self._read(value, key, offset)
                refs.append(ref)
                self.entities.setdefault(ref, entity)
        return refs

    def _read(self, value: bytes, key: bytes, offset: int) -> tuple[Ref, Entity]:
        try:
            ref, entity = decode_entity(value)
        except UnreadableState as error:
            raise Halted(f"{self._at(offset, key)}: {error}: {_UNREADABLE}") from error
        if entity_key(ref)[:2] != key[:2]:
            raise Halted(f"{self._at(offset, key)}: it is of kind {ref.kind}: {_UNREADABLE}")
        return ref, entity

    def _at(self, offset: int, key: bytes) -> str:
        return f"{self.place.log} at {offset}: entity {named(key)}"

    async def commit(self, change: Change) -> None:
        """Write a change and the ledger. Raises `Overtaken` where the store stands elsewhere."""
        change.entities[LEDGER_KEY] = encode_own(self.ledger)
        change.causes = tuple(self.ledger.causes)
        if not await self._store.commit(self.place.partition, self.watermark, change):
            raise Overtaken(self.place.log)
        self.watermark = change.watermark
        self.trim()

    def trim(self) -> None:
        """Let go of what was not used for longest; not between folding and the commit."""
        most = self._keeps()
        while len(self.entities) > most:
            self.entities.popitem(last=False)


def named(key: bytes) -> str:
    """An entity's key as text: its kind and a digest."""
    return f"{key[:2].decode()}:{key[3:].hex()}"
