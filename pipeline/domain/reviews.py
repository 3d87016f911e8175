"""What follows when the facts of one journey and key have changed, or time has passed.

A review derives the waits anew, says how starts stand that stood otherwise before, settles what a
cancel ends, and names the fired steps that a new cancel means. It changes nothing but the facts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from pipeline.domain.facts import Cancel, EventRef, Facts, Outcome, Settled, Start
from pipeline.domain.rules import Journey, Step
from pipeline.domain.schedule import steps_of, undated
from pipeline.domain.times import DAY, HOUR
from pipeline.domain.versions import Versions
from pipeline.domain.waits import Derived, Wait, derive, first_cancel, means, wait_end

MEMORY_UNKNOWN: Final = DAY
"""How long a cancel is kept of which no version is known; by then they are."""
OPEN: Final = ("open", "")
"""The standing of an anchor."""


class Verdict(NamedTuple):
    """The outcome of a step of a start, as `journey.decisions` tells it."""

    journey: Journey
    start: Start
    step: int
    outcome: Outcome
    reason: str | None
    cause: EventRef | None = None


class Withdrawal(NamedTuple):
    """A cancel that means a step which went to its address already."""

    journey: Journey
    start: Start
    step: int
    cause: EventRef


class DueStep(NamedTuple):
    """A step to be judged now. Ordered as rule 8 has it by `order`."""

    wait: Wait
    step: Step

    @property
    def order(self) -> tuple[int, int, str, str, int]:
        """Deadline, anchor time, anchor messageId, journey, step."""
        ref = self.wait.anchor.ref
        deadline = self.wait.deadline(self.step.number)
        return (deadline, ref.time, ref.message_id, self.wait.journey.name, self.step.number)


@dataclass(slots=True)
class Review:
    """What to tell the world and the addresses."""

    verdicts: list[Verdict] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    judge: list[DueStep] = field(default_factory=list)


def review(facts: Facts, versions: Versions, now: int, fresh: Iterable[Cancel] = ()) -> Review:
    """Judge the facts as they are now; `fresh` are the cancels that are new to some start."""
    result = Review()
    derived, cancels = derive(facts, versions), facts.in_order()
    for start in facts.starts:
        if not start.closed:
            _restand(start, versions[start.version], derived, result)
    for wait in derived.waits:
        cancel = first_cancel(wait.anchor, cancels, versions) if wait.open_steps() else None
        if cancel is not None:
            _settle_cancelled(wait, cancel, now, result)
    for cancel in fresh:
        _withdraw(cancel, facts, versions, result)
    facts.due = next_due(facts, versions)
    return result


def _restand(start: Start, journey: Journey, derived: Derived, result: Review) -> None:
    standing = derived.others.get(start.identity)
    before = start.standing
    if standing is None:
        start.known = True
        start.standing = OPEN
        for lacking in undated(journey, start) if before != OPEN else ():
            verdict = Verdict(journey, start, lacking.number, "ignored", "missing_date")
            result.verdicts.append(verdict)
        return
    if before not in {None, OPEN}:
        return  # said already: what it belongs to may be over by now, it stands as it stood
    start.standing = standing
    outcome, reason = standing
    steps = [s.number for s in steps_of(journey, start) if s.number not in start.settled]
    # one record tells how a start stands that never opened a wait
    for step in steps if before == OPEN else steps[:1]:
        result.verdicts.append(Verdict(journey, start, step, outcome, reason))


def _settle_cancelled(wait: Wait, cancel: Cancel, now: int, result: Review) -> None:
    for step in wait.open_steps():
        wait.anchor.settled[step] = Settled("cancelled", now)
        result.verdicts.append(
            Verdict(wait.journey, wait.anchor, step, "cancelled", "cancelled", cancel.ref)
        )


def _withdraw(cancel: Cancel, facts: Facts, versions: Versions, result: Review) -> None:
    for start in facts.starts:
        journey = versions[start.version]
        judged = [n for n, settled in start.settled.items() if settled.outcome == "judged"]
        if judged and means(cancel, start, versions):
            result.withdrawals += [Withdrawal(journey, start, n, cancel.ref) for n in judged]


def pass_time(facts: Facts, versions: Versions, now: int) -> Review:
    """Rule 7: settle what is due at `now`; `judge` are the steps left for their gates."""
    result = Review()
    for wait in derive(facts, versions).waits:
        due = [n for n in wait.open_steps() if wait.due(n) <= now]
        live: dict[str, int] = {}
        for number in due:
            step = wait.journey.steps[number - 1]
            best_before = wait.deadline(number) + step.expires
            if now > best_before:
                _settle(wait, number, "expired", versions.too_late(best_before), now, result)
                continue
            if versions.paused:
                continue
            earlier = live.get(step.channel)
            if earlier is not None:
                _settle(wait, earlier, "superseded", "later_step", now, result)
            live[step.channel] = number
        for number in sorted(live.values()):
            wait.anchor.settled[number] = Settled("judged", now)
            result.judge.append(DueStep(wait, wait.journey.steps[number - 1]))
    facts.due = next_due(facts, versions)
    return result


def _settle(
    wait: Wait,
    step: int,
    outcome: Literal["expired", "superseded"],
    reason: str,
    now: int,
    result: Review,
) -> None:
    wait.anchor.settled[step] = Settled(outcome, now)
    result.verdicts.append(Verdict(wait.journey, wait.anchor, step, outcome, reason))


def next_due(facts: Facts, versions: Versions) -> int | None:
    """When something is due next: a step, or the forgetting of what is over."""
    waits = derive(facts, versions).waits
    dues = [_due(w, n, paused=versions.paused) for w in waits for n in w.open_steps()]
    if dues:
        return min(dues)
    ends_of_memory = list(_memories(facts, versions))
    # forgetting is housekeeping: rounded up, so that many share one tick
    return (min(ends_of_memory) // HOUR + 1) * HOUR if ends_of_memory else None


def _due(wait: Wait, step: int, *, paused: bool) -> int:
    """In a pause nothing but that it expires."""
    due = wait.due(step)
    if not paused:
        return due
    return max(due, wait.deadline(step) + wait.journey.steps[step - 1].expires + 1)


def _memories(facts: Facts, versions: Versions) -> Iterable[int]:
    for start in facts.starts:
        yield _remembered_until(start, versions)
    for cancel in facts.cancels:
        yield _kept_until(cancel, versions)


def _remembered_until(start: Start, versions: Versions) -> int:
    """By the longest memory of those it stood under: what fired under an old one may be open."""
    pinned = (start.version, *(former.version for former in start.former))
    return start.remembered_from + max(versions[version].memory for version in pinned)


def _kept_until(cancel: Cancel, versions: Versions) -> int:
    """A merge may bring one of a version that is announced elsewhere and not here yet."""
    known = [versions[v].memory for v in (*cancel.sure, *cancel.maybe) if v in versions]
    return max(cancel.ref.time, cancel.taken_at) + max(known, default=MEMORY_UNKNOWN)


def forget(facts: Facts, versions: Versions, now: int) -> None:
    """Rule 11: drop what has been remembered long enough; forgetting opens no wait."""
    if all(now <= memory for memory in _memories(facts, versions)):
        return
    derived, cancels = derive(facts, versions), facts.in_order()
    for wait in derived.waits:
        wait.anchor.ended = wait_end(wait.anchor, cancels, versions)
    open_anchors = {id(wait.anchor) for wait in derived.waits if wait.open_steps()}
    gone = [
        start
        for start in facts.starts
        if now > _remembered_until(start, versions) and id(start) not in open_anchors
    ]
    if gone:
        _close_dependants(facts, derived, gone)
        facts.once_done |= any(versions[s.version].once and s.settled for s in gone)
        facts.starts = [start for start in facts.starts if not _among(start, gone)]
    facts.cancels = [each for each in facts.cancels if now <= _kept_until(each, versions)]
    facts.due = next_due(facts, versions)


def _close_dependants(facts: Facts, derived: Derived, gone: list[Start]) -> None:
    """What only a forgotten start kept from being a wait must not become one."""
    alive = [wait for wait in derived.waits if not _among(wait.anchor, gone)]
    members = [member for wait in alive for member in wait.members]
    for start in facts.starts:
        if start.identity in derived.others and not _among(start, members):
            start.closed = True


def _among(start: Start, starts: list[Start]) -> bool:
    return any(start is other for other in starts)
