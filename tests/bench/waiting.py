"""Waiting for what can only be polled."""

import asyncio
import time
from collections.abc import Callable

_PAUSE = 0.02


async def until(reached: Callable[[], bool], seconds: float) -> bool:
    """Whether it was reached in time."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if reached():
            return True
        await asyncio.sleep(_PAUSE)
    return reached()
