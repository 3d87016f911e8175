"""The side of the consumer that lives in aiokafka's thread: fetch, seek and where to start.

aiokafka is not safe across threads, so everything that reads or moves a position runs here, and
each fetch is tagged with the epoch of the last seek in the same step of this loop: a record read
before a seek can never be taken for one read after it.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, cast

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    ConsumerStoppedError,
    IllegalStateError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.transport.drivers.aiokafka import Transport as KafkaTransport
from faust.types import TP
from mode.threads import WorkerThread

from pipeline.adapters.kafka_client import client_args
from pipeline.worker.shared import Shared
from pipeline.worker.taking import take


class PositionLost(Exception):
    """Where reading should go on is not in the log: never reset in silence."""

    def __init__(self, tp: TP, offset: int, first: int, end: int) -> None:
        lost = f"; {first - offset} records were deleted unread" if offset < first else ""
        super().__init__(
            f"{tp.topic}[{tp.partition}] should go on at offset {offset}, "
            f"but the log holds {first} to {end}{lost}. "
            "The topic lost data, its retention is too short, or it was created anew: "
            "set the group's offset by hand or start with a new prefix"
        )


class TopicMissing(Exception):
    """A broker would make it with a partition count of its own, or the worker wait for ever."""


class Fetched(NamedTuple):
    """What a fetch brought for a partition: perhaps no record, but a new position."""

    tp: TP
    epoch: int
    since: int
    """The position that the fetch before has told."""
    records: list[Any]
    following: int


class Start(NamedTuple):
    """Where to start, and what the group has committed so far."""

    offset: int
    committed: int | None


class _Daemon(WorkerThread):
    """A thread that cannot keep a failed worker's process alive."""

    def __init__(self, service: Any, **kwargs: Any) -> None:
        super().__init__(service, **kwargs)
        self.daemon = True

    def run(self) -> None:
        """As it was, but an exception goes to where the worker is run, not to stderr."""
        service = cast("BatchThread", self.service)
        try:
            super().run()
        except Exception as exc:  # noqa: BLE001 - run raises it
            fail = service.shared.fail
            with suppress(RuntimeError):  # the app's loop is closed: nobody is left to tell
                service.parent_loop.call_soon_threadsafe(fail, exc)
        except asyncio.CancelledError:
            pass  # aiokafka's fetcher, closed while a broker is away; whoever closes it knows why


class BatchThread(AIOKafkaConsumerThread):
    """Faust's thread around aiokafka's consumer."""

    Worker = _Daemon

    def __post_init__(self) -> None:
        super().__post_init__()
        self._epochs: dict[TP, int] = {}
        self._told: dict[TP, int] = {}  # the position the app knows

    @property
    def shared(self) -> Shared:
        """What the transport carries."""
        return cast(Shared, cast(Any, self.transport).shared)

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Quiet: the failure is raised where the worker is run, not printed from here."""

    async def _wakeup_timer_in_thread(self) -> None:
        """Nothing: mode's own gives the app's loop a coroutine every second, which wakes nobody
        and, where the loop ends before it has begun, is left behind with a warning."""

    def _create_worker_consumer(self, transport: KafkaTransport) -> aiokafka.AIOKafkaConsumer:
        options = self.shared.options
        return aiokafka.AIOKafkaConsumer(
            group_id=options.group,
            group_instance_id=options.instance,
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_poll_interval_ms=int(options.stuck * 1000),
            session_timeout_ms=int(options.session * 1000),
            heartbeat_interval_ms=int(options.heartbeat * 1000),
            rebalance_timeout_ms=int(options.rebalance * 1000),
            fetch_min_bytes=options.linger_bytes if options.linger else 1,
            fetch_max_wait_ms=int(options.linger * 1000) or 100,
            max_partition_fetch_bytes=options.fetch_bytes,
            isolation_level=options.isolation,
            **client_args(options.kafka),
        )

    async def on_start(self) -> None:
        """Connect, and see that there is something to read."""
        await super().on_start()
        there = await self._ensure_consumer().topics()
        missing = sorted(self.shared.topics - there)
        if missing:
            raise TopicMissing(f"no topic {', '.join(missing)}: run `pipeline topics create`")

    # called from the app's loop

    async def fetch(self, wanted: Mapping[TP, tuple[int, int]], timeout: float) -> list[Fetched]:
        """Records of these partitions, one batch each; empty when none came in time.

        With each stand its epoch and where the app thinks that reading stands; what stands
        elsewhere comes without records.
        """
        return cast(list[Fetched], await self.call_thread(self._fetch, wanted, timeout))

    async def begin(self, places: Mapping[TP, tuple[int, int]]) -> None:
        """Go to an offset with a new epoch, each."""
        await self.call_thread(self._begin, places)

    async def starts(self, committed: set[TP], earliest: set[TP]) -> dict[TP, Start]:
        """Where the group goes on, and where the log begins."""
        return cast(dict[TP, Start], await self.call_thread(self._starts, committed, earliest))

    # in the thread's loop

    async def _fetch(self, wanted: Mapping[TP, tuple[int, int]], timeout: float) -> list[Fetched]:
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher  # noqa: SLF001 - this, too, is what Faust does
        if not self.consumer.flow_active:
            return []
        if strayed := self._strayed(wanted):
            return strayed
        if consumer._closed or fetcher._closed:  # noqa: SLF001
            raise ConsumerStoppedError
        try:
            with fetcher._subscriptions.fetch_context():  # noqa: SLF001
                records = await take(
                    fetcher, wanted, timeout, self.shared.options.records, self._flowing
                )
        except OffsetOutOfRangeError as exc:
            await self._check_lost(exc.args[0])
            return []
        except NoOffsetForPartitionError as exc:
            if self._position(exc.args[0]) is None:
                raise
            return []  # from before the seek
        # no await since the records were taken: position, records and epoch belong together
        found = []
        for tp in wanted:
            position, epoch = self._position(tp), self._epochs.get(tp)
            if position is None or epoch is None or position == (since := self._told[tp]):
                continue
            self._told[tp] = position
            found.append(Fetched(tp, epoch, since, records.get(tp, []), position))
        return found

    def _strayed(self, wanted: Mapping[TP, tuple[int, int]]) -> list[Fetched]:
        """Those of which a fetch has brought something that the app never got."""
        return [
            Fetched(tp, epoch, told, [], told)
            for tp, (epoch, following) in wanted.items()
            if epoch == self._epochs.get(tp) and (told := self._told[tp]) != following
        ]

    def _flowing(self) -> bool:
        """Whether Faust hands on what it is given: in a rebalance it drops it."""
        return bool(self.consumer.flow_active)

    async def _begin(self, places: Mapping[TP, tuple[int, int]]) -> None:
        consumer = self._ensure_consumer()
        for tp, (offset, epoch) in places.items():
            try:
                consumer.seek(tp, offset)
            except IllegalStateError:  # no longer ours; what comes next begins it anew
                continue
            self._epochs[tp], self._told[tp] = epoch, offset

    async def _starts(self, committed: set[TP], earliest: set[TP]) -> dict[TP, Start]:
        consumer = self._ensure_consumer()
        tps = sorted(committed)
        offsets = dict(zip(tps, await asyncio.gather(*map(consumer.committed, tps)), strict=True))
        never = earliest | {tp for tp, offset in offsets.items() if offset is None}
        first = await consumer.beginning_offsets(never) if never else {}
        return {
            tp: Start(first[tp] if tp in never else offsets[tp], offsets.get(tp))
            for tp in committed | earliest
        }

    async def _check_lost(self, where: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in where.items():
            if self._position(tp) == offset:
                first, end = await _ends(consumer, [tp])
                raise PositionLost(TP(*tp), offset, first[tp], end[tp])

    def _position(self, tp: TP) -> int | None:
        subscription = self._ensure_consumer()._subscription.subscription  # noqa: SLF001
        assignment = subscription.assignment if subscription else None
        state = assignment.state_value(tp) if assignment else None
        return state.position if state is not None and state.has_valid_position else None


async def _ends(consumer: aiokafka.AIOKafkaConsumer, tps: Iterable[TP]) -> tuple[Any, Any]:
    return await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
