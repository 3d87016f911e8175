"""Putting a rulebook in force through the log, and what is in force.

Two phases: every partition knows the rulebook before any decides by it, since a wait that moves
to another partition takes its version along.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.domain.versions import Ruling
from pipeline.ports import Clock, Log, Store
from pipeline.process.shelf import put_in_force
from pipeline.rulebook.changes import decides, journeys_of
from pipeline.rulebook.load import Document
from pipeline.wire.records import Announce, Control, Enforce, encode_control
from pipeline.wire.state import SHELF_KEY, Shelf, decode_shelf

_PAUSE = 0.1


@dataclass(slots=True)
class InForce:
    """The shelf of every partition, as the store has them."""

    shelves: dict[int, Shelf] = field(default_factory=dict)

    @property
    def shelf(self) -> Shelf:
        """Partition 0's, which stands for all."""
        return self.shelves.get(0) or Shelf()

    @property
    def digest(self) -> str | None:
        """Of the rulebook in force; None where there is none."""
        return self.shelf.current

    @property
    def document(self) -> Document:
        """The rulebook in force; an empty document where there is none."""
        return self.shelf.documents.get(self.shelf.current or "", {})

    def everywhere(self, digest: str) -> bool:
        """Whether every partition decides by this one."""
        return all(shelf.current == digest for shelf in self.shelves.values())

    def ruled(self, rulings: Mapping[str, Ruling]) -> bool:
        """Whether every partition knows these rulings already."""
        return all(
            shelf.rulings.get(name, Ruling()).also(ruling) == shelf.rulings.get(name, Ruling())
            for shelf in self.shelves.values()
            for name, ruling in rulings.items()
        )

    def differing(self) -> list[int]:
        """The partitions that decide by another one than partition 0."""
        return [n for n, shelf in self.shelves.items() if shelf.current != self.digest]

    def take(self, controls: Iterable[Control]) -> None:
        """Count in what stands in the log and no worker has taken yet."""
        for control in controls:
            for shelf in self.shelves.values():
                if isinstance(control, Announce):
                    shelf.documents[control.digest] = control.document
                elif isinstance(control, Enforce) and control.digest in shelf.documents:
                    put_in_force(shelf, control, 0)


def taken_versions(known: Iterable[Document], new: Document) -> dict[str, int]:
    """The journeys whose version stands for something else in a rulebook that was once in force.

    Waits may be pinned to it still. By name, with the highest version that is taken.
    """
    mine = journeys_of(new)
    versions: dict[str, int] = {}
    clashing: set[str] = set()
    for document in known:
        for name, old in journeys_of(document).items():
            versions[name] = max(old["version"], versions.get(name, 0))
            one = mine.get(name, old)
            if old["version"] == one["version"] and decides(old) != decides(one):
                clashing.add(name)
    return {name: versions[name] for name in clashing}


def ruled_versions(shelf: Shelf, new: Document) -> dict[str, int]:
    """The journeys under a version whose waits were dropped or re-evaluated: what it opened now
    would be, too.

    By name, with the highest version that was.
    """
    below = {name: max(ruling) for name, ruling in shelf.rulings.items()}
    return {
        name: below[name] - 1
        for name, made in journeys_of(new).items()
        if made["version"] < below.get(name, 0) and made.get("status") != "retired"
    }


async def in_force(store: Store, partitions: int) -> InForce:
    """Read the shelves of all partitions."""
    found = await asyncio.gather(*(store.load(n, [SHELF_KEY]) for n in range(partitions)))
    return InForce({n: decode_shelf(shelf) for n, (shelf,) in enumerate(found)})


async def apply_rulebook(
    document: Document,
    digest: str,
    log: Log,
    partitions: int,
    rulings: Mapping[str, Ruling] | None = None,
) -> Mapping[int, int]:
    """Announce to every partition, then enforce in every one, with what becomes of open waits.

    Returns by partition the watermark from which on it is in force there.
    """
    for control in (Announce(digest, document), Enforce(digest, dict(rulings or {}))):
        value = encode_control(control)
        await asyncio.gather(*(log.append(number, value) for number in range(partitions)))
    return await log.event_ends()


async def wait_taken(
    store: Store, ends: Mapping[int, int], clock: Clock, *, seconds: float
) -> list[int]:
    """Wait until the watermarks have reached `ends`; returns the partitions that have not."""
    deadline = clock.now() + int(seconds * 1000)
    while True:
        progress = await store.progress(ends)
        behind = [n for n, end in ends.items() if progress[n].watermark.offset < end]
        if not behind or clock.now() >= deadline:
            return behind
        await clock.sleep(_PAUSE)
