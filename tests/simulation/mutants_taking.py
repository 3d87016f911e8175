"""Mutants of the commit: what it compares, where reading goes on, what is taken twice."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

from faust.types import TP

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain import device, fold, seen, subject
from pipeline.domain.entities import Device
from pipeline.domain.messages import Accepted, Answered, Did
from pipeline.names import Names
from pipeline.ports import Change, Mark
from pipeline.process.holdings import Holdings, Overtaken
from pipeline.process.portion import Portion
from pipeline.process.state import StateProcess
from pipeline.worker.lanes import Lanes
from pipeline.worker.ledger import Ledger
from pipeline.worker.partitions import Partitions
from pipeline.worker.strays import Strays
from tests.simulation.mutant import mutant, nothing, nothing_async


class _Unread(dict[str, tuple[int, int]]):
    """Is written and not looked at."""

    def get(self, *_: Any) -> None:  # type: ignore[override]
        return None


# the commit, and where reading goes on


@mutant
def commit_compares_nothing() -> Iterator[None]:
    """Whoever commits last is right."""
    commit = MemoryStore.commit

    async def blind(self: Any, partition: int, _: Mark | None, change: Change) -> bool:
        return await commit(self, partition, self._of(partition).watermark, change)

    with patch.object(MemoryStore, "commit", blind):
        yield


@mutant
def overtaken_is_ignored() -> Iterator[None]:
    """A refused commit is taken for one that worked."""
    commit = Holdings.commit

    async def bold(self: Any, change: Change) -> None:
        try:
            await commit(self, change)
        except Overtaken:
            self.watermark = change.watermark

    with patch.object(Holdings, "commit", bold):
        yield


@mutant
def cache_kept() -> Iterator[None]:
    """After a refused commit the entities in memory stay."""
    start = Holdings.open

    async def attached(self: Any) -> None:
        kept = dict(self.entities)
        await start(self)
        self.entities.update(kept)

    with patch.object(Holdings, "open", attached):
        yield


@mutant
def ledger_kept() -> Iterator[None]:
    """... or what is known of positions and log time stays."""
    start = Holdings.open

    async def attached(self: Any) -> None:
        ledger = self.ledger
        await start(self)
        if ledger.log_time:
            self.ledger = ledger

    with patch.object(Holdings, "open", attached):
        yield


@mutant
def no_rewind() -> Iterator[None]:
    """After a refused commit reading goes on where it was."""
    apply = Partitions.apply

    async def onward(self: Any, _: Any, partition: int, records: Sequence[Any]) -> None:
        await apply(self, nothing_async, partition, records)

    with patch.object(Partitions, "apply", onward):
        yield


@mutant
def committed_offset_decides() -> Iterator[None]:
    """Reading begins where the group committed, not at the store's watermark."""
    positions = Partitions.positions

    async def none(self: Any, tps: set[TP]) -> Mapping[TP, int]:
        await positions(self, tps)
        return {}

    with (
        patch.object(Partitions, "positions", none),
        patch.object(StateProcess, "_see_gap", nothing),
    ):
        yield


@mutant
def reads_of_any_watermark() -> Iterator[None]:
    """What is read may be of a rival's commit, which Redis may forget before ours."""
    with patch.object(Holdings, "_see", nothing):
        yield


@mutant
def no_audit() -> Iterator[None]:
    """A Redis that forgets while nothing comes in goes unnoticed."""
    with patch.object(Partitions, "audit", nothing_async):
        yield


@mutant
def gap_asked_for_once_only() -> Iterator[None]:
    """A second gap at a watermark is believed, also where reading went back in between."""
    apply = StateProcess.apply

    async def trusting(self: Any, records: Sequence[Any]) -> None:
        believed = self._behind_gap
        try:
            await apply(self, records)
        finally:
            self._behind_gap = self._behind_gap or believed

    with patch.object(StateProcess, "apply", trusting):
        yield


# taking things once


@mutant
def positions_not_compared() -> Iterator[None]:
    """A record that comes again is taken again."""
    take = Portion.take

    def again(self: Any, *args: Any) -> None:
        self.ledger.taken = _Unread(self.ledger.taken)
        take(self, *args)

    with patch.object(Portion, "take", again):
        yield


@mutant
def offered_is_due() -> Iterator[None]:
    """A device decides what it has offered, too: the person may have it by now."""

    def due(entity: Any) -> int | None:
        if isinstance(entity, Device):
            return subject.due(entity.profile)
        return asked(entity)

    asked = fold.due
    with patch.object(fold, "due", due):
        yield


@mutant
def only_events_wait_for_the_answer() -> Iterator[None]:
    """What a device is asked while it has offered all it did is answered by what it had."""
    take = device.take

    def eager(at: Device, ref: Any, message: Any, turn: Any) -> None:
        if at.asking and not isinstance(message, Did | Accepted | Answered):
            device._take(at, ref, message, turn)
        else:
            take(at, ref, message, turn)

    with patch.object(device, "take", eager):
        yield


@mutant
def message_ids_not_compared() -> Iterator[None]:
    """A producer's retry is another event."""
    with patch.object(seen.Seen, "repeats", lambda *_: False):
        yield


@mutant
def normalize_commits_first() -> Iterator[None]:
    """A raw record counts as done before what it became is published."""
    put = Lanes.put

    def early(self: Any, event: Any) -> None:
        if event.value.tp.topic == Names().raw:
            event.ack()
        put(self, event)

    with patch.object(Lanes, "put", early):
        yield


@mutant
def strays_are_forgotten() -> Iterator[None]:
    """What Faust drops is not read again before what stands behind it is handled."""
    with (
        patch.object(Ledger, "in_turn", lambda *_: True),
        patch.object(Strays, "look", lambda *_: {}),
    ):
        yield


@mutant
def stale_batches_handled() -> Iterator[None]:
    """A batch that was fetched before reading went back is handled after it."""
    with patch.object(Ledger, "runnable", lambda self, _: not self.frozen):
        yield
