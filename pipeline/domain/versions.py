"""All versions of one journey that waits may be pinned to, and what else holds for its waits.

That is what an apply ruled on those that are open, and whether the journey is paused. Both are by
journey, whatever version a wait is pinned to, and both are asked whenever facts are taken or due:
a wait that was on its way to another partition when a rulebook came into force is met there.
"""

from typing import Literal, NamedTuple

from pipeline.domain.rules import Journey


class Ruling(NamedTuple):
    """What becomes of open waits of older versions; 0: nothing.

    Those below `drop` end, of the others those below `move` go on under that version. Rulings of
    several applies make one: the larger of each, in whatever order they are met.
    """

    drop: int = 0
    move: int = 0

    def also(self, other: "Ruling") -> "Ruling":
        """Both of them."""
        return Ruling(max(self.drop, other.drop), max(self.move, other.move))


class Pause(NamedTuple):
    """The last pause of a journey, in log times of one partition; `until` None: it goes on."""

    since: int
    until: int | None = None


class Versions(dict[int, Journey]):
    """A journey's versions by number."""

    __slots__ = ("pause", "ruling")

    def __init__(
        self, versions: dict[int, Journey], ruling: Ruling | None = None, pause: Pause | None = None
    ) -> None:
        """Without a ruling open waits go on as they are."""
        super().__init__(versions)
        self.ruling = ruling or Ruling()
        self.pause = pause

    @property
    def paused(self) -> bool:
        """Whether nothing of it fires now."""
        return self.pause is not None and self.pause.until is None

    def too_late(self, best_before: int) -> Literal["best_before", "paused"]:
        """Why what was of use up to this instant expired: it passed in a pause, or it did not."""
        pause = self.pause
        if pause is None or best_before < pause.since:
            return "best_before"
        return "paused" if pause.until is None or best_before < pause.until else "best_before"
