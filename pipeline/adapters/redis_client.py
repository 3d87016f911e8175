"""A connection to one server of Redis."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError


def connect(url: str, *, timeout: float = 5.0, connections: int = 64) -> Redis:
    """A client of one server; nothing is sent yet.

    `timeout` is for a connection and for each reply.
    """
    pool = BlockingConnectionPool.from_url(
        url, max_connections=connections, timeout=None, **common(timeout)
    )
    return Redis.from_pool(pool)


def common(timeout: float) -> dict[str, Any]:
    """What is the same for every connection."""
    return {
        "protocol": 2,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "socket_keepalive": True,
        # `Retrying` does it, and knows what may be repeated
        "retry": Retry(NoBackoff(), 0),
    }


async def in_cluster_mode(client: Redis) -> bool:
    """Whether it is a node of a cluster. One that must not tell is taken for a single one."""
    try:
        info = await client.info("cluster")
    except ResponseError:
        return False
    return bool(int(info.get("cluster_enabled", 0)))
