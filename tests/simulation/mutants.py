"""The product broken on purpose, in this process only: what the simulation is good for.

Each mutant is a context manager that replaces a few methods. `test_simulation.py` shows which are
found; a promise of README hangs on each.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

from faust.types import TP

from pipeline.adapters.kafka_transactions import TransactionalPublisher
from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain import firing, seen
from pipeline.ports import Change, Entry, Mark, Unsettled
from pipeline.process import barrier, relay
from pipeline.process.barrier import Barrier
from pipeline.process.holdings import Holdings, Overtaken
from pipeline.process.outbox import Outbox
from pipeline.process.portion import Portion
from pipeline.process.relay import Relay
from pipeline.process.state import StateProcess
from pipeline.settings import Names
from pipeline.worker.lanes import Lanes
from pipeline.worker.ledger import Ledger
from pipeline.worker.partitions import Partitions

Mutant = Callable[[], AbstractContextManager[Any]]
MUTANTS: dict[str, Mutant] = {}


def mutant(make: Callable[[], Iterator[None]]) -> Mutant:
    made = contextmanager(make)
    MUTANTS[make.__name__] = made
    return made


# publishing outward


@mutant
def no_fence() -> Iterator[None]:
    """Every producer has a transactional id of its own: nobody is fenced."""
    number = count()
    name = Names.transactional_id

    def unique(self: Names, partition: int) -> str:
        return f"{name(self, partition)}-{next(number)}"

    with patch.object(Names, "transactional_id", unique):
        yield


@mutant
def place_not_asked() -> Iterator[None]:
    """Whoever takes over publishes all that is in the outbox."""
    start = TransactionalPublisher.open

    async def forgetful(self: Any) -> None:
        await start(self)
        self._place = None

    with patch.object(TransactionalPublisher, "open", forgetful):
        yield


@mutant
def unsettled_is_done() -> Iterator[None]:
    """A publish whose outcome nobody knows is taken for one that worked."""
    publish = TransactionalPublisher.publish

    async def hopeful(self: Any, entries: Sequence[Entry]) -> None:
        try:
            await publish(self, entries)
        except Unsettled:
            await self.open()

    with patch.object(TransactionalPublisher, "publish", hopeful):
        yield


@mutant
def unsettled_is_repeated() -> Iterator[None]:
    """... or for one that did not: it is sent again without asking for the place."""
    publish = TransactionalPublisher.publish

    async def stubborn(self: Any, entries: Sequence[Entry]) -> None:
        try:
            await publish(self, entries)
        except Unsettled:
            await self.open()
            self._place = None
            await publish(self, entries)

    with patch.object(TransactionalPublisher, "publish", stubborn):
        yield


@mutant
def place_apart() -> Iterator[None]:
    """The place is written in a transaction of its own, after the records."""
    publish = TransactionalPublisher.publish

    async def twice(self: Any, entries: Sequence[Entry]) -> None:
        send, place = self._send, self.place

        async def records_only(producer: Any, some: Sequence[Entry], _: Mark) -> None:
            await relay_send(producer, some)

        if entries:
            self._send = records_only

            async def pretended() -> Mark:
                return entries[-1].mark

            self.place = pretended
            try:
                await publish(self, entries)
            finally:
                self._send, self.place = send, place
        await publish(self, [])

    async def relay_send(producer: Any, entries: Sequence[Entry]) -> None:
        from pipeline.adapters.kafka_batches import send_all

        await send_all(producer, entries)

    with patch.object(TransactionalPublisher, "publish", twice):
        yield


@mutant
def outward_trimmed_first() -> Iterator[None]:
    """The outward outbox is trimmed before it is published."""
    publish = relay._OutwardLane._publish

    async def hasty(self: Any, entries: Sequence[Entry]) -> None:
        await self._store.trim(self._partition, internal=False, upto=entries[-1].mark)
        await publish(self, entries)

    with patch.object(relay._OutwardLane, "_publish", hasty):
        yield


# publishing inward


@mutant
def internal_trimmed_first() -> Iterator[None]:
    """The internal outbox is trimmed before it is published."""
    take = Outbox.take

    async def hasty(self: Any, most: int, wait: float | None = None) -> list[Entry]:
        taken = await take(self, most, wait)
        if taken and self._internal:
            await self._store.trim(self._partition, internal=True, upto=taken[-1].mark)
        return taken

    with patch.object(Outbox, "take", hasty):
        yield


@mutant
def outboxes_not_read_at_the_start() -> Iterator[None]:
    """Only what this process commits is published, not what it finds."""
    init = Outbox.__init__

    def empty(self: Any, *args: Any, **more: Any) -> None:
        init(self, *args, **more)
        self._behind = False

    with patch.object(Outbox, "__init__", empty), patch.object(Outbox, "reload", _nothing):
        yield


@mutant
def relay_not_reloaded() -> Iterator[None]:
    """After a refused commit the relay goes on with what it has in memory."""
    with patch.object(Relay, "reload", _nothing):
        yield


@mutant
def relay_not_reloaded_when_taking_over() -> Iterator[None]:
    """What a rival commits between the relay's first look and ours is overlooked."""
    positions = Partitions.positions

    async def careless(self: Any, tps: set[TP]) -> Mapping[TP, int]:
        relays = [owned.relay for owned in self._owned.values()]
        for each in relays:
            each.reload = _nothing
        try:
            return await positions(self, tps)
        finally:
            for each in relays:
                del each.reload

    with patch.object(Partitions, "positions", careless):
        yield


# the barrier


@mutant
def fires_on_the_clock() -> Iterator[None]:
    """Ticks without waiting for anything."""
    with (
        patch.object(Barrier, "_normalized", _nothing_async),
        patch.object(Barrier, "_settled", _progress),
    ):
        yield


@mutant
def barrier_without_normalize() -> Iterator[None]:
    """The barrier waits for the state agents only."""
    with patch.object(Barrier, "_normalized", _nothing_async):
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
def tick_trusts_the_clock() -> Iterator[None]:
    """A tick is as late as the leader says, not at most as late as the brokers."""
    take = StateProcess._tick

    async def trusting(self: Any, record: Any, time: int) -> None:
        from pipeline.wire.records import decode

        await take(self, record, decode(record.value).time)  # type: ignore[union-attr]

    with patch.object(StateProcess, "_tick", trusting):
        yield


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
        await apply(self, _nothing_async, partition, records)

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
        patch.object(StateProcess, "_see_gap", _nothing),
    ):
        yield


@mutant
def no_audit() -> Iterator[None]:
    """A Redis that forgets while nothing comes in goes unnoticed."""
    with patch.object(Partitions, "audit", _nothing_async):
        yield


# taking things once


@mutant
def positions_not_compared() -> Iterator[None]:
    """A record that comes again is taken again."""
    with patch.object(Portion, "_is_new", lambda *_: True):
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
def stale_batches_handled() -> Iterator[None]:
    """A batch that was fetched before reading went back is handled after it."""
    with patch.object(Ledger, "runnable", lambda self, _: not self.frozen):
        yield


# sameness


@mutant
def marks_by_the_portion() -> Iterator[None]:
    """Marks depend on how the log was cut into portions."""
    collect = Portion._collect

    def counted(self: Any, turn: Any, offset: int, nth: int) -> int:
        return collect(self, turn, offset, nth + len(self.internal) + len(self.outward))

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

    async def back(self: Any, record: Any, time: int) -> None:
        self._held.ledger.clock = 0
        await take(self, record, time)

    with patch.object(StateProcess, "_tick", back):
        yield


# the rules


@mutant
def consent_not_asked() -> Iterator[None]:
    """Promise 2."""
    with patch.object(firing, "_judged", lambda _, attempt, *__: (attempt, None)):
        yield


def _nothing(*_: Any, **__: Any) -> None:
    """Does nothing."""


async def _nothing_async(*_: Any, **__: Any) -> None:
    """Does nothing."""


async def _progress(self: Any) -> Mapping[int, Any]:
    found: Mapping[int, Any] = await self._store.progress(self._partitions)
    return found
