"""What limits of scope person go by: when triggers went to a person, and what is on its way.

A union of facts like all of a profile: what comes together by a link or a merge counts together.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pipeline.domain.events import Channel
from pipeline.domain.outputs import Attempt

FIRED_MAX: Final = 1_000
"""Of one channel; no limit counts further than to 1,000, so the latest are enough."""


class Fired(NamedTuple):
    """A trigger went out, to whichever address."""

    channel: Channel
    at: int


class UnderWay(NamedTuple):
    """An attempt is at an address, which has not told yet what came of it.

    `late_at`: the first tick after its best-before. At that one the address judges it at the
    latest, and by the next one its answer is here, if there is any.
    """

    channel: Channel
    expires_at: int
    late_at: int | None = None

    @property
    def due(self) -> int:
        """When it is to be looked at."""
        return 1 + (self.expires_at if self.late_at is None else self.late_at)


class Queued(NamedTuple):
    """An attempt that waits its turn. `ready_at`: when all of its instant were in line, too;
    None: more may be coming.
    """

    attempt: Attempt
    ready_at: int | None = None


@dataclass(slots=True)
class Caps:
    """By trigger id: what waits, what is under way, what fired within the longest limit."""

    line: dict[str, Queued] = field(default_factory=dict)
    under_way: dict[str, UnderWay] = field(default_factory=dict)
    fired: dict[str, Fired] = field(default_factory=dict)

    def join(self, other: "Caps") -> None:
        """Take over what another side of a link or a merge has."""
        self.line |= other.line
        self.under_way |= other.under_way
        self.fired |= other.fired

    def room_at(self, channel: Channel, most: int, per: int) -> int:
        """The instant from which one more trigger keeps to the limit; 0 where it does already."""
        fired = self._fired(channel)
        return fired[-most] + per if len(fired) >= most else 0

    def forget(self, now: int, remembers: Callable[[Channel], int]) -> None:
        """Drop what is older than what limits of its channel remember."""
        oldest: dict[Channel, int] = {}
        for channel in {fired.channel for fired in self.fired.values()}:
            latest = self._fired(channel)[-FIRED_MAX:]
            oldest[channel] = max(latest[0], now - remembers(channel) + 1)
        self.fired = {
            trigger: fired
            for trigger, fired in self.fired.items()
            if fired.at >= oldest[fired.channel]
        }

    def due(self) -> int | None:
        """When somebody's turn comes, or something has waited in vain."""
        dues = [queued.attempt.expires_at + 1 for queued in self.line.values()]
        dues += [attempt.due for attempt in self.under_way.values()]
        if not self.under_way:
            dues += [q.ready_at for q in self.line.values() if q.ready_at is not None]
        return min(dues, default=None)

    def is_empty(self) -> bool:
        """Nothing that counts."""
        return not (self.line or self.under_way or self.fired)

    def _fired(self, channel: Channel) -> list[int]:
        return sorted(fired.at for fired in self.fired.values() if fired.channel == channel)
