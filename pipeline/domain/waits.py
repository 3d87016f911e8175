"""Rule 5: which waits the starts and cancels of one key give, taken in order of event time.

The first start is the *anchor* of a wait. The wait ends at the first cancel from
`anchor - lookback` to its last deadline, or else at that deadline; starts up to there belong to
it, a later one opens the next. What was decided stays: an anchor with a settled step is *pinned*.

`derive` is a function of the facts alone; `journey.py` compares what it gives with how the starts
stood before, and settles steps.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, TypeAlias

from pipeline.domain.facts import Cancel, Facts, Start
from pipeline.domain.rules import Journey
from pipeline.domain.schedule import deadline, in_order, last_deadline
from pipeline.domain.times import to_datetime

Versions: TypeAlias = Mapping[int, Journey]
Standing: TypeAlias = tuple[Literal["superseded", "ignored"], str]
"""Outcome and reason of a start that is no anchor."""

STALE: Standing = ("ignored", "stale_start")
ONCE: Standing = ("ignored", "once")
REPEAT: Standing = ("superseded", "repeat")
RESTART: Standing = ("superseded", "restart")
MERGED: Standing = ("superseded", "merged")


@dataclass(slots=True)
class Wait:
    """An anchor and its rule; `members` are the starts that belong to it and are not its anchor."""

    anchor: Start
    journey: Journey
    members: list[Start] = field(default_factory=list)

    def deadline(self, step: int) -> int:
        """Event time by which the cancel must have come."""
        return deadline(self.journey.steps[step - 1], self.anchor)

    @property
    def over(self) -> bool:
        """Every step is settled."""
        return not self.open_steps()

    def open_steps(self) -> list[int]:
        """Numbers of the steps that are not settled, by deadline."""
        settled = self.anchor.settled
        steps = in_order(self.journey, self.anchor)
        return [step.number for step in steps if step.number not in settled]

    def due(self, step: int) -> int:
        """Rule 7: the log time from which on the step is decided."""
        return max(self.deadline(step), self.anchor.taken_at) + self.journey.lateness


@dataclass(slots=True)
class Derived:
    """The waits in order, and how every other start stands (by identity)."""

    waits: list[Wait] = field(default_factory=list)
    others: dict[tuple[str, str], Standing] = field(default_factory=dict)


def ends(journey: Journey, anchor: Start, cancel: Cancel) -> bool:
    """Whether this cancel means the anchor's wait, its time left aside.

    A condition that reads `start` and cannot be judged counts: in doubt nobody is called.
    """
    if journey.version in cancel.sure:
        return True
    if journey.version not in cancel.maybe:
        return False
    start = anchor.names() | {"timestamp": to_datetime(anchor.ref.time)}
    names = {
        "properties": cancel.properties,
        "context": cancel.context,
        "type": cancel.type,
        "event": cancel.ref.event,
        "start": start,
    }
    return any(
        pattern.where is not None
        and pattern.where.uses_start
        and pattern.type == cancel.type
        and pattern.name in {None, cancel.ref.event}
        and pattern.where(names) is not False
        for pattern in journey.unless
    )


def means(cancel: Cancel, anchor: Start, versions: Versions) -> bool:
    """Whether it counts for the anchor's wait: from `anchor - lookback` on, however late (rule 6).

    What was taken before a re-evaluation counts by the version of that time: a merge may bring it
    only now. So does what was taken before there was the anchor's version: a start may be late.
    """
    journey = versions[anchor.version]
    if cancel.ref.time < anchor.ref.time - journey.lookback:
        return False
    return ends(_of_its_time(cancel, journey, versions), anchor, cancel) or any(
        cancel.taken_at <= former.until and ends(versions[former.version], anchor, cancel)
        for former in anchor.former
    )


def comparable(old: Journey, new: Journey) -> bool:
    """Whether a wait of the old version can go on under the new one: its facts stand as they do."""
    return old.key == new.key and old.match == new.match


def _of_its_time(cancel: Cancel, journey: Journey, versions: Versions) -> Journey:
    """The version by which a cancel is looked at: the anchor's, or the newest that there was."""
    newest = cancel.newest or max((*cancel.sure, *cancel.maybe), default=0)
    former = versions.get(newest) if newest < journey.version else None
    return journey if former is None or not comparable(former, journey) else former


def first_cancel(anchor: Start, cancels: Sequence[Cancel], versions: Versions) -> Cancel | None:
    """The first of those that count; `cancels` as `Facts.in_order` has them."""
    earliest = anchor.ref.time - versions[anchor.version].lookback
    first = bisect_left(cancels, earliest, key=lambda cancel: cancel.ref.time)
    later = islice(cancels, first, None)
    return next((cancel for cancel in later if means(cancel, anchor, versions)), None)


def wait_end(anchor: Start, cancels: Sequence[Cancel], versions: Versions) -> int:
    """Up to where, by event time, starts belong to the wait; `cancels` as for `first_cancel`."""
    last = last_deadline(versions[anchor.version], anchor)
    cancel = first_cancel(anchor, cancels, versions)
    if cancel is not None and cancel.ref.time <= last:
        last = max(anchor.ref.time, cancel.ref.time)
    return last if anchor.ended is None else min(last, anchor.ended)


def derive(facts: Facts, versions: Versions) -> Derived:
    """All waits of one key, from nothing but its facts."""
    starts = sorted((s for s in facts.starts if not s.closed), key=lambda start: start.order)
    pinned = [start for start in starts if start.settled]
    cancels = facts.in_order()
    derived = Derived()
    queue = starts[::-1]
    while queue:
        start = queue.pop()
        journey = versions[start.version]
        if journey.once and _other_is_the_one(start, facts, pinned, derived):
            derived.others[start.identity] = ONCE
        elif _came_too_late(start, pinned):
            derived.others[start.identity] = STALE
        else:
            wait = Wait(start, journey)
            while queue and queue[-1].ref.time <= wait_end(wait.anchor, cancels, versions):
                _join(wait, queue.pop(), pinned, derived, versions)
            derived.waits.append(wait)
    return derived


def _other_is_the_one(start: Start, facts: Facts, pinned: list[Start], derived: Derived) -> bool:
    if start.settled:
        return bool(derived.waits)
    # an earlier unknown start is stale rather than one too many: both open nothing
    late = bool(pinned) and (start.known or pinned[0].order < start.order)
    return facts.once_done or bool(derived.waits) or late


def _came_too_late(start: Start, pinned: list[Start]) -> bool:
    """It first stands as a wait when a later one has a decided step."""
    return not start.settled and not start.known and bool(pinned) and start.order < pinned[-1].order


def _join(
    wait: Wait, start: Start, pinned: list[Start], derived: Derived, versions: Versions
) -> None:
    """A start within the wait: it takes the anchor's place, or belongs to it."""
    if _takes_over(wait, start, pinned):
        merged = bool(start.settled)
        derived.others[wait.anchor.identity] = MERGED if merged else RESTART
        wait.members.append(wait.anchor)
        wait.anchor, wait.journey = start, versions[start.version]
        return
    wait.members.append(start)
    derived.others[start.identity] = _standing(wait, start, pinned)


def _takes_over(wait: Wait, start: Start, pinned: list[Start]) -> bool:
    anchor = wait.anchor
    restart = wait.journey.repeat == "restart"
    if start.settled:
        return restart or not anchor.settled
    if not restart or _came_too_late(start, pinned):
        return False
    # a deadline before the anchor would let a start of the same instant begin all steps anew
    # and a version with fewer steps knows no deadline of what was decided before it
    known = [step for step in anchor.settled if step <= len(wait.journey.steps)]
    decided = [max(anchor.ref.time, wait.deadline(step)) for step in known]
    return not decided or start.ref.time > max(decided)


def _standing(wait: Wait, start: Start, pinned: list[Start]) -> Standing:
    if start.settled or start.known:
        return MERGED
    if wait.over or wait.journey.repeat == "restart" or _came_too_late(start, pinned):
        return STALE
    return REPEAT
