"""Mutants of what is published: fences, places, outboxes."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any
from unittest.mock import patch

from faust.types import TP

from pipeline.adapters.kafka_batches import send_all
from pipeline.adapters.kafka_transactions import TransactionalPublisher
from pipeline.names import Names
from pipeline.ports import Entry, Mark, Unsettled
from pipeline.process import outbox, outward
from pipeline.process.outbox import Outbox
from pipeline.process.relay import Relay
from pipeline.worker.partitions import Partitions
from tests.simulation.mutant import mutant, nothing

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
def page_of_before_a_reload_counts() -> Iterator[None]:
    """What was being read when an outbox had to begin anew hides what is before it."""

    async def stale(self: Outbox) -> None:
        page = await self._store.outbox(
            self._partition, internal=self._internal, after=self._cursor, limit=outbox._PAGE
        )
        self._extend(page)
        if len(page) < outbox._PAGE:
            self._behind = False
            self._less.set()

    with patch.object(Outbox, "_read", stale):
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
            await send_all(producer, some)

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

    with patch.object(TransactionalPublisher, "publish", twice):
        yield


@mutant
def outward_trimmed_first() -> Iterator[None]:
    """The outward outbox is trimmed before it is published."""
    publish = outward.OutwardLane._publish

    async def hasty(self: Any, entries: Sequence[Entry]) -> None:
        await self._store.trim(self._partition, internal=False, upto=entries[-1].mark)
        await publish(self, entries)

    with patch.object(outward.OutwardLane, "_publish", hasty):
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

    with patch.object(Outbox, "__init__", empty), patch.object(Outbox, "reload", nothing):
        yield


@mutant
def relay_not_reloaded() -> Iterator[None]:
    """After a refused commit the relay goes on with what it has in memory."""
    with patch.object(Relay, "reload", nothing):
        yield


@mutant
def relay_not_reloaded_when_taking_over() -> Iterator[None]:
    """What a rival commits between the relay's first look and ours is overlooked."""
    positions = Partitions.positions

    async def careless(self: Any, tps: set[TP]) -> Mapping[TP, int]:
        relays = [owned.relay for owned in self._owned.values()]
        for each in relays:
            each.reload = nothing
        try:
            return await positions(self, tps)
        finally:
            for each in relays:
                del each.reload

    with patch.object(Partitions, "positions", careless):
        yield
