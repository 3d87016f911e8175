"""Faust's consumer, with one message a partition batch and offsets that are exact.

Overrides private names of faust-streaming 0.15; tests/worker/test_transport_contract.py holds them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from faust.types.transports import TPorTopicSet

from pipeline.worker.ledger import Batch
from pipeline.worker.logs import logger
from pipeline.worker.options import EARLIEST
from pipeline.worker.shared import Shared
from pipeline.worker.strays import Strays
from pipeline.worker.thread import BatchThread

WAIT = 0.25  # of a fetch; also how late a lone transaction marker is noticed
WAIT_WHILE_FULL = 0.05  # of a fetch that leaves out partitions which may soon have room


class _NoReadOffsets(dict[TP, int | None]):
    """Faust drops messages below the highest offset seen, and so what is read again after a
    seek. Epochs do this better: remember nothing."""

    def __getitem__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        pass


class BatchConsumer(driver.Consumer):
    """Reads batches, commits what the ledger says, hands partitions to the hooks."""

    _thread: BatchThread

    def __init__(self, transport: Any, *args: Any, **kwargs: Any) -> None:
        shared: Shared = transport.shared
        self._hooks, self._fail = shared.hooks, shared.fail
        self._ledger, self._lanes = shared.ledger, shared.lanes
        self._strays = Strays(shared.ledger, shared.lanes)
        self._options = shared.options
        self._turn = asyncio.Lock()
        self._given_up = 0
        super().__init__(transport, *args, **kwargs)
        self._read_offset = _NoReadOffsets()

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    # reading

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """One message a partition that has records and room."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
            return
        await self._find_strays()
        active = self._get_active_partitions()
        wanted = self._ledger.wanted(active)
        if not wanted:
            await self._wait_for_room()
            return
        wait = WAIT if len(wanted) == len(active) else WAIT_WHILE_FULL
        try:
            fetched = await self._thread.fetch(self._ledger.places(wanted), wait)
        except Exception as exc:
            self._fail(exc)
            raise
        for tp, epoch, since, records, following in fetched:
            if not self._ledger.follows(TP(*tp), epoch, since):
                continue
            batch = self._ledger.deliver(TP(*tp), epoch, records, following)
            if batch is not None:
                yield batch.tp, self._message(batch)

    async def _find_strays(self) -> None:
        for tp, offset in self._strays.look(asyncio.get_running_loop().time()).items():
            logger().warning("read again", topic=tp.topic, partition=tp.partition, offset=offset)
            await self.rewind(tp, offset)

    async def _wait_for_room(self) -> None:
        self._ledger.room.clear()
        try:
            async with asyncio.timeout(WAIT):
                await self._ledger.room.wait()
        except TimeoutError:
            pass

    def _message(self, batch: Batch) -> ConsumerMessage:
        last = batch[-1]
        return ConsumerMessage(
            batch.tp.topic,
            batch.tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            [],
            None,
            cast(bytes, batch),
            None,
            0,
            0,
            batch.tp,
            generation_id=self.app.consumer_generation_id,
        )

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: the ledger's depth is the back pressure, and it bounds Faust's buffer too."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing, as above."""

    # acks and commits

    def ack(self, message: Message) -> bool:
        """Called by Faust when the last agent acked the event."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        self._ledger.finish(cast(Batch, message.value))
        return True

    def _filter_tps_with_pending_acks(self, topics: TPorTopicSet | None = None) -> Iterator[TP]:
        for tp in self._ledger.tracked():
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        return self._ledger.safe(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        pass

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: this check of Faust races with its own thread and logs false alarms."""

    def lag(self) -> dict[TP, int]:
        """Records behind what the brokers last told, for each partition that is held."""
        ends = {tp: self.highwater(tp) for tp in self._ledger.held()}
        return {tp: max(0, (end or 0) - (self._ledger.safe(tp) or 0)) for tp, end in ends.items()}

    # partitions come and go

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Reading starts later, see `perform_seek`: heartbeats rest until this returns."""
        if not self.app.should_stop:  # else Faust closes the client from the wrong thread
            await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit first: Faust forgets the acks before it commits them."""
        if self.app.should_stop:
            return
        await self.give_up()
        await super().on_partitions_revoked(revoked)

    async def give_up(self) -> None:
        """Finish what is in hand, commit it, tell the processes, forget. All partitions: the
        group protocol is an eager one."""
        self._given_up += 1
        async with self._turn:
            self.stop_flow()
            held = self._ledger.held()
            try:
                self._ledger.close(held)
                await self._lanes.drain(held, self._options.patience)
                await self.commit()
                await self.commit()  # the first may only have waited for one under way
                if held:
                    await self._hooks.on_revoked(held)
            except Exception as exc:  # noqa: BLE001 - aiokafka would log it and go on
                self._fail(exc)
            self._ledger.forget(held)

    async def perform_seek(self) -> None:
        """Called before reading starts; outside of the join, so heartbeats go on meanwhile."""
        # Faust cancels this when the next rebalance comes: never in the middle of a hook
        await asyncio.shield(asyncio.ensure_future(self._take_over(self._given_up)))

    async def _take_over(self, turn: int) -> None:
        async with self._turn:
            tps = self.assignment()
            if turn != self._given_up or not tps:
                return  # given up before it began
            try:
                await self._hooks.on_assigned(tps)
                own = dict(await self._hooks.positions(tps))
                earliest = {tp for tp, offset in own.items() if offset == EARLIEST}
                starts = await self._thread.starts(tps - own.keys(), earliest)
                places = {}
                for tp in tps:
                    start = starts.get(tp)
                    offset = start.offset if start else own[tp]
                    places[tp] = (offset, self._ledger.begin(tp, offset))
                    self._committed_offset[tp] = start.committed if start else None
                await self._thread.begin(places)
            except Exception as exc:
                self._fail(exc)
                raise

    async def rewind(self, tp: TP, offset: int) -> bool:
        """Read a partition again from an offset; for a handler whose commit was refused.

        What was read before is dropped, also the batch that the caller has in hand. False when
        the partition is no longer held: its next owner begins where it should.
        """
        if not self._ledger.holds(tp):
            return False
        await self._thread.begin({tp: (offset, self._ledger.begin(tp, offset))})
        return True
