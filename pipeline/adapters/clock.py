"""The system's clock, and one that stands still until it is told."""

import asyncio
import heapq
import time
from itertools import count


class SystemClock:
    """Fulfils `Clock`."""

    def now(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(seconds)


class ManualClock:
    """Fulfils `Clock`: time passes by `advance`, or by each sleep where `running`."""

    def __init__(self, now: int = 0, *, running: bool = False) -> None:
        self._now = now
        self._running = running
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []

    def now(self) -> int:
        """See `Clock`."""
        return self._now

    def advance(self, milliseconds: int) -> None:
        """Let time pass; whoever's sleep ends by it goes on."""
        self.set(self._now + milliseconds)

    def set(self, now: int) -> None:
        """Make it a given instant, never an earlier one."""
        self._now = max(self._now, now)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            heapq.heappop(self._sleepers)[2].set()

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        until = self._now + seconds * 1000
        if self._running:
            await asyncio.sleep(0)
            self.set(max(self._now, -int(-until // 1)))
            return
        if until <= self._now:
            await asyncio.sleep(0)
            return
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (until, next(self._order), woken))
        await woken.wait()
