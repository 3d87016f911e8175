"""The state store in Redis (6.2 or later) or Valkey: one script call is one commit.

Keys of partition 7 begin with the prefix and `{p7}:`: `wm` the watermark, `e:` and a key an
entity, `due` the index of instants, `int` and `out` the outboxes, streams whose ids are the marks.
`{pipeline}:guard` tells whose state it is.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from pipeline.adapters.redis_client import Retrying
from pipeline.ports import Change, Entry, Mark, Progress, StoreUnavailable
from pipeline.settings import Names

T = TypeVar("T")

_HERE: Final = Path(__file__).parent
_MAX_OFFSET: Final = 2**53
"""Lua counts in doubles."""
_SCAN: Final = 2_000


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    """An outbox entry without its mark, which is its id in the stream."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    partition: int | None


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Packed).decode


class RedisStore:
    """Fulfils `Store` and `GuardStore`. A Redis that restarts is waited for; see `Retrying`."""

    def __init__(self, client: Redis, names: Names, *, patience: float = 30.0) -> None:
        self._client: Any = client  # its types are unions of every setting
        self._names = names
        self._retrying = Retrying(patience)
        self._commit = _Script(client, "commit.lua")
        self._progress = _Script(client, "progress.lua")
        self._keys: dict[int, _Keys] = {}
        self._guard = names.pipeline_key("guard")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def watermark(self, partition: int) -> Mark | None:
        """See `Store`."""
        return _watermark(await self._do(lambda: self._client.get(self._of(partition).watermark)))

    async def load(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Store`."""
        return (await self.load_at(partition, keys))[1]

    async def load_at(
        self, partition: int, keys: Sequence[bytes]
    ) -> tuple[Mark | None, list[bytes | None]]:
        """See `Store`."""
        stored = self._of(partition)
        names = [stored.watermark, *(stored.entity + key for key in keys)]
        found: list[bytes | None] = await self._do(lambda: self._client.mget(names))
        return _watermark(found[0]), found[1:]

    async def due(self, partition: int, until: int, limit: int, skip: int = 0) -> list[bytes]:
        """See `Store`."""
        return (await self.due_at(partition, until, limit, skip))[1]

    async def due_at(
        self, partition: int, until: int, limit: int, skip: int = 0
    ) -> tuple[Mark | None, list[bytes]]:
        """See `Store`."""
        stored = self._of(partition)

        async def look() -> list[Any]:
            async with self._client.pipeline(transaction=True) as pipe:
                pipe.get(stored.watermark)
                pipe.execute_command(
                    "ZRANGEBYSCORE", stored.due, "-inf", until, "LIMIT", skip, limit
                )
                answers: list[Any] = await pipe.execute()
                return answers

        watermark, keys = await self._do(look)
        return _watermark(watermark), keys

    async def commit(self, partition: int, expected: Mark | None, change: Change) -> bool:
        """See `Store`.

        Where the reply is lost the script is sent again with the same token. The stored watermark
        carries the token of the commit that wrote it, so success is reported only if this very
        change was written, never because another owner came equally far.
        """
        _check(expected, change)
        keys, args = _arguments(self._of(partition), expected, change)
        written = await self._do(lambda: self._commit(keys, args))
        if written < 0:
            raise ValueError("an outbox entry is not later than those before it")
        return bool(written)

    async def outbox(
        self, partition: int, *, internal: bool, after: Mark | None, limit: int
    ) -> list[Entry]:
        """See `Store`."""
        stream = self._of(partition).outbox(internal=internal)
        start = b"-" if after is None else b"(" + _id(after)
        found = await self._do(
            lambda: self._client.execute_command("XRANGE", stream, start, "+", "COUNT", limit)
        )
        return [_entry(name, fields) for name, fields in found]

    async def trim(self, partition: int, *, internal: bool, upto: Mark) -> None:
        """See `Store`."""
        stream = self._of(partition).outbox(internal=internal)
        keep = _id(Mark(upto.offset, upto.index + 1))
        await self._do(lambda: self._client.execute_command("XTRIM", stream, "MINID", keep))

    async def progress(self, partitions: Iterable[int]) -> Mapping[int, Progress]:
        """See `Store`."""
        wanted = list(partitions)
        if not wanted:
            return {}
        keys = [self._of(p) for p in wanted]
        found = await self._do(
            lambda: self._progress.many([[k.watermark, k.due, k.internal] for k in keys])
        )
        return {p: _progress(*answer) for p, answer in zip(wanted, found, strict=True)}

    async def identity(self) -> bytes | None:
        """See `GuardStore`."""
        found: bytes | None = await self._do(lambda: self._client.get(self._guard))
        return found

    async def identify(self, value: bytes, *, replace: bool = False) -> None:
        """See `GuardStore`."""
        await self._do(lambda: self._client.set(self._guard, value, nx=not replace))

    async def forget(self, partition: int) -> None:
        """See `GuardStore`."""
        keys = self._of(partition)
        await self._do(lambda: self._client.delete(keys.watermark))
        cursor: Any = 0
        while True:
            scan = partial(self._client.scan, cursor, match=keys.stem + b"*", count=_SCAN)
            cursor, found = await self._do(scan)
            if found:
                await self._do(partial(self._client.unlink, *found))
            if not cursor:
                return

    def _of(self, partition: int) -> "_Keys":
        keys = self._keys.get(partition)
        if keys is None:
            keys = self._keys[partition] = _Keys(self._names.keys(partition))
        return keys

    async def _do(self, call: Callable[[], Awaitable[T]]) -> T:
        return await self._retrying.do(call)


class _Keys:
    __slots__ = ("due", "entity", "internal", "outward", "stem", "watermark")

    def __init__(self, stem: bytes) -> None:
        self.stem = stem
        self.watermark = stem + b"wm"
        self.due = stem + b"due"
        self.internal = stem + b"int"
        self.outward = stem + b"out"
        self.entity = stem + b"e:"

    def outbox(self, *, internal: bool) -> bytes:
        return self.internal if internal else self.outward


class _Script:
    """A Lua file, called by its digest; loaded where the server does not know it."""

    def __init__(self, client: Redis, name: str) -> None:
        self._text = (_HERE / name).read_text(encoding="utf-8")
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()
        self._client: Any = client

    async def __call__(self, keys: Sequence[bytes], args: Sequence[Any]) -> Any:
        async def call() -> Any:
            return await self._client.execute_command("EVALSHA", self._sha, len(keys), *keys, *args)

        return await self._loaded(call)

    async def many(self, calls: Sequence[Sequence[bytes]]) -> list[Any]:
        """Several calls without arguments in one round trip."""

        async def call() -> list[Any]:
            async with self._client.pipeline(transaction=False) as pipe:
                for keys in calls:
                    pipe.execute_command("EVALSHA", self._sha, len(keys), *keys)
                answers: list[Any] = await pipe.execute()
                return answers

        return await self._loaded(call)

    async def _loaded(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await call()
        except NoScriptError:
            await self._client.script_load(self._text)
            return await call()


def _arguments(keys: _Keys, expected: Mark | None, change: Change) -> tuple[list[bytes], list[Any]]:
    entity = keys.entity
    sets = {k: v for k, v in change.entities.items() if v is not None}
    dels = [entity + k for k, v in change.entities.items() if v is None]
    dues = {k: v for k, v in change.due.items() if v is not None}
    undues = [k for k, v in change.due.items() if v is None]
    outboxes = (change.internal, change.outward)
    args: list[Any] = [
        b"" if expected is None else _id(expected),
        _id(change.watermark),
        secrets.token_hex(8),
        len(sets),
        len(dels),
        len(dues),
        len(undues),
        *(len(entries) for entries in outboxes),
        *sets.values(),
    ]
    for key, instant in dues.items():
        args += (instant, key)
    args += undues
    for entries in outboxes:
        for entry in entries:
            args += (_id(entry.mark), _pack(entry))
    names = [keys.watermark, keys.due, keys.internal, keys.outward]
    names += [entity + k for k in sets]
    names += dels
    return names, args


def _check(expected: Mark | None, change: Change) -> None:
    if change.watermark.offset >= _MAX_OFFSET:
        raise ValueError(f"offset {change.watermark.offset} is beyond what a script can compare")
    if expected is not None and change.watermark <= expected:
        raise ValueError(f"watermark {change.watermark} is not later than {expected}")


def _id(mark: Mark) -> bytes:
    return b"%d-%d" % mark


def _mark(name: bytes) -> Mark:
    offset, index = name.split(b"-")
    return Mark(int(offset), int(index))


def _watermark(stored: bytes | None) -> Mark | None:
    return _mark(stored.partition(b"|")[0]) if stored else None


def _progress(watermark: bytes, unpublished: bytes, due: bytes) -> Progress:
    return Progress(
        _watermark(watermark) or Mark(0, 0),
        _mark(unpublished) if unpublished else None,
        int(float(due)) if due else None,
    )


def _pack(entry: Entry) -> bytes:
    return _encode(_Packed(entry.topic, entry.key, entry.value, entry.headers, entry.partition))


def _entry(name: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    try:
        packed = _decode(fields[b"e"])
    except msgspec.DecodeError as error:
        raise StoreUnavailable(
            f"Redis: outbox entry {name.decode()} can't be read ({error}):"
            " it was written by another version; run that one until its outbox is empty"
        ) from None
    return Entry(
        _mark(name), packed.topic, packed.key, packed.value, packed.headers, packed.partition
    )
