"""The state store in Redis (6.2 or later) or Valkey: one script call is one commit.

Keys of partition 7 begin with the prefix and `{p7}:`: `wm` the watermark, `e:` and a key an
entity, `due` the index of instants, `int` and `out` the outboxes, streams whose ids are the marks.
`{pipeline}:guard` tells whose state it is.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Final, TypeVar

from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_outbox import entries_of, id_mark, items, mark_id
from pipeline.adapters.redis_retrying import Retrying
from pipeline.adapters.redis_script import Script
from pipeline.names import Names
from pipeline.ports import TOGETHER, Change, Entry, Mark, Progress

T = TypeVar("T")

_MAX_OFFSET: Final = 2**53
"""Lua counts in doubles."""
_SCAN: Final = 2_000
_NOT_LATER: Final = "an outbox entry is not later than those before it"


class RedisStore:
    """Fulfils `Store` and `GuardStore`. A Redis that restarts is waited for; see `Retrying`."""

    def __init__(self, link: RedisLink, names: Names, *, patience: float = 30.0) -> None:
        self._link = link
        self._names = names
        self._retrying = Retrying(patience)
        self._commit = Script(link, "commit.lua")
        self._due = Script(link, "due.lua")
        self._progress = Script(link, "progress.lua")
        self._keys: dict[int, _Keys] = {}
        self._guard = names.pipeline_key("guard")

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()

    async def watermark(self, partition: int) -> Mark | None:
        """See `Store`."""
        return _watermark(await self._ask(self._of(partition).watermark, "GET"))

    async def load(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Store`."""
        return (await self.load_at(partition, keys))[1]

    async def load_at(
        self, partition: int, keys: Sequence[bytes]
    ) -> tuple[Mark | None, list[bytes | None]]:
        """See `Store`."""
        stored = self._of(partition)
        names = (stored.entity + key for key in keys)
        found: list[bytes | None] = await self._ask(stored.watermark, "MGET", *names)
        return _watermark(found[0]), found[1:]

    async def due(self, partition: int, until: int, limit: int, skip: int = 0) -> list[bytes]:
        """See `Store`."""
        return (await self.due_at(partition, until, limit, skip))[1]

    async def due_at(
        self, partition: int, until: int, limit: int, skip: int = 0
    ) -> tuple[Mark | None, list[bytes]]:
        """See `Store`."""
        stored = self._of(partition)
        call = partial(self._due, [stored.watermark, stored.due], [until, skip, limit])
        watermark, keys = await self._do(call)
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
            raise ValueError(_NOT_LATER)
        return bool(written)

    async def outbox(
        self, partition: int, *, internal: bool, after: Mark | None, limit: int
    ) -> list[Entry]:
        """See `Store`."""
        stream = self._of(partition).outbox(internal=internal)
        found: list[Entry] = []
        count = limit // TOGETHER + 1
        while len(found) < limit:
            start = b"-" if after is None else b"(" + mark_id(after)
            page = await self._ask(stream, "XRANGE", start, "+", "COUNT", count)
            for name, fields in page:
                entries = entries_of(name, fields)
                found += [entry for entry in entries if after is None or entry.mark > after]
            if len(page) < count:
                break
            after = found[-1].mark
        return found[:limit]

    async def trim(self, partition: int, *, internal: bool, upto: Mark) -> None:
        """See `Store`."""
        stream = self._of(partition).outbox(internal=internal)
        await self._ask(stream, "XTRIM", "MINID", mark_id(Mark(upto.offset, upto.index + 1)))

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
        found: bytes | None = await self._ask(self._guard, "GET")
        return found

    async def identify(self, value: bytes, *, replace: bool = False) -> None:
        """See `GuardStore`."""
        await self._ask(self._guard, "SET", value, *(() if replace else ("NX",)))

    async def forget(self, partition: int) -> None:
        """See `GuardStore`."""
        keys = self._of(partition)
        await self._ask(keys.watermark, "DEL")
        # in a cluster a slot that is being moved has keys on two servers
        for server in await self._do(self._link.servers):
            scan = partial(server.execute_command, "SCAN")
            cursor: Any = 0
            while True:
                page = partial(scan, cursor, "MATCH", keys.stem + b"*", "COUNT", _SCAN)
                cursor, found = await self._do(page)
                if found:
                    await self._ask(found[0], "UNLINK", *found[1:])
                if not cursor:
                    break

    def _of(self, partition: int) -> "_Keys":
        keys = self._keys.get(partition)
        if keys is None:
            keys = self._keys[partition] = _Keys(self._names.keys(partition))
        return keys

    async def _do(self, call: Callable[[], Awaitable[T]]) -> T:
        return await self._retrying.do(call)

    async def _ask(self, key: bytes, command: str, *args: Any) -> Any:
        """A command whose first argument is the key."""
        return await self._do(lambda: self._link.call(key, command, key, *args))


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


def _arguments(keys: _Keys, expected: Mark | None, change: Change) -> tuple[list[bytes], list[Any]]:
    entity = keys.entity
    sets = {k: v for k, v in change.entities.items() if v is not None}
    dels = [entity + k for k, v in change.entities.items() if v is None]
    dues = {k: v for k, v in change.due.items() if v is not None}
    undues = [k for k, v in change.due.items() if v is None]
    outboxes = [items(entries) for entries in (change.internal, change.outward)]
    args: list[Any] = [
        b"" if expected is None else mark_id(expected),
        mark_id(change.watermark),
        f"{secrets.token_hex(8)}|{','.join(map(str, change.causes))}",
        len(sets),
        len(dels),
        len(dues),
        len(undues),
        *(len(each) // 3 for each in outboxes),
        *sets.values(),
    ]
    for key, instant in dues.items():
        args += (instant, key)
    args += undues
    for each in outboxes:
        args += each
    names = [keys.watermark, keys.due, keys.internal, keys.outward]
    names += [entity + k for k in sets]
    names += dels
    return names, args


def _check(expected: Mark | None, change: Change) -> None:
    if change.watermark.offset >= _MAX_OFFSET:
        raise ValueError(f"offset {change.watermark.offset} is beyond what a script can compare")
    if expected is not None and change.watermark <= expected:
        raise ValueError(f"watermark {change.watermark} is not later than {expected}")
    for entries in (change.internal, change.outward):
        if any(next_.mark <= entry.mark for entry, next_ in pairwise(entries)):
            raise ValueError(_NOT_LATER)


def _watermark(stored: bytes | None) -> Mark | None:
    return id_mark(stored.partition(b"|")[0]) if stored else None


def _progress(watermark: bytes, unpublished: bytes, due: bytes) -> Progress:
    causes = watermark.split(b"|")[2:]  # none where version 1 wrote it
    return Progress(
        _watermark(watermark) or Mark(0, 0),
        id_mark(unpublished) if unpublished else None,
        int(float(due)) if due else None,
        tuple(map(int, causes[0].split(b","))) if causes and causes[0] else (),
    )
