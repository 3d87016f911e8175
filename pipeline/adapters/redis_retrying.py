"""What is done when the connection to Redis breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterError,
    ConnectionError,  # noqa: A004
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
    TryAgainError,
)

from pipeline.ports import StoreUnavailable

T = TypeVar("T")

_PASSING: Final = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    OSError,
    ClusterError,
    TryAgainError,
    AskError,
    RedisClusterException,
)
"""Restarting, loading, failing over, moving a slot: worth waiting for."""
_LASTING: Final = (AuthenticationError, AuthorizationError)
_PASSING_CODES: Final = ("BUSY ", "NOREPLICAS", "MISCONF")
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class Retrying:
    """Repeats a call while Redis can't be reached, for as long as `patience` says.

    Everything the store sends may be repeated: reads, trims, and commits by their token.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience

    async def do(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it works.

        Raises:
            StoreUnavailable: when patience has run out, or at once for a refusal that won't pass.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        pause = _FIRST_PAUSE
        asked = _cancels()
        while True:
            try:
                found = await call()
            except (RedisError, RedisClusterException, OSError) as error:
                if not _passing(error) or loop.time() + pause > deadline:
                    raise _unavailable(error) from error
            else:
                if _cancels() > asked:
                    # redis-py sends within `asyncio.wait_for`, which in Python 3.11 loses a
                    # cancellation that comes just as it ends; nothing would end this task then
                    raise asyncio.CancelledError
                return found
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _cancels() -> int:
    """How often the task that runs was asked to end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _passing(error: Exception) -> bool:
    if isinstance(error, ResponseError) and str(error).startswith(_PASSING_CODES):
        return True
    return isinstance(error, _PASSING) and not isinstance(error, _LASTING)


def _unavailable(error: Exception) -> StoreUnavailable:
    text = str(error).partition("\n")[0] or type(error).__name__
    if "maxmemory" in text:
        remedy = "it is out of memory: raise maxmemory (policy noeviction), or free some"
    elif isinstance(error, ResponseError) and not _passing(error):
        remedy = "it refuses: see the message, and that no other program writes this database"
    else:
        remedy = "it can't be reached: check that it runs and REDIS_URL"
    return StoreUnavailable(f"Redis: {text}: {remedy}")
