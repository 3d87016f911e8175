"""What every store must do, checked on the one in memory, a real Redis and a real cluster."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pipeline.adapters.memory_store import MemoryStore
from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_store import RedisStore
from pipeline.local import Redis
from pipeline.names import Names
from pipeline.ports import START, TOGETHER, Change, Entry, Mark, Progress, Store
from tests.redis_cluster import Cluster


@pytest.fixture(
    params=[
        "memory",
        pytest.param("redis_part", marks=pytest.mark.redis),
        pytest.param("redis_cluster", marks=pytest.mark.redis),
    ]
)
def url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "memory":
        return None
    part: Redis | Cluster = request.getfixturevalue(request.param)
    return part.address


@pytest_asyncio.fixture
async def store(url: str | None, names: Names) -> AsyncIterator[Store]:
    if url is None:
        yield MemoryStore()
        return
    store = RedisStore(RedisLink(url), names)
    yield store
    await store.close()


def entry(offset: int, index: int = 1, topic: str = "t") -> Entry:
    return Entry(Mark(offset, index), topic, b"k", b"v%d" % offset)


async def test_nothing_is_there_at_first(store: Store) -> None:
    assert await store.watermark(3) is None
    assert await store.load(3, [b"a", b"b"]) == [None, None]
    assert await store.load(3, []) == []
    assert await store.due(3, 10, 10) == []
    assert await store.outbox(3, internal=True, after=None, limit=10) == []
    assert await store.progress([3]) == {3: Progress(START, None, None)}
    assert await store.progress([]) == {}
    await store.trim(3, internal=True, upto=Mark(5, 5))


async def test_what_is_read_says_of_which_watermark_it_is(store: Store) -> None:
    assert await store.load_at(4, [b"a"]) == (None, [None])
    assert await store.due_at(4, 9, 9) == (None, [])
    assert await store.commit(
        4, None, Change(Mark(8, 0), {b"a": b"1", b"b": b"2"}, {b"a": 5, b"b": 6})
    )
    assert await store.load_at(4, [b"b", b"a"]) == (Mark(8, 0), [b"2", b"1"])
    assert await store.due_at(4, 9, 9) == (Mark(8, 0), [b"a", b"b"])
    assert await store.due_at(4, 9, 9, skip=1) == (Mark(8, 0), [b"b"])
    assert await store.commit(4, Mark(8, 0), Change(Mark(8, 3)))
    assert await store.load_at(4, []) == (Mark(8, 3), [])


async def test_a_commit_writes_all_and_another_removes(store: Store) -> None:
    change = Change(
        Mark(8, 0),
        {b"a": b"1", b"b": b"", b"\x00\xff": bytes(range(256))},
        {b"a": 50, b"b": 40},
        [entry(7)],
        [entry(6, 2), entry(7)],
    )
    assert await store.commit(1, None, change)
    assert await store.watermark(1) == Mark(8, 0)
    assert await store.load(1, [b"b", b"x", b"\x00\xff", b"a"]) == [
        b"", None, bytes(range(256)), b"1",
    ]  # fmt: skip
    assert await store.progress([1, 2]) == {
        1: Progress(Mark(8, 0), Mark(7, 1), 40),
        2: Progress(START, None, None),
    }
    later = Change(Mark(8, 1), {b"a": None, b"none": None}, {b"b": None, b"none": None})
    assert await store.commit(1, Mark(8, 0), later)
    assert await store.load(1, [b"a", b"b"]) == [None, b""]
    assert await store.due(1, 99, 9) == [b"a"]


async def test_progress_tells_the_causes_of_the_last_commit(store: Store) -> None:
    assert await store.commit(4, None, Change(Mark(8, 0), causes=(7, 3, -1)))
    assert (await store.progress([4]))[4].causes == (7, 3, -1)
    assert await store.commit(4, Mark(8, 0), Change(Mark(9, 0)))
    assert (await store.progress([4]))[4].causes == ()


async def test_entries_come_back_as_they_were(store: Store) -> None:
    entries = [
        Entry(Mark(1, 1), "t", None, b"v"),
        Entry(Mark(1, 2), "ü", b"k", None, (("h", b"\xff"), ("h", b"")), 31),
    ]
    assert await store.commit(0, None, Change(Mark(2, 0), outward=entries))
    assert await store.outbox(0, internal=False, after=None, limit=9) == entries
    assert await store.outbox(0, internal=True, after=None, limit=9) == []


@pytest.mark.parametrize("expected", [None, Mark(1, 0), Mark(3, 1), Mark(2, 1)])
async def test_another_watermark_than_expected_writes_nothing(
    store: Store, expected: Mark | None
) -> None:
    assert await store.commit(0, None, Change(Mark(3, 0), {b"a": b"1"}))
    change = Change(Mark(4, 0), {b"a": b"2"}, {b"a": 1}, [entry(3)], [entry(3)])
    assert not await store.commit(0, expected, change)
    assert await store.load(0, [b"a"]) == [b"1"]
    assert await store.progress([0]) == {0: Progress(Mark(3, 0), None, None)}
    assert await store.outbox(0, internal=False, after=None, limit=9) == []


async def test_the_same_commit_by_another_owner_is_refused(store: Store) -> None:
    change = Change(Mark(3, 0), {b"a": b"1"})
    assert await store.commit(0, None, change)
    assert not await store.commit(0, None, change)


async def test_an_expected_watermark_of_a_lost_state_is_refused(store: Store) -> None:
    assert not await store.commit(0, Mark(5, 0), Change(Mark(6, 0), {b"a": b"1"}))
    assert await store.load(0, [b"a"]) == [None]


async def test_due_is_in_order_of_instant_and_key(store: Store) -> None:
    due: dict[bytes, int | None] = {b"b": 5, b"a": 5, b"\xff": 5, b"c": 4, b"d": 6}
    assert await store.commit(0, None, Change(Mark(1, 0), due=due))
    assert await store.due(0, 5, 9) == [b"c", b"a", b"b", b"\xff"]
    assert await store.due(0, 5, 2) == [b"c", b"a"]
    assert await store.due(0, 5, 2, skip=1) == [b"a", b"b"]
    assert await store.due(0, 5, 9, skip=4) == []
    assert await store.due(0, 3, 9) == []
    assert await store.commit(0, Mark(1, 0), Change(Mark(2, 0), due={b"c": 1_900_000_000_123}))
    assert (await store.progress([0]))[0].due == 5
    assert await store.due(0, 5, 1) == [b"a"]
    off: dict[bytes, int | None] = dict.fromkeys([b"a", b"b", b"d", b"\xff"])
    assert await store.commit(0, Mark(2, 0), Change(Mark(3, 0), due=off))
    assert (await store.progress([0]))[0].due == 1_900_000_000_123


async def test_an_outbox_is_read_in_pages_and_trimmed(store: Store) -> None:
    entries = [entry(o, i) for o in (9, 10, 2**40) for i in (1, 2, 11)]
    before = None
    for each in entries:
        after = Mark(each.mark.offset, each.mark.index + 1)
        assert await store.commit(0, before, Change(after, internal=[each]))
        before = after
    page = await store.outbox(0, internal=True, after=None, limit=4)
    page += await store.outbox(0, internal=True, after=page[-1].mark, limit=9)
    assert page == entries
    await store.trim(0, internal=True, upto=Mark(10, 1))
    assert await store.outbox(0, internal=True, after=None, limit=9) == entries[4:]
    await store.trim(0, internal=True, upto=Mark(10, 1))
    await store.trim(0, internal=True, upto=entries[-1].mark)
    assert (await store.progress([0]))[0].unpublished is None


async def test_entries_of_one_commit_are_trimmed_in_lots(store: Store) -> None:
    """Only whole ones go, and what is left is told from its first entry on."""
    entries = [entry(7, i) for i in range(1, 3 * TOGETHER + 3)]
    lots = [entries[i : i + TOGETHER] for i in range(0, len(entries), TOGETHER)]
    assert await store.commit(0, None, Change(Mark(8, 0), internal=entries, outward=entries))
    for limit in (1, TOGETHER, TOGETHER + 1, 999):
        found = await store.outbox(0, internal=True, after=None, limit=limit)
        assert found == entries[:limit]
    found = await store.outbox(0, internal=True, after=lots[0][4].mark, limit=TOGETHER)
    assert found == entries[5 : 5 + TOGETHER]
    for upto, left in (
        (lots[0][-2], entries),
        (lots[0][-1], entries[TOGETHER:]),
        (lots[2][0], entries[2 * TOGETHER :]),
        (lots[3][0], entries[3 * TOGETHER :]),
    ):
        await store.trim(0, internal=True, upto=upto.mark)
        assert await store.outbox(0, internal=True, after=None, limit=999) == left
        assert (await store.progress([0]))[0].unpublished == left[0].mark
    assert await store.outbox(0, internal=False, after=None, limit=999) == entries
    await store.trim(0, internal=True, upto=entries[-1].mark)
    assert (await store.progress([0]))[0].unpublished is None


async def test_entries_that_do_not_grow_are_a_fault_and_write_nothing(store: Store) -> None:
    assert await store.commit(0, None, Change(Mark(5, 0), outward=[entry(4, 3)]))
    await store.trim(0, internal=False, upto=Mark(4, 3))
    for bad in ([entry(4, 3)], [entry(5), entry(5)], [entry(5, 2), entry(5, 1)], [entry(4, 2)]):
        with pytest.raises(ValueError, match="not later"):
            await store.commit(0, Mark(5, 0), Change(Mark(6, 0), {b"a": b"1"}, outward=bad))
    with pytest.raises(ValueError, match="not later"):
        await store.commit(0, Mark(5, 0), Change(Mark(5, 0), {b"a": b"1"}))
    assert await store.watermark(0) == Mark(5, 0)
    assert await store.load(0, [b"a"]) == [None]


async def test_a_commit_of_thousands_is_one(store: Store) -> None:
    keys = [b"k%d" % i for i in range(20_000)]
    change = Change(Mark(1, 0), dict.fromkeys(keys, b"x"), dict.fromkeys(keys, 7))
    assert await store.commit(0, None, change)
    assert await store.load(0, keys) == [b"x"] * len(keys)
    assert await store.commit(0, Mark(1, 0), Change(Mark(2, 0), dict.fromkeys(keys)))
    assert await store.load(0, keys) == [None] * len(keys)


async def test_whose_state_it_is_stands_until_it_is_replaced(store: MemoryStore) -> None:
    assert await store.identity() is None
    await store.identify(b"one")
    await store.identify(b"two")
    assert await store.identity() == b"one"
    await store.identify(b"three", replace=True)
    assert await store.identity() == b"three"


async def test_a_partition_that_is_forgotten_leaves_nothing_and_the_others_stay(
    store: MemoryStore,
) -> None:
    for partition in (1, 12):
        many: dict[bytes, bytes | None] = {b"pe:%d" % n: b"x" for n in range(3_000)}
        change = Change(Mark(8, 0), many, {b"pe:1": 50}, [entry(7)], [entry(7)])
        assert await store.commit(partition, None, change)
    await store.identify(b"one")
    await store.forget(1)
    assert await store.watermark(1) is None
    assert set(await store.load(1, [b"pe:%d" % n for n in range(3_000)])) == {None}
    assert await store.progress([1]) == {1: Progress(START, None, None)}
    assert await store.outbox(1, internal=False, after=None, limit=9) == []
    assert await store.commit(1, None, Change(Mark(1, 0), outward=[entry(0)]))
    assert await store.load(12, [b"pe:2999"]) == [b"x"]
    assert await store.identity() == b"one"
