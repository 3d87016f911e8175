"""The servers of a Redis one by one, for who looks at them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError

from pipeline.adapters.redis_client import connect, in_cluster_mode
from pipeline.settings import redis_urls


@asynccontextmanager
async def primaries(url: str, *, timeout: float) -> AsyncIterator[dict[str, Redis]]:
    """A client for each server that takes writes, by its address."""
    async with AsyncExitStack() as stack:

        def opened(one: str) -> Redis:
            client = connect(one, timeout=timeout)
            stack.push_async_callback(client.aclose)
            return client

        given = {one: opened(one) for one in redis_urls(url)}
        one, clustered = await _first_that_answers(given)
        parts = urlsplit(one)
        if not clustered:
            yield {parts.hostname or parts.path: given[one]}
            return
        node: Any = given[one]
        served = await node.execute_command("CLUSTER SLOTS")
        # from, to, its primary, its replicas; who does not know his own address says none
        places = {(each[2][0].decode() or parts.hostname, each[2][1]) for each in served}
        login, at, _ = parts.netloc.rpartition("@")
        yield {
            f"{host}:{port}": opened(parts._replace(netloc=f"{login}{at}{host}:{port}").geturl())
            for host, port in sorted(places)
        }


async def _first_that_answers(clients: dict[str, Redis]) -> tuple[str, bool]:
    """Its address, and whether it is a node of a cluster."""
    *others, last = clients
    for one in others:
        try:
            return one, await in_cluster_mode(clients[one])
        except (RedisError, OSError):
            continue
    return last, await in_cluster_mode(clients[last])
