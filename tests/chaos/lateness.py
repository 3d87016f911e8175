"""A worker whose threads come late, as on overloaded cores, so that what is rare is not.

A fetch that was under way when a rebalance began takes its records when the new partitions have
been begun and Faust has not gone on yet: Faust drops those (`pipeline/worker/ledger.py`).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pipeline.worker import taking, thread
from pipeline.worker.consumer import BatchConsumer

FETCHED_LATE: Final = 2.0
"""Seconds at most."""
GONE_ON_LATE: Final = 2.0
"""Seconds in which a fetch of before may come to its records."""


def _late(inner: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(random.uniform(0.0, FETCHED_LATE))
        return await inner(*args, **kwargs)

    return wrapped


def install() -> None:
    """Wrap the product's functions."""
    seek = BatchConsumer.perform_seek

    async def perform_seek(self: BatchConsumer) -> None:
        await seek(self)
        await asyncio.sleep(GONE_ON_LATE)

    setattr(thread, "take", _late(taking.take))  # noqa: B010
    setattr(BatchConsumer, "perform_seek", perform_seek)  # noqa: B010
