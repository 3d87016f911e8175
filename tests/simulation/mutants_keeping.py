"""Mutants of what is kept and of the ways there: positions, ticks, the barrier's view, lanes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

from pipeline.adapters.kafka_transactions import TransactionalPublisher
from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.refs import Ref
from pipeline.ports import Change, Entry, Mark, Progress
from pipeline.process import state
from pipeline.process.barrier import Barrier
from pipeline.process.holdings import Holdings
from pipeline.process.outward import OutwardLane
from pipeline.process.portion import Portion
from pipeline.process.ticks import tick
from pipeline.worker.ledger import Batch, Ledger
from tests.simulation.mutant import mutant
from tests.simulation.mutants_changing import _Blind
from tests.simulation.redis import Server

# the relay


@mutant
def place_one_too_early() -> Iterator[None]:
    """The place that goes along is that before the last record: whoever takes over repeats it."""
    send = TransactionalPublisher._send

    async def short(self: Any, producer: Any, entries: Sequence[Entry], place: Mark) -> None:
        await send(self, producer, entries, entries[-2].mark if len(entries) > 1 else place)

    with patch.object(TransactionalPublisher, "_send", short):
        yield


@mutant
def place_one_too_late() -> Iterator[None]:
    """Whoever takes over passes over what one record caused next behind the place."""
    start = OutwardLane._open

    async def late(self: OutwardLane) -> None:
        await start(self)
        if self.place is not None:
            self.place = Mark(self.place.offset, self.place.index + 1)

    with patch.object(OutwardLane, "_open", late):
        yield


# ticks and commits


@mutant
def tick_restarts_its_marks() -> Iterator[None]:
    """One that was cut off counts its marks from the beginning again."""

    async def restarted(held: Holdings, *args: Any) -> None:
        await tick(_Blind(held), *args)  # type: ignore[arg-type]

    with patch.object(state, "tick", restarted):
        yield


@mutant
def tick_ends_after_the_first_commit() -> Iterator[None]:
    """What is due beyond one commit waits until something else is."""

    async def short(held: Holdings, passing: Any, last: Any, bound: int, *rest: Any) -> None:
        await tick(held, passing._replace(most=passing.most or bound), last, bound, *rest)

    with patch.object(state, "tick", short):
        yield


@mutant
def newest_is_decided_first() -> Iterator[None]:
    """Of more than a tick decides the oldest is the last."""
    due = Holdings.due

    async def newest(self: Holdings, time: int, offset: int, limit: int) -> list[Ref]:
        return (await due(self, time, offset, 1 << 30))[-limit:]

    with patch.object(Holdings, "due", newest):
        yield


@mutant
def watermark_without_its_index() -> Iterator[None]:
    """The store keeps the record of a watermark, and not how far in it a tick has come."""
    commit = MemoryStore.commit

    async def coarse(self: Any, partition: int, expected: Mark | None, change: Change) -> bool:
        done = await commit(self, partition, expected, change)
        if done:
            self._of(partition).watermark = Mark(change.watermark.offset, 0)
        return done

    with patch.object(Server, "commit", coarse):
        yield


@mutant
def due_entry_kept_of_what_is_gone() -> Iterator[None]:
    """What has nothing due any more keeps the instant it had."""
    change = Portion.change

    def stale(self: Portion, watermark: Mark) -> Change:
        made = change(self, watermark)
        made.due = {key: due for key, due in made.due.items() if due is not None}
        return made

    with patch.object(Portion, "change", stale):
        yield


@mutant
def positions_by_offset_only() -> Iterator[None]:
    """Of what one record causes in a partition only the first is taken."""
    take = Portion.take

    def coarse(self: Portion, record: Any, offset: int, log_time: int) -> None:
        position = record.position
        last = position and self.ledger.taken.get(position.log)
        if last and position.offset == last[0] and position.nth > last[1]:
            return
        take(self, record, offset, log_time)

    with patch.object(Portion, "take", coarse):
        yield


# the barrier


@mutant
def barrier_sees_one_raw_partition() -> Iterator[None]:
    """It waits for normalize in the first raw partition, as if the others were as far."""
    normalized = Barrier._normalized

    async def narrow(self: Barrier, ends: Mapping[tuple[str, int], int]) -> None:
        await normalized(self, {place: end for place, end in ends.items() if place[1] == 0})

    with patch.object(Barrier, "_normalized", narrow):
        yield


@mutant
def barrier_overlooks_a_partition() -> Iterator[None]:
    """It does not wait for the last partition's state process."""
    taken = Barrier._taken

    async def narrow(
        self: Barrier,
        ends: Mapping[int, int],
        waiting: set[int],
        progress: dict[int, Progress],
    ) -> None:
        progress.update(await self._store.progress(self._partitions))
        await taken(self, ends, waiting - {max(self._partitions)} or {0}, progress)

    with patch.object(Barrier, "_taken", narrow):
        yield


# lanes


@mutant
def any_batch_done_is_safe() -> Iterator[None]:
    """A batch that is done counts, though one before it is not."""
    finish = Ledger.finish

    def hasty(self: Ledger, batch: Batch) -> None:
        finish(self, batch)
        track = self._tracks.get(batch.tp)
        if track is not None and track.epoch == batch.epoch:
            track.safe = max(track.safe, batch.following)

    with patch.object(Ledger, "finish", hasty):
        yield


@mutant
def fetched_before_a_seek_is_delivered() -> Iterator[None]:
    """What was fetched of another epoch goes to its lane as if it were of this one."""
    deliver = Ledger.deliver

    def lax(self: Ledger, tp: Any, epoch: int, records: Any, following: int) -> Batch | None:
        track = self._tracks.get(tp)
        return deliver(self, tp, track.epoch if track else epoch, records, following)

    with patch.object(Ledger, "deliver", lax):
        yield
