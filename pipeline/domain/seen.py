"""Which messageIds were taken within the last 24 hours of log time (rule 3)."""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from pipeline.domain.times import DAY

WINDOW: Final = DAY
SEEN_MAX: Final = 10_000
"""Of one person or device; beyond it the oldest are forgotten first."""


@dataclass(slots=True)
class Seen:
    """Digests of messageIds with the log time at which they were taken, oldest first."""

    taken: dict[bytes, int] = field(default_factory=dict)

    def repeats(self, message_id: str, now: int) -> bool:
        """Whether it was taken before; if not, it is now."""
        taken = self.taken
        for oldest in taken:
            if now - taken[oldest] > WINDOW or len(taken) >= SEEN_MAX:
                self._forget(now)
            break
        digest = blake2b(message_id.encode(), digest_size=12).digest()
        if digest in taken:
            return True
        taken[digest] = now
        return False

    def join(self, other: "Seen") -> None:
        """Of two sides of a merge the later taking counts: the window is counted from there."""
        for digest, at in other.taken.items():
            self.taken[digest] = max(at, self.taken.get(digest, at))
        self.taken = dict(sorted(self.taken.items(), key=lambda item: item[1]))

    def _forget(self, now: int) -> None:
        while self.taken:
            oldest = next(iter(self.taken))
            if now - self.taken[oldest] <= WINDOW and len(self.taken) < SEEN_MAX:
                return
            del self.taken[oldest]
