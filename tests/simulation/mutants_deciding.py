"""Mutants of the barrier, of time, of what a replay must find again, of consent."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

from pipeline.domain import firing
from pipeline.domain.messages import HOPS
from pipeline.ports import Progress
from pipeline.process import barrier, state
from pipeline.process.barrier import Barrier
from pipeline.process.portion import Portion
from pipeline.process.state import PORTION_MAX, StateProcess
from pipeline.process.ticks import Passing, tick
from tests.simulation.mutant import mutant, nothing_async

# the barrier


@mutant
def fires_on_the_clock() -> Iterator[None]:
    """Ticks without waiting for anything."""
    with (
        patch.object(Barrier, "_normalized", nothing_async),
        patch.object(Barrier, "_settled", _progress),
    ):
        yield


@mutant
def barrier_without_normalize() -> Iterator[None]:
    """The barrier waits for the state agents only."""
    with patch.object(Barrier, "_normalized", nothing_async):
        yield


@mutant
def barrier_without_hops() -> Iterator[None]:
    """One round: what records cause is not waited for."""
    with patch.object(barrier, "HOPS", 1):
        yield


@mutant
def barrier_without_outboxes() -> Iterator[None]:
    """What is taken counts, whether or not what it caused is in the log."""
    with patch.object(barrier, "_passed", lambda progress, end: progress.watermark.offset >= end):
        yield


@mutant
def barrier_ends_a_round_too_early() -> Iterator[None]:
    """It goes by records of one depth more than those that the round has added."""
    caused = barrier._caused

    def early(progress: Progress, depth: int, since: int) -> bool:
        return caused(progress, min(depth + 1, HOPS - 1), since)

    with patch.object(barrier, "_caused", early):
        yield


@mutant
def tick_trusts_the_clock() -> Iterator[None]:
    """A tick is as late as the leader says, not at most as late as the brokers."""

    async def trusting(self: Any, record: Any, control: Any) -> None:
        passing = Passing(record.offset, control.time, control.most)
        last = state._taken(record)
        await tick(self._held, passing, last, PORTION_MAX, self._portion, self._commit)

    with patch.object(StateProcess, "_tick", trusting):
        yield


# sameness


@mutant
def marks_by_the_portion() -> Iterator[None]:
    """Marks depend on how the log was cut into portions."""
    collect = Portion._collect

    def counted(self: Any, turn: Any, offset: int, nth: int, depth: int = 0) -> int:
        return collect(self, turn, offset, nth + len(self.internal) + len(self.outward), depth)

    with patch.object(Portion, "_collect", counted):
        yield


@mutant
def ticks_at_the_end_of_the_portion() -> Iterator[None]:
    """What a record is judged at is the time of the portion's last record, not its own."""
    folded = StateProcess._folded

    async def late(self: Any, records: Sequence[Any]) -> Any:
        ledger = self._held.ledger
        ledger.log_time = max(ledger.log_time, records[-1][0].timestamp)
        return await folded(self, records)

    with patch.object(StateProcess, "_folded", late):
        yield


@mutant
def old_ticks_count() -> Iterator[None]:
    """A stale leader's tick takes the partition's clock back."""
    take = StateProcess._tick

    async def back(self: Any, record: Any, control: Any) -> None:
        self._held.ledger.clock = 0
        await take(self, record, control)

    with patch.object(StateProcess, "_tick", back):
        yield


# the rules


@mutant
def consent_not_asked() -> Iterator[None]:
    """Promise 2."""
    with patch.object(firing, "_judged", lambda _, attempt, *__: (attempt, None)):
        yield


async def _progress(self: Any) -> Mapping[int, Any]:
    found: Mapping[int, Any] = await self._store.progress(self._partitions)
    return found
