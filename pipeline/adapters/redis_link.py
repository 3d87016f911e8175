"""What the store speaks to: one Redis, or a cluster of them. Which it is, it says itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import (
    AskError,
    ClusterError,
    ConnectionError,  # noqa: A004
    TimeoutError,  # noqa: A004
)

from pipeline.adapters.redis_client import common, connect, in_cluster_mode
from pipeline.settings import redis_urls

T = TypeVar("T")

_PORT: Final = 6379
_CONNECTIONS: Final = 256
"""To one node of a cluster: beyond it a call fails, where one Redis lets it wait."""


class Server(Protocol):
    """One that takes writes."""

    async def execute_command(self, *command: Any) -> Any:
        """Send it there, whatever its keys are."""


class _Way(Protocol):
    async def call(self, key: bytes, command: Sequence[Any]) -> Any: ...

    async def many(self, commands: Sequence[Sequence[Any]]) -> list[Any]: ...

    async def servers(self) -> Sequence[Server]: ...

    async def close(self) -> None: ...


class RedisLink:
    """Sends commands to whoever has their keys. Nothing is sent before the first call."""

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        self._urls = redis_urls(url)
        self._timeout = timeout
        self._way: _Way | None = None
        self._finding = asyncio.Lock()

    async def call(self, key: bytes, *command: Any) -> Any:
        """One command; all its keys are in the slot of `key`."""
        return await self._use(lambda way: way.call(key, command))

    async def many(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Several at once, in no order; the keys of each share a slot."""
        return await self._use(lambda way: way.many(commands))

    async def servers(self) -> Sequence[Server]:
        """All that take writes."""
        return await self._use(lambda way: way.servers())

    async def close(self) -> None:
        """Close the connections."""
        way, self._way = self._way, None
        if way is not None:
            await way.close()

    async def _use(self, work: Callable[[_Way], Awaitable[T]]) -> T:
        way = self._way
        if way is None:
            async with self._finding:
                way = self._way = self._way or await self._find()
        return await work(way)

    async def _find(self) -> _Way:
        if len(self._urls) == 1:
            client = connect(self._urls[0], timeout=self._timeout)
            try:
                clustered = await in_cluster_mode(client)
            except BaseException:
                await client.aclose()
                raise
            if not clustered:
                return _One(client)
            await client.aclose()
        return _Cluster(self._urls, self._timeout)


class _One:
    def __init__(self, client: Redis) -> None:
        self._client: Any = client  # its types are unions of every setting

    async def call(self, _: bytes, command: Sequence[Any]) -> Any:
        return await self._client.execute_command(*command)

    async def many(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            answers: list[Any] = await pipe.execute()
            return answers

    async def servers(self) -> Sequence[Server]:
        return [self._client]

    async def close(self) -> None:
        await self._client.aclose()


class _Cluster:
    """By redis-py's nodes; but a call that fails is left to `Retrying`, and who has the slots is
    read anew before the next one.

    Sending it on at once, redis-py closes the connections of all other calls when a server is
    down, and fails at a server that is new and has its first slot half. A partition whose slot is
    being moved waits in any case: what its commits read and write is in two places.
    """

    def __init__(self, urls: Sequence[str], timeout: float) -> None:
        others = [urlsplit(url) for url in urls[1:]]
        self._client: Any = RedisCluster.from_url(
            urls[0],
            startup_nodes=[ClusterNode(each.hostname or "", each.port or _PORT) for each in others],
            max_connections=_CONNECTIONS,
            **common(timeout),
        )
        self._stale = False

    async def call(self, key: bytes, command: Sequence[Any]) -> Any:
        return await self._sent(
            lambda: self._client.get_node_from_key(key).execute_command(*command)
        )

    async def many(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        async def send() -> list[Any]:
            async with self._client.pipeline() as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                answers: list[Any] = await pipe.execute(allow_redirections=False)
                return answers

        return await self._sent(send)

    async def servers(self) -> Sequence[Server]:
        async def look() -> Sequence[Server]:
            nodes: list[Server] = self._client.get_primaries()
            return nodes

        return await self._sent(look)

    async def close(self) -> None:
        await self._client.aclose()

    async def _sent(self, send: Callable[[], Awaitable[T]]) -> T:
        await self._client.initialize()
        if self._stale:
            await self._client.nodes_manager.initialize()
            self._stale = False
        try:
            return await send()
        except (ConnectionError, TimeoutError, ClusterError, AskError):
            self._stale = True
            raise
