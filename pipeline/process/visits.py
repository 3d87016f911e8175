"""A visit: every entity that waits for something is shown the rulebook that came into force.

It is worked off in bounded commits, each of which moves the watermark's index within the record.
Cut off in the middle it begins anew, with the shelf as it was before: entities that were visited
give nothing more, the others stand in the same order, so what follows has the same marks.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from pipeline.ports import Change, Mark
from pipeline.process.holdings import Halted, Holdings, named
from pipeline.process.portion import Place, Portion
from pipeline.wire.state import entity_key

Commit: TypeAlias = Callable[[Portion, Change], Awaitable[None]]


async def visit(
    held: Holdings, offset: int, bound: int, new_portion: Callable[[], Portion], commit: Commit
) -> None:
    """Visit all at the ledger's log time, for the record at `offset`.

    `bound`: of how many entities one commit may be. Raises `Overtaken`, or `Halted` where an entity
    can't be visited: nothing of its commit is written.
    """
    at = held.watermark
    nth = at.index if at is not None and at.offset == offset else 0
    keys = await held.waiting()
    for first in range(0, len(keys), bound):
        held.trim()
        portion = new_portion()
        for ref in await held.loaded(keys[first : first + bound], offset):
            try:
                nth = portion.visit(ref, offset, nth, held.ledger.log_time)
            except Exception as error:
                raise failed("a visit", held.place, offset, error, entity_key(ref)) from error
        if portion.touched:
            await commit(portion, change_of("a visit", portion, Mark(offset, nth)))


def change_of(what: str, portion: Portion, watermark: Mark) -> Change:
    """As one commit. Raises `Halted` where it can't be written."""
    try:
        return portion.change(watermark)
    except Exception as error:
        raise failed(what, portion.place, watermark.offset, error) from error


def failed(what: str, place: Place, offset: int, error: Exception, key: bytes = b"") -> Halted:
    """What goes through many entities can't be put aside: all of it would be lost."""
    whose = f" for entity {named(key)}" if key else ""
    return Halted(
        f"{place.log} at {offset}: {what} failed with {type(error).__name__}{whose};"
        " nothing of it was written: run a version that can decide it"
    )
