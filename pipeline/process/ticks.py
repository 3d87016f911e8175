"""Ticks: what is due at an instant is decided, oldest first.

A tick can't be put aside: all that was due at it would be lost with it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipeline.domain.refs import Ref
from pipeline.ports import Mark
from pipeline.process.holdings import Holdings
from pipeline.process.portion import Portion
from pipeline.process.visits import Commit, change_of, failed
from pipeline.wire.state import entity_key


class Passing(NamedTuple):
    """The record at `offset` lets time pass up to an instant (ms), and how far it may reach.

    `most`: of so many entities at most, the others stay due for the next tick; 0: of all.
    """

    offset: int
    time: int
    most: int


async def tick(
    held: Holdings,
    passing: Passing,
    last: tuple[int, bytes],
    bound: int,
    new_portion: Callable[[], Portion],
    commit: Commit,
) -> None:
    """Decide what is due: in one commit where `most` bounds it, else in as many as it takes, of
    `bound` entities each, which the watermark counts.

    An earlier instant than the last one decides nothing. `last` tells the record from any other.
    Raises `Overtaken`, or `Halted` where an entity can't be decided: nothing of its commit is
    written.
    """
    offset, time, most = passing
    at, ledger = held.watermark, held.ledger
    nth = at.index if at is not None and at.offset == offset else 0
    bound, more = most or bound, time >= ledger.clock
    while True:
        due = await held.due(time, offset, bound) if more else []
        more = not most and len(due) == bound
        portion = new_portion()
        caused = _decided(portion, due, offset, nth, time)
        if not more:
            break
        nth = max(caused, nth + 1)
        await commit(portion, change_of("a tick", portion, Mark(offset, nth)))
    ledger.clock = max(time, ledger.clock)
    ledger.log_time = max(time, ledger.log_time)
    ledger.last = last
    await commit(portion, change_of("a tick", portion, Mark(offset + 1, 0)))


def _decided(portion: Portion, due: Sequence[Ref], offset: int, nth: int, time: int) -> int:
    for ref in due:
        try:
            nth = portion.tick(ref, offset, nth, time)
        except Exception as error:
            raise failed("a tick", portion.place, offset, error, entity_key(ref)) from error
    return nth
