"""The transport on a real broker: once, in order, exactly committed, whoever comes and goes."""

import asyncio
import os
import random
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from pipeline.settings import KafkaSettings
from pipeline.worker.consumer import BatchConsumer
from pipeline.worker.lanes import Handler, HandlerFailed
from pipeline.worker.ledger import Batch
from pipeline.worker.options import EARLIEST, Hooks, NoHooks, Options
from pipeline.worker.thread import Fetched, PositionLost, TopicMissing
from pipeline.worker.transport import BatchApp, make_app, run
from tests.worker.worker_log import Log

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]
SECOND = Path(__file__).parent / "second.py"


class Seen:
    """Offsets handled, by topic and partition, in order."""

    def __init__(self) -> None:
        self.offsets: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.batches = 0

    async def __call__(self, topic: str, partition: int, records: Batch) -> None:
        self.batches += 1
        self.offsets[topic, partition].extend(record.offset for record in records)

    def count(self, topic: str) -> int:
        return sum(len(offsets) for (t, _), offsets in self.offsets.items() if t == topic)

    def has(self, topic: str, count: int) -> bool:
        return self.count(topic) == count

    def all_of(self, topic: str) -> list[list[int]]:
        return [self.offsets[topic, p] for p in range(3)]


class Spy(NoHooks):
    def __init__(self, places: Mapping[TP, int] | None = None) -> None:
        self.calls: list[tuple[str, set[TP]]] = []
        self.places = dict(places or {})

    async def on_assigned(self, tps: set[TP]) -> None:
        self.calls.append(("assigned", set(tps)))

    async def positions(self, tps: set[TP]) -> Mapping[TP, int]:
        return {tp: self.places[tp] for tp in tps if tp in self.places}

    async def on_revoked(self, tps: set[TP]) -> None:
        self.calls.append(("revoked", set(tps)))


def worker(
    log: Log,
    normalize: Handler,
    hooks: Hooks | None = None,
    apply: Handler | None = None,
    **more: Any,
) -> BatchApp:
    options = Options(KafkaSettings(log.servers), log.group, session=6.0, linger=0.01, **more)
    return make_app(
        options,
        raw=log.raw,
        events=log.events,
        normalize=normalize,
        apply=apply or normalize,
        hooks=hooks,
    )


@asynccontextmanager
async def running(app: BatchApp) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(run(app, stop))
    try:
        yield task
    finally:
        stop.set()
    await asyncio.wait_for(task, 30)


async def until(
    true: Callable[[], bool], task: asyncio.Task[None] | None = None, limit: float = 40
) -> None:
    async with asyncio.timeout(limit):
        while not true():
            if task is not None and task.done():
                task.result()
                pytest.fail("the worker ended early")
            await asyncio.sleep(0.02)


def numbers(count: int) -> list[list[int]]:
    return [list(range((count - p + 2) // 3)) for p in range(3)]


async def test_once_and_in_order_from_both_topics(log: Log) -> None:
    await log.write(log.raw, 20_000)
    await log.write(log.events, 5_000)
    before = await log.topics()
    seen, spy = Seen(), Spy()
    app = worker(log, seen, hooks=spy)
    async with running(app) as task:
        await until(lambda: seen.count(log.raw) == 20_000 and seen.count(log.events) == 5_000, task)
        await until(lambda: sum(app.lag().values()) == 0, task)
    assert seen.all_of(log.raw) == numbers(20_000)
    assert seen.all_of(log.events) == numbers(5_000)
    assert await log.committed(log.raw) == await log.ends(log.raw)
    assert await log.committed(log.events) == await log.ends(log.events)
    everything = {TP(t, p) for t in (log.raw, log.events) for p in range(3)}
    assert spy.calls == [("assigned", everything), ("revoked", everything)]
    assert await log.topics() - before <= {"__consumer_offsets"}  # none of Faust's own
    assert not Path(f"{log.group}-data").exists()


async def test_a_stop_and_a_start_go_on_where_it_was(log: Log) -> None:
    first, second = Seen(), Seen()
    await log.write(log.raw, 3_000)
    async with running(worker(log, first)) as task:
        await until(lambda: first.count(log.raw) == 3_000, task)
    await log.write(log.raw, 3_000)
    async with running(worker(log, second)) as task:
        await until(lambda: second.count(log.raw) == 3_000, task)
        await asyncio.sleep(0.3)
    assert second.all_of(log.raw) == [list(range(1000, 2000))] * 3


async def test_the_start_of_an_empty_partition_is_committed(log: Log) -> None:
    """The barrier waits for offsets: also those of partitions without a record count."""
    await log.write(log.raw, 30)
    for p in range(3):
        await log.delete_before(log.raw, p, 10)
    async with running(worker(log, Seen())) as task:
        await asyncio.sleep(3)
        assert not task.done()
    assert await log.committed(log.raw) == [10, 10, 10]
    assert await log.committed(log.events) == [0, 0, 0]


async def test_markers_at_the_end_are_passed(log: Log) -> None:
    seen = Seen()
    async with running(worker(log, seen)) as task:
        await log.write_transaction(log.raw, 5)
        await until(lambda: seen.count(log.raw) == 5, task)
        await log.write_transaction(log.raw, 5, abort=True)
        await asyncio.sleep(2)
        assert (await log.committed(log.raw))[0] == (await log.ends(log.raw))[0] == 12
    assert seen.all_of(log.raw)[0] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
async def test_a_second_worker_comes_and_goes(log: Log, kill: signal.Signals) -> None:
    done, stopped = Seen(), asyncio.Event()

    async def slow(topic: str, partition: int, records: Batch) -> None:
        await asyncio.sleep(0.01)
        await done(topic, partition, records)

    async def write() -> int:
        count = 0
        while not stopped.is_set():
            await log.write(log.raw, 300, count)
            count += 300
            await asyncio.sleep(0.05)
        return count

    writing = asyncio.create_task(write())
    async with running(worker(log, slow, records=100)) as task:
        await until(lambda: done.count(log.raw) > 600, task)
        other = await asyncio.create_subprocess_exec(
            sys.executable, str(SECOND), log.servers, log.group, log.raw, log.events, "0.01",
            stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."},
        )  # fmt: skip
        assert other.stdout is not None
        lines = [await asyncio.wait_for(other.stdout.readline(), 30) for _ in range(20)]
        other.send_signal(kill)
        lines += [line async for line in other.stdout]
        await other.wait()
        await asyncio.sleep(2)
        stopped.set()
        count = await writing
        theirs = [line.split() for line in lines if line.count(b" ") == 4]

        def missing() -> int:
            have = {(p, o) for p in range(3) for o in done.offsets[log.raw, p]}
            have |= {(int(x[1]), o) for x in theirs for o in range(int(x[2]), int(x[3]) + 1)}
            return count - len(have)

        await until(lambda: missing() == 0, task)
    twice = sum(len(o) for o in done.all_of(log.raw)) + sum(int(x[4]) for x in theirs) - count
    assert theirs
    assert twice <= (0 if kill == signal.SIGTERM else 2_000)
    for p in range(3):  # in order, but for what is read again after a rebalance
        offsets = done.offsets[log.raw, p]
        backwards = [b - a for a, b in pairwise(offsets) if b <= a]
        assert len(backwards) <= 3
    assert await log.committed(log.raw) == await log.ends(log.raw)


async def test_a_failing_handler_ends_the_worker_and_commits_nothing(log: Log) -> None:
    await log.write(log.raw, 3_000)
    seen = Seen()

    async def fails(topic: str, partition: int, records: Batch) -> None:
        if partition == 1 and records[-1].offset >= 500:
            raise ValueError("secret")
        await seen(topic, partition, records)

    app = worker(log, fails, records=100)
    with pytest.raises(HandlerFailed, match=r"\[1\] offsets \d+-\d+: ValueError") as failed:
        async with running(app) as task:
            await asyncio.wait([task], timeout=20)
    assert "secret" not in str(failed.value)
    committed = await log.committed(log.raw)
    handled = [len(seen.offsets[log.raw, p]) for p in range(3)]
    assert all((c or 0) <= h for c, h in zip(committed, handled, strict=True))
    assert (committed[1] or 0) <= 500
    rest = Seen()

    def handled_once_at_least(partition: int) -> set[int]:
        return {*seen.offsets[log.raw, partition], *rest.offsets[log.raw, partition]}

    async with running(worker(log, rest)) as task:
        await until(lambda: all(len(handled_once_at_least(p)) == 1000 for p in range(3)), task)


async def test_own_positions_go_before_committed_ones(log: Log) -> None:
    await log.write(log.raw, 300)
    await log.write(log.events, 300)
    for p in range(3):
        await log.commit(log.raw, p, 40)
        await log.commit(log.events, p, 90)
    seen = Seen()
    places = {TP(log.events, 0): 25, TP(log.events, 1): EARLIEST}
    async with running(worker(log, seen, hooks=Spy(places))) as task:
        await until(lambda: seen.count(log.raw) == 180 and seen.count(log.events) == 185, task)
    assert seen.all_of(log.raw) == [list(range(40, 100))] * 3
    starts = [offsets[0] for offsets in seen.all_of(log.events)]
    assert starts == [25, 0, 90]


async def test_a_position_out_of_range_is_an_error(log: Log) -> None:
    await log.write(log.raw, 300)
    await log.commit(log.raw, 2, 20)
    await log.delete_before(log.raw, 2, 50)
    with pytest.raises(PositionLost, match="at offset 20, but the log holds 50 to 100; 30 records"):
        async with running(worker(log, Seen())) as task:
            await asyncio.wait([task], timeout=20)
    assert (await log.committed(log.raw))[2] == 20
    with pytest.raises(PositionLost, match="at offset 7000"):
        async with running(worker(log, Seen(), hooks=Spy({TP(log.raw, 2): 7000}))) as task:
            await asyncio.wait([task], timeout=20)


async def test_whatever_a_producer_compresses_with_is_read(log: Log) -> None:
    for nth, codec in enumerate(("gzip", "snappy", "lz4", "zstd")):
        await log.write(log.raw, 300, first=300 * nth, codec=codec)
    values: dict[int, list[int]] = {p: [] for p in range(3)}

    async def read(topic: str, partition: int, records: Batch) -> None:
        values[partition] += [int(record.value) for record in records]

    async with running(worker(log, read)) as task:
        await until(lambda: sum(map(len, values.values())) == 1200, task)
    assert values == {p: list(range(p, 1200, 3)) for p in range(3)}


async def test_a_stale_committed_offset_does_no_harm_where_positions_are_ours(log: Log) -> None:
    await log.write(log.events, 300)
    for p in range(3):
        await log.commit(log.events, p, 10)
        await log.delete_before(log.events, p, 50)
    seen, own = Seen(), {TP(log.events, p): 60 for p in range(3)}
    async with running(worker(log, seen, hooks=Spy(own))) as task:
        await until(lambda: seen.count(log.events) == 120, task)
    assert seen.all_of(log.events) == [list(range(60, 100))] * 3


async def test_seeking_back_while_running_leaves_no_hole(log: Log) -> None:
    """A state process whose store steps back at any moment: it must never be handed a batch
    that begins behind what it expects."""
    await log.write(log.events, 20_000)
    expected, rewinds = [0, 0, 0], 0
    dice = random.Random(7)

    async def apply(topic: str, partition: int, records: Batch) -> None:
        nonlocal rewinds
        assert records[0].offset <= expected[partition], "a hole"
        await asyncio.sleep(dice.choice([0, 0, 0.002, 0.01]))
        if dice.random() < 0.3 and rewinds < 60:
            rewinds += 1
            expected[partition] = max(0, expected[partition] - dice.randrange(0, 700))
            assert await app.rewind(TP(topic, partition), expected[partition])
            if dice.random() < 0.5:
                await asyncio.sleep(0.005)
        else:
            expected[partition] = max(expected[partition], records[-1].offset + 1)

    app = worker(log, apply, records=150, together=150)
    async with running(app) as task:
        await until(lambda: expected == [6667, 6667, 6666], task)
        await log.write(log.events, 300)
        await until(lambda: expected == [6767, 6767, 6766], task)
        assert not await app.rewind(TP(log.events, 9), 0)
    assert rewinds == 60
    assert await log.committed(log.events) == await log.ends(log.events)


async def test_a_hook_that_fails_ends_the_worker(log: Log) -> None:
    class Bad(Spy):
        async def on_assigned(self, tps: set[TP]) -> None:
            raise RuntimeError("fenced")

    with pytest.raises(RuntimeError, match="fenced"):
        async with running(worker(log, Seen(), hooks=Bad())) as task:
            await asyncio.wait([task], timeout=20)


async def test_one_slow_partition_does_not_stop_the_others(log: Log) -> None:
    seen, gate = Seen(), asyncio.Event()

    async def handler(topic: str, partition: int, records: Batch) -> None:
        if partition == 0:
            await gate.wait()
        await seen(topic, partition, records)

    app = worker(log, handler, records=50)
    async with running(app) as task:
        await log.write(log.raw, 6_000)
        await until(lambda: seen.count(log.raw) == 4_000, task)
        gate.set()
        await until(lambda: seen.count(log.raw) == 6_000, task)
    assert seen.all_of(log.raw) == numbers(6_000)


async def test_a_missing_topic_is_an_error(log: Log) -> None:
    before = await log.topics()
    log.events = "nowhere"
    with pytest.raises(TopicMissing, match="no topic nowhere"):
        await asyncio.wait_for(run(worker(log, Seen()), asyncio.Event()), 20)
    assert await log.topics() == before


async def test_a_stop_while_starting(log: Log) -> None:
    for delay in (0, 0.05, 0.3):
        async with running(worker(log, Seen())):
            await asyncio.sleep(delay)


async def test_a_static_member_is_back_at_once(log: Log) -> None:
    await log.write(log.raw, 300)
    for first in (0, 300):
        seen = Seen()
        async with running(worker(log, seen, instance="one")) as task:
            await until(partial(seen.has, log.raw, 300), task, limit=5)
        await log.write(log.raw, 300, first)


async def test_a_broker_out_of_reach_is_an_error() -> None:
    app = make_app(
        Options(KafkaSettings("127.0.0.1:1"), "g"),
        raw="r",
        events="e",
        normalize=Seen(),
        apply=Seen(),
    )
    with pytest.raises(KafkaConnectionError):
        await asyncio.wait_for(run(app, asyncio.Event()), 20)


class Contiguous(Seen):
    """Fails where something is handled before what stands in front of it."""

    async def __call__(self, topic: str, partition: int, records: Batch) -> None:
        following = max(self.offsets[topic, partition], default=-1) + 1
        for record in records:
            assert record.offset <= following
            following = max(following, record.offset + 1)
        await super().__call__(topic, partition, records)

    def whole(self, topic: str) -> list[list[int]]:
        return [sorted(set(offsets)) for offsets in self.all_of(topic)]


async def _lossy(log: Log, app: BatchApp, seen: Contiguous) -> None:
    async with running(app) as task:
        for nth in range(60):
            await log.write(log.raw, 15, first=15 * nth)
            await until(lambda: bool(seen.count(log.raw)), task)
        await until(lambda: seen.whole(log.raw) == numbers(900), task)
        await until(lambda: sum(app.lag().values()) == 0, task)
    assert await log.committed(log.raw) == await log.ends(log.raw)


async def test_what_faust_drops_is_read_again_before_what_follows(log: Log) -> None:
    seen, chance = Contiguous(), random.Random(1)
    app = worker(log, seen)
    hand_on, dropped = cast(Any, app.consumer).callback, 0

    async def forgetful(message: Any) -> None:
        nonlocal dropped
        if chance.random() < 0.3:
            dropped += 1
        else:
            await hand_on(message)

    cast(Any, app.consumer).callback = forgetful
    await _lossy(log, app, seen)
    assert dropped > 5


async def test_what_was_fetched_for_nobody_is_read_again_before_what_follows(log: Log) -> None:
    """As where a fetch is cancelled on its way through Faust's thread."""
    seen, chance = Contiguous(), random.Random(1)
    app = worker(log, seen)
    thread, dropped = cast(BatchConsumer, app.consumer)._thread, 0
    fetch = thread.fetch

    async def forgetful(wanted: Mapping[TP, tuple[int, int]], timeout: float) -> list[Fetched]:
        nonlocal dropped
        fetched = await fetch(wanted, timeout)
        if fetched and chance.random() < 0.3:
            dropped += 1
            return []
        return fetched

    thread.fetch = forgetful  # type: ignore[method-assign]
    await _lossy(log, app, seen)
    assert dropped > 5
