"""The waits of one key (rules 5, 6, 11): derived anew from starts, cancels and what was decided."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tests.oracle.cel import holds
from tests.oracle.events import Event, look_up
from tests.oracle.rulebook import Journey, Pattern, Step
from tests.oracle.times import date

WAIT, SUPERSEDED, STALE, ONCE = "wait", "superseded", "stale_start", "once"


@dataclass(eq=False)
class Start:
    """A start that was taken, with what happened to its steps and how it last stood."""

    event: Event
    journey: Journey
    key: str | None
    closed: dict[int, str] = field(default_factory=dict)  # step -> outcome, never taken back
    last_decided_at: int = 0  # log time
    stood: bool = False  # was the anchor of a wait of this person at some time
    person: tuple[str, str] | None = None  # whose it was then; with match: key nobody's
    barred: bool = False  # stale_start for good
    forgotten: bool = False
    ended: int | None = None  # where its wait ended when something of its key was forgotten
    erased: bool = False  # its person is; only the times stay (match: key)
    status: str | None = None  # as it was last written

    @property
    def time(self) -> int:
        return self.event.time

    @property
    def decided(self) -> bool:
        return any(outcome != SUPERSEDED for outcome in self.closed.values())

    @property
    def over(self) -> bool:
        return len(self.closed) == len(self.steps)

    @property
    def last_decided_deadline(self) -> int:
        """Not before the anchor, as the end of its wait is not."""
        deadlines = [
            self.deadline(step)
            for step in self.steps
            if self.closed.get(step.number, SUPERSEDED) != SUPERSEDED
        ]
        return max([self.time, *deadlines])

    @property
    def variant(self) -> str | None:
        """By the anchor's own id alone."""
        if self.journey.experiment is None:
            return None
        basis = f"{self.journey.experiment}\0{self.journey.name}\0{self.event.own}"
        drawn = Fraction(int(hashlib.sha256(basis.encode()).hexdigest()[:16], 16), 2**64)
        for name, percent in self.journey.variants:
            drawn -= Fraction(str(percent)) / 100
            if drawn < 0:
                return name
        raise AssertionError("variants make 100 percent")

    @property
    def of_variant(self) -> list[Step]:
        variant = self.variant
        return [step for step in self.journey.steps if step.variant in (None, variant)]

    @property
    def steps(self) -> list[Step]:
        """Those that there are for its wait."""
        return [step for step in self.of_variant if self._named(step) is not None]

    def deadline(self, step: Step) -> int:
        named = self._named(step)
        return self.time if named is None else named

    def _named(self, step: Step) -> int | None:
        if step.until is None:
            return self.time + step.after
        day = date(look_up(step.until, self.event.scope()))
        if day is None or day + step.offset > self.time + step.after:
            return None
        return day + step.offset

    def order(self) -> tuple[int, str, str]:
        return (self.time, self.event.message_id, self.event.own or "")


@dataclass(eq=False)
class Cancel:
    event: Event
    journey: Journey
    key: str | None
    nameless: bool = False  # refused or erased id: counts with match: key only

    @property
    def time(self) -> int:
        return self.event.time


@dataclass
class Wait:
    anchor: Start
    members: list[Start]

    @property
    def known(self) -> bool:
        return any(start.stood or start.decided for start in self.members)

    @property
    def has_decided(self) -> bool:
        return any(start.decided for start in self.members)


def matches(pattern: Pattern, event: Event) -> bool:
    return pattern.type == event.type and pattern.name in (None, event.name)


def starts_it(journey: Journey, event: Event) -> bool:
    return any(
        matches(pattern, event) and holds(pattern.where, event.scope(), unjudged=False)
        for pattern in journey.start
    )


def names_cancel(journey: Journey, event: Event) -> bool:
    return any(matches(pattern, event) for pattern in journey.unless)


def cancels(cancel: Cancel, start: Start) -> bool:
    """Whether an event of the same key ends the steps of this start that are open (rule 6)."""
    journey = start.journey
    if cancel.time < start.time - journey.lookback:
        return False
    scope = {**cancel.event.scope(), "start": start.event.as_start()}
    return any(
        matches(pattern, cancel.event) and holds(pattern.where, scope, unjudged=True)
        for pattern in journey.unless
    )


def end_of(start: Start, known: Sequence[Cancel]) -> int:
    """Up to when further starts belong to the wait of this anchor."""
    last = max([start.time, *(start.deadline(step) for step in start.steps)])
    if start.ended is not None:
        last = min(last, start.ended)
    times = [cancel.time for cancel in known if cancel.time <= last and cancels(cancel, start)]
    return max(start.time, min(times)) if times else last


def derive(
    journey: Journey, starts: Sequence[Start], known: Sequence[Cancel]
) -> tuple[list[Wait], dict[Start, str]]:
    """The waits of one key in order of event time, and how every start of it stands."""
    standing: dict[Start, str] = {start: STALE for start in starts if start.barred}
    while True:
        usable = [start for start in starts if not start.barred and not start.forgotten]
        waits, inside = _in_order(journey, usable, known)
        late = next(
            (
                wait
                for n, wait in enumerate(waits)
                if not wait.known and any(later.has_decided for later in waits[n + 1 :])
            ),
            None,
        )
        if late is None:
            break
        late.anchor.barred = True  # becomes known when a later wait of its key has a decided step
        standing[late.anchor] = STALE
    standing |= inside
    if journey.once:
        the_one: Wait | None = None
        if not any(start.forgotten and start.stood for start in starts):
            the_one = next(
                (wait for wait in waits if wait.has_decided), waits[0] if waits else None
            )
        for wait in waits:
            if wait is not the_one:
                standing |= dict.fromkeys(wait.members, ONCE)
        waits = [the_one] if the_one else []
    return waits, standing


def _in_order(
    journey: Journey, starts: Sequence[Start], known: Sequence[Cancel]
) -> tuple[list[Wait], dict[Start, str]]:
    waits: list[Wait] = []
    standing: dict[Start, str] = {}
    for start in sorted(starts, key=Start.order):
        wait = waits[-1] if waits else None
        if wait is None or start.time > end_of(wait.anchor, known):
            waits.append(Wait(start, [start]))
            standing[start] = WAIT
            continue
        wait.members.append(start)
        before = wait.anchor
        if journey.restart:
            goes_on = (
                start.decided or not before.decided or start.time > before.last_decided_deadline
            )
        else:
            goes_on = start.decided and not before.decided
        if goes_on:
            wait.anchor = start
            standing[start], standing[before] = WAIT, SUPERSEDED
        else:
            standing[start] = STALE if journey.restart else SUPERSEDED
    return waits, standing


def stale_on_arrival(start: Start, waits: Sequence[Wait]) -> bool:
    """A new start for a wait that is over, or older than an anchor that stays."""
    for wait in waits:
        if start in wait.members:
            anchor = wait.anchor
            return anchor.over or (anchor.decided and start.order() < anchor.order())
    return False
