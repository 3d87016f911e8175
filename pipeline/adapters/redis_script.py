"""A Lua file as Redis runs it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from redis.exceptions import NoScriptError

from pipeline.adapters.redis_link import RedisLink

_HERE: Final = Path(__file__).parent


class Script:
    """Called by its digest; where the server does not know it, by its text, which it then keeps."""

    def __init__(self, link: RedisLink, name: str) -> None:
        self._link = link
        self._text = (_HERE / name).read_text(encoding="utf-8")
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[bytes], args: Sequence[Any]) -> Any:
        """One call; the keys share a slot."""
        try:
            return await self._link.call(keys[0], "EVALSHA", self._sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self._link.call(keys[0], "EVAL", self._text, len(keys), *keys, *args)

    async def many(self, calls: Sequence[Sequence[bytes]]) -> list[Any]:
        """Several calls without arguments in one round trip to each server."""
        try:
            return await self._link.many([("EVALSHA", self._sha, len(k), *k) for k in calls])
        except NoScriptError:
            return await self._link.many([("EVAL", self._text, len(k), *k) for k in calls])
