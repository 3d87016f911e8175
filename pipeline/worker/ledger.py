"""Which batches are out, which are done, and up to where a partition may be committed: exact.

Faust's own bookkeeping guesses from offsets and is wrong at gaps; this one remembers what was
delivered. Each seek of a partition opens a new *epoch*; a batch of an earlier epoch is stale: it
is not handled any more and its ack counts for nothing. Used from the app's event loop only.

Between the fetch and its lane Faust may drop a batch, as where a rebalance is over so soon that a
fetch of before it is still under way. What comes behind must not be handled then: a partition of
`segment.events` would take it, and drop what was lost as a repetition when it is read again. So
batches have to come in the order in which they were fetched, without a hole; else the partition
counts as *lost* until it is begun anew.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from faust.types import TP


class Batch(list[Any]):
    """The ConsumerRecords of one partition that came in one fetch, in order."""

    __slots__ = ("done", "epoch", "following", "tp")

    def __init__(self, tp: TP, epoch: int, records: Iterable[Any], following: int) -> None:
        super().__init__(records)
        self.tp = tp
        self.epoch = epoch
        self.following = following
        """Where reading goes on: behind the last record and any transaction marker after it."""
        self.done = False

    def __repr__(self) -> str:  # records carry personal data: never print them
        return f"<Batch {self.tp.topic}[{self.tp.partition}] {self[0].offset}+{len(self)}>"


def together(batches: Sequence[Batch]) -> Batch:
    """Batches of one partition and epoch, in order, as one to handle; each is finished alone."""
    if len(batches) == 1:
        return batches[0]
    first, last = batches[0], batches[-1]
    return Batch(first.tp, first.epoch, chain.from_iterable(batches), last.following)


@dataclass(slots=True)
class _Track:
    epoch: int
    safe: int
    following: int
    """Where the next fetch goes on."""
    out: deque[Batch] = field(default_factory=deque)
    records: int = 0
    """In `out`."""
    closed: bool = False
    lost: bool = False


class Ledger:
    """One track for each partition that is ours and has been given a start."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.frozen = False
        """Set on failure: nothing is handled or committed from then on."""
        self.room = asyncio.Event()
        """Set whenever a partition may take another batch."""
        self._tracks: dict[TP, _Track] = {}
        self._epochs = count(1)

    def begin(self, tp: TP, offset: int) -> int:
        """Start (again) at an offset. Returns the epoch its batches will carry."""
        epoch = next(self._epochs)
        self._tracks[tp] = _Track(epoch, offset, offset)
        self.room.set()
        return epoch

    def places(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        """Of these the epoch, and where the next fetch goes on."""
        return {tp: (self._tracks[tp].epoch, self._tracks[tp].following) for tp in tps}

    def follows(self, tp: TP, epoch: int, since: int) -> bool:
        """Whether a fetch went on where the one before it ended; what that one brought is lost if
        it did not."""
        track = self._tracks.get(tp)
        if track is not None and track.epoch == epoch and track.following != since:
            track.lost = True
        return track is None or not track.lost

    def deliver(self, tp: TP, epoch: int, records: Iterable[Any], following: int) -> Batch | None:
        """Note what a fetch brought; None when there is nothing to hand on."""
        track = self._tracks.get(tp)
        if track is None or track.closed or track.epoch != epoch:
            return None  # fetched before a seek or a revocation: it will be read again
        batch = Batch(tp, epoch, records, following)
        track.following = following
        if batch:
            track.out.append(batch)
            track.records += len(batch)
            return batch
        if track.out:  # only markers: they belong to what came before them
            track.out[-1].following = following
        else:
            track.safe = following
        return None

    def finish(self, batch: Batch) -> None:
        """The work of a batch is done, in whatever order batches end."""
        batch.done = True
        track = self._tracks.get(batch.tp)
        if track is None or track.epoch != batch.epoch:
            return
        while track.out and track.out[0].done:
            first = track.out.popleft()
            track.safe = first.following
            track.records -= len(first)
        self.room.set()

    def runnable(self, batch: Batch) -> bool:
        """Whether the work of a batch may still begin."""
        track = self._tracks.get(batch.tp)
        return (
            not self.frozen
            and track is not None
            and not track.closed
            and not track.lost
            and track.epoch == batch.epoch
        )

    def in_turn(self, batch: Batch, ahead: int) -> bool:
        """Whether so many batches of its partition are out before this one, which is runnable."""
        track = self._tracks[batch.tp]
        track.lost = len(track.out) <= ahead or track.out[ahead] is not batch
        return not track.lost

    def oldest(self) -> dict[TP, Batch]:
        """The first batch that is not done, of each partition that has one."""
        tracks = self._tracks.items()
        return {tp: track.out[0] for tp, track in tracks if track.out and not track.closed}

    def lose(self, tp: TP) -> None:
        """The oldest batch of the partition has not come to its lane."""
        self._tracks[tp].lost = True

    def lost(self) -> dict[TP, int]:
        """Where to read on, of each partition of which something was lost."""
        tracks = self._tracks.items()
        return {tp: track.safe for tp, track in tracks if track.lost and not track.closed}

    def wanted(self, tps: Iterable[TP]) -> set[TP]:
        """Those of the partitions that may take another batch."""
        tracks = self._tracks
        return {
            tp
            for tp in tps
            if (track := tracks.get(tp))
            and not (track.closed or track.lost)
            and track.records < self.depth
        }

    def safe(self, tp: TP) -> int | None:
        """Everything before this offset is done."""
        track = self._tracks.get(tp)
        return None if track is None or self.frozen else track.safe

    def holds(self, tp: TP) -> bool:
        """Whether the partition is ours and open."""
        track = self._tracks.get(tp)
        return track is not None and not track.closed

    def held(self) -> set[TP]:
        """All that are ours and open."""
        return {tp for tp, track in self._tracks.items() if not track.closed}

    def tracked(self) -> list[TP]:
        """Open and closing ones: what a commit looks at."""
        return list(self._tracks)

    def close(self, tps: Iterable[TP]) -> None:
        """Begin nothing more for these; what is in hand may still finish and count."""
        for tp in tps:
            if track := self._tracks.get(tp):
                track.closed = True

    def forget(self, tps: Iterable[TP]) -> None:
        """As if these had never been ours."""
        for tp in tps:
            self._tracks.pop(tp, None)
