"""What happens to a cluster: slots move, servers die and others take over."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.crc import key_slot

from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_store import RedisStore
from pipeline.local import LocalError
from pipeline.names import Names
from pipeline.ports import Change, Entry, Mark, StoreUnavailable
from tests.redis_cluster import Cluster, running

pytestmark = pytest.mark.redis

PARTITIONS = range(6)


@pytest_asyncio.fixture
async def own_cluster() -> AsyncIterator[Cluster]:
    """One that a test may break."""
    opened = running()
    try:
        cluster = await opened.__aenter__()
    except LocalError as error:
        pytest.skip(str(error))
    yield cluster
    await opened.__aexit__(None, None, None)


def change(offset: int) -> Change:
    entry = Entry(Mark(offset, 1), "t", b"k", b"%d" % offset)
    entities: dict[bytes, bytes | None] = {b"k": b"%d" % offset, b"k%d" % offset: b""}
    return Change(Mark(offset + 1, 0), entities, {b"k": offset}, [entry], [entry])


class Writing:
    """Commits one after the other in every partition, as their owners do, and reads."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self.done = dict.fromkeys(PARTITIONS, 0)
        self.stop = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for partition in PARTITIONS:
                tasks.create_task(self._commits(partition))
            tasks.create_task(self._looks())

    async def _commits(self, partition: int) -> None:
        at = await self.store.watermark(partition)
        while not self.stop:
            offset = at.offset if at else 0
            if await self.store.commit(partition, at, change(offset)):
                at = Mark(offset + 1, 0)
                self.done[partition] = at.offset
                await asyncio.sleep(0.005)
            else:  # a replica that took over had not got the last ones
                at = await self.store.watermark(partition)

    async def _looks(self) -> None:
        while not self.stop:
            progress = await self.store.progress(PARTITIONS)
            assert progress.keys() == set(PARTITIONS)
            await asyncio.sleep(0.01)

    async def more(self, count: int = 20) -> None:
        """Wait until each partition has so many more."""
        wanted = {partition: at + count for partition, at in self.done.items()}
        while True:
            if all(self.done[partition] >= at for partition, at in wanted.items()):
                return
            await asyncio.sleep(0.01)

    async def verify(self) -> None:
        """Everything is there once, and belongs together."""
        for partition, end in self.done.items():
            assert await self.store.load_at(partition, [b"k"]) == (
                Mark(end, 0), [b"%d" % (end - 1)],
            )  # fmt: skip
            for internal in (True, False):
                left = await self.store.outbox(partition, internal=internal, after=None, limit=9999)
                assert [entry.mark.offset for entry in left] == list(range(end))
            assert (await self.store.due_at(partition, 2**50, 9))[1] == [b"k"]


async def test_partitions_are_spread_and_go_on_while_slots_move(
    redis_cluster: Cluster, names: Names
) -> None:
    """Key by key: what is half moved is waited for, by its partition alone."""
    slots = {partition: key_slot(names.keys(partition)) for partition in PARTITIONS}
    assert len({(await redis_cluster.holder(slot)).port for slot in slots.values()}) > 1
    store = RedisStore(RedisLink(redis_cluster.address), names)
    writing = Writing(store)
    running = asyncio.create_task(writing.run())
    await writing.more()
    for partition in (0, 1):
        before = await redis_cluster.holder(slots[partition])
        after = await redis_cluster.move(slots[partition], pause=0.005)
        assert before is not after
        await writing.more()
    writing.stop = True
    await running
    await writing.verify()
    await store.forget(0)
    assert await store.load_at(0, [b"k", b"k0"]) == (None, [None, None])
    assert await store.outbox(0, internal=True, after=None, limit=9) == []
    await store.close()


@pytest.mark.slow
async def test_a_server_that_dies_is_waited_for_or_replaced(
    own_cluster: Cluster, names: Names
) -> None:
    first, second, third = own_cluster.nodes
    addresses = [node.address.removeprefix("redis://")[:-2] for node in (second, third)]
    store = RedisStore(RedisLink(f"redis://{','.join(addresses)}"), names)
    writing = Writing(store)
    running = asyncio.create_task(writing.run())
    await writing.more()
    first.kill()
    await asyncio.sleep(0.2)
    await first.start()
    await writing.more()
    await own_cluster.add_replica(second)
    await writing.more()
    second.kill()
    await writing.more()
    # the first that is named does not answer any more
    late = RedisStore(RedisLink(f"redis://{','.join(addresses)}"), names)
    assert await late.watermark(0) is not None
    await late.close()
    writing.stop = True
    await running
    await writing.verify()
    await store.close()


@pytest.mark.slow
async def test_a_server_that_is_new_takes_over_its_first_slot(
    own_cluster: Cluster, names: Names
) -> None:
    store = RedisStore(RedisLink(own_cluster.address), names)
    writing = Writing(store)
    running = asyncio.create_task(writing.run())
    await writing.more()
    new = await own_cluster.add()
    await own_cluster.move(key_slot(names.keys(0)), new, pause=0.05)
    await writing.more()
    assert await new.ask("EXISTS", names.keys(0) + b"wm") == 1
    writing.stop = True
    await running
    await writing.verify()
    await store.close()


async def test_a_cluster_that_stays_away_is_reported_in_one_line(names: Names) -> None:
    store = RedisStore(RedisLink("redis://:geheim@127.0.0.1:1,127.0.0.1:2"), names, patience=0.2)
    with pytest.raises(StoreUnavailable, match=r"^Redis: .*can't be reached") as caught:
        await store.progress([0, 1])
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)
    await store.close()
