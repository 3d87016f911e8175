"""Whether what comes in is garbage: a topic of it must not be drained into the dead letters."""

from collections import Counter, deque
from typing import Final

from pipeline.process.normalize import Normalized

RUN_MAX: Final = 1_000
"""So many unusable raw records in a row mean that something is wrong with all of them."""

SHARE_MAX: Final = 0.5
WINDOW: Final = 5_000
"""Among so many, more than this share of unusable ones mean that a producer is broken."""


class Garbage:
    """Of one worker: counts as batches are normalized."""

    def __init__(self) -> None:
        self._runs: Counter[int] = Counter()
        self._window: deque[tuple[int, int]] = deque()
        self._records = self._bad = 0

    def take(self, partition: int, records: int, result: Normalized) -> str | None:
        """Count a batch; what is wrong, in words, where it is too much."""
        before = self._runs[partition]
        all_bad = result.bad_run == records
        self._runs[partition] = before + records if all_bad else result.bad_run
        if self._runs[partition] > RUN_MAX:
            return f"more than {RUN_MAX} unusable records in a row"
        self._window.append((records, result.bad))
        self._records += records
        self._bad += result.bad
        while self._records - self._window[0][0] >= WINDOW:
            gone, bad = self._window.popleft()
            self._records -= gone
            self._bad -= bad
        if self._records >= WINDOW and self._bad > SHARE_MAX * self._records:
            return f"{self._bad} of the last {self._records} records unusable"
        return None
