"""What only a real Redis can do wrong: restart, lose a reply, lose the last commits, be full."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cramjam import lz4

from pipeline.adapters.redis_client import connect
from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_outbox import mark_id
from pipeline.adapters.redis_store import RedisStore
from pipeline.local import LocalError, Redis
from pipeline.names import Names
from pipeline.ports import Change, Entry, Mark, StoreUnavailable

pytestmark = pytest.mark.redis


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    """A Redis that a test may restart."""
    with asyncio.Runner() as runner:
        part = Redis(tmp_path)
        try:
            runner.run(part.start())
        except LocalError as error:
            pytest.skip(str(error))
        yield part
        runner.run(part.close())


@pytest_asyncio.fixture
async def store(redis_part: Redis, names: Names) -> AsyncIterator[RedisStore]:
    store = RedisStore(RedisLink(redis_part.address), names, patience=0.3)
    yield store
    await store.close()


def change(offset: int) -> Change:
    entry = Entry(Mark(offset, 1), "t", b"k", b"%d" % offset)
    return Change(Mark(offset + 1, 0), {b"k": b"%d" % offset}, {b"k": offset}, [entry], [entry])


async def test_a_restart_is_waited_for_and_nothing_is_lost_or_doubled(
    own_redis: Redis, names: Names
) -> None:
    store = RedisStore(RedisLink(own_redis.address), names)
    assert await store.commit(0, None, change(0))

    async def commits() -> None:
        for offset in range(1, 400):
            assert await store.commit(0, Mark(offset, 0), change(offset))
            assert (await store.progress([0, 1]))[0].watermark == Mark(offset + 1, 0)

    committing = asyncio.create_task(commits())
    for _ in range(2):
        await asyncio.sleep(0.05)
        own_redis.kill()
        await asyncio.sleep(0.1)
        await own_redis.start()
    await committing
    entries = await store.outbox(0, internal=True, after=None, limit=999)
    assert [entry.mark.offset for entry in entries] == list(range(400))
    await store.close()


class _Proxy:
    """Between client and server; told to, it lets requests through and no replies."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.mute = False
        self.muted = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers += [writer, to_there]
        await asyncio.gather(self._pipe(reader, to_there), self._pipe(there, writer, back=True))

    def close(self) -> None:
        for writer in self._writers:
            writer.close()

    async def _pipe(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool = False
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if back and self.mute:
                    self.mute = False  # this connection's client waits in vain
                    self.muted += 1
                    return
                writer.write(data)
                await writer.drain()
        writer.close()


async def test_a_commit_whose_reply_was_lost_counts_as_written_once(
    redis_part: Redis, names: Names
) -> None:
    proxy = _Proxy(redis_part.port)
    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = RedisStore(RedisLink(f"redis://127.0.0.1:{port}", timeout=0.2), names)
    assert await store.commit(0, None, change(0))
    proxy.mute = True
    assert await store.commit(0, Mark(1, 0), change(1))
    assert proxy.muted == 1
    assert await store.watermark(0) == Mark(2, 0)
    assert len(await store.outbox(0, internal=False, after=None, limit=9)) == 2
    await store.close()
    proxy.close()
    server.close()


async def test_an_equal_commit_of_another_owner_is_not_taken_for_ours(store: RedisStore) -> None:
    assert await store.commit(0, None, change(0))
    assert not await store.commit(0, None, change(0))


async def test_what_stays_away_is_reported_in_one_line(names: Names) -> None:
    store = RedisStore(RedisLink("redis://:geheim@127.0.0.1:1/0"), names, patience=0.2)
    with pytest.raises(StoreUnavailable, match=r"^Redis: .*can't be reached") as caught:
        await store.watermark(0)
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)
    await store.close()


@pytest.mark.parametrize("key", ["due", "int", "out", "wm"])
async def test_a_key_of_another_type_refuses_the_whole_commit(
    store: RedisStore, redis_part: Redis, names: Names, key: str
) -> None:
    client = connect(redis_part.address)
    await client.hset(names.keys(0).decode() + key, "a", "b")
    with pytest.raises(StoreUnavailable, match="hash"):
        await store.commit(0, None, change(0))
    assert await store.load(0, [b"k"]) == [None]
    assert len(await client.keys(names.prefix + "*")) == 1
    await client.aclose()


async def test_a_full_server_refuses_the_whole_commit(own_redis: Redis, names: Names) -> None:
    store = RedisStore(RedisLink(own_redis.address), names, patience=0.2)
    client = connect(own_redis.address)
    large = Change(Mark(1, 0), {b"%d" % i: bytes(10_000) for i in range(500)})
    assert await store.commit(0, None, large)
    await client.config_set("maxmemory", 4_000_000)
    more = change(1)
    more.entities |= {b"1": None, b"2": bytes(10_000)}
    with pytest.raises(StoreUnavailable, match="out of memory"):
        await store.commit(0, Mark(1, 0), more)
    assert await store.watermark(0) == Mark(1, 0)
    assert await store.load(0, [b"1", b"k"]) == [bytes(10_000), None]
    await client.config_set("maxmemory", 0)
    assert await store.commit(0, Mark(1, 0), more)
    await client.aclose()
    await store.close()


async def test_keys_of_a_partition_share_a_slot_and_the_prefix(
    store: RedisStore, redis_part: Redis, names: Names
) -> None:
    assert await store.commit(7, None, change(0))
    client = connect(redis_part.address)
    found = await client.keys(names.prefix + "*")
    stem = names.prefix.encode() + b"{p7}:"
    assert sorted(found) == [stem + end for end in (b"due", b"e:k", b"int", b"out", b"wm")]
    await client.aclose()


async def test_an_outbox_of_version_1_is_read_on_and_trimmed(
    store: RedisStore, redis_part: Redis, names: Names
) -> None:
    """It had an item for each entry, in the bytes that stand here."""
    old = [
        Entry(Mark(3, 1), "t", b"k", b"v", (("h", b"\xff"),), 31),
        Entry(Mark(4, 2), "ü", None, None, (), None),
    ]
    packed = (
        b"\x95\xa1t\xc4\x01k\xc4\x01v\x91\x92\xa1h\xc4\x01\xff\x1f",
        b"\x95\xa2\xc3\xbc\xc0\xc0\x90\xc0",
    )
    client: Any = connect(redis_part.address)
    await client.set(names.keys(0) + b"wm", "5-0|token")
    for entry, value in zip(old, packed, strict=True):
        await client.xadd(names.keys(0) + b"int", {"e": value}, id=mark_id(entry.mark))
    await client.aclose()
    assert (await store.progress([0]))[0].unpublished == Mark(3, 1)
    assert await store.commit(0, Mark(5, 0), change(5))
    new = [*old, *change(5).internal]
    for limit in (1, 2, 3, 9):
        assert await store.outbox(0, internal=True, after=None, limit=limit) == new[:limit]
    assert await store.outbox(0, internal=True, after=Mark(3, 1), limit=9) == new[1:]
    await store.trim(0, internal=True, upto=Mark(3, 1))
    assert await store.outbox(0, internal=True, after=None, limit=9) == new[1:]
    await store.trim(0, internal=True, upto=Mark(4, 2))
    assert (await store.progress([0]))[0].unpublished == Mark(5, 1)


async def test_an_outbox_of_a_version_to_come_is_left_as_it_is(
    store: RedisStore, redis_part: Redis, names: Names
) -> None:
    client: Any = connect(redis_part.address)
    for field, value in (("z", b"?"), ("p", b"\xc1"), ("p", bytes(lz4.compress_block(b"\xc1")))):
        await client.xadd(names.keys(0) + b"out", {field: value})
        with pytest.raises(StoreUnavailable, match="written by another version"):
            await store.outbox(0, internal=False, after=None, limit=9)
        await client.delete(names.keys(0) + b"out")
    await client.aclose()


async def test_one_that_may_not_tell_whether_it_is_a_cluster_is_used_as_it_is(
    redis_part: Redis, names: Names
) -> None:
    client: Any = connect(redis_part.address)
    await client.execute_command("ACL SETUSER", names.prefix, "on", ">pw", "~*", "+@all", "-info")
    address = redis_part.address.replace("//", f"//{names.prefix}:pw@")
    store = RedisStore(RedisLink(address), names, patience=0.3)
    assert await store.commit(0, None, change(0))
    await store.close()
    await client.execute_command("ACL DELUSER", names.prefix)
    await client.aclose()


async def test_whoever_reads_without_end_ends_when_cancelled_at_any_moment(
    store: RedisStore,
) -> None:
    """redis-py sends within `asyncio.wait_for`, which loses a cancellation as it ends (3.11)."""
    await store.commit(0, None, change(0))

    async def reads() -> None:
        while True:
            await store.load(0, [b"k"])

    for turns in range(80):
        reading = asyncio.create_task(reads())
        for _ in range(20 + turns):
            await asyncio.sleep(0)
        reading.cancel()
        done, _ = await asyncio.wait([reading], timeout=2)
        assert done, f"not cancelled after {turns} turns"
