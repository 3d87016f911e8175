"""What an apply ruled on open waits of older versions, carried out on the facts of one key.

Idempotent: facts that were ruled on give nothing more.
"""

from collections.abc import Iterable

from pipeline.domain.facts import Cancel, Facts, Former, Settled, Start
from pipeline.domain.reviews import Review, Verdict, next_due, review
from pipeline.domain.rules import Journey
from pipeline.domain.schedule import dates_of, steps_of, undated
from pipeline.domain.versions import Versions
from pipeline.domain.waits import Wait, comparable, derive


def look(facts: Facts, versions: Versions, now: int, fresh: Iterable[Cancel] = ()) -> Review:
    """What follows from a change of the facts: what is opened by it may be ruled on, too."""
    result = review(facts, versions, now, fresh)
    result.verdicts += rule(facts, versions, now).verdicts
    return result


def rule(facts: Facts, versions: Versions, now: int) -> Review:
    """End the waits that are to be dropped, let those go on that are to be re-evaluated."""
    result = Review()
    ruled = False
    while (found := _ruled_on(facts, versions)) is not None:
        wait, new = found
        if new is None:
            _drop(wait, now, result)
        else:
            _move(wait, new, now, result)
        ruled = True
    if ruled:
        # waits of another length may have become one, or cancels may mean them now
        after = review(facts, versions, now)
        result.verdicts += after.verdicts
    return result


def visit(facts: Facts, versions: Versions, now: int) -> tuple[Review, bool]:
    """A rulebook came into force: rule, and look anew when something is due.

    Returns also whether the facts are others than before.
    """
    before = _standing_of(facts)
    result = rule(facts, versions, now)
    facts.due = next_due(facts, versions)
    return result, bool(result.verdicts) or _standing_of(facts) != before


def _standing_of(facts: Facts) -> tuple[int | None, list[int]]:
    """What a visit may change and tell nobody: another version may be due at the same instant."""
    return facts.due, [start.version for start in facts.starts]


def _ruled_on(facts: Facts, versions: Versions) -> tuple[Wait, Journey | None] | None:
    """The first open wait that is to be dropped (None), or to go on under another version."""
    drop, move = versions.ruling
    if all(start.version >= max(drop, move) for start in facts.starts):
        return None
    for wait in derive(facts, versions).waits:
        old = wait.journey
        if old.version >= max(drop, move) or wait.over:
            continue
        if old.version < drop:
            return wait, None
        new = versions.get(move)
        if new is not None and comparable(old, new):
            return wait, new
    return None


def _drop(wait: Wait, now: int, result: Review) -> None:
    """It ends here: a start with a later event time opens the next one."""
    anchor = wait.anchor
    for step in wait.open_steps():
        anchor.settled[step] = Settled("superseded", now)
        result.verdicts.append(Verdict(wait.journey, anchor, step, "superseded", "dropped"))
    end = max(anchor.ref.time, now)
    anchor.ended = end if anchor.ended is None else min(anchor.ended, end)


def _move(wait: Wait, new: Journey, now: int, result: Review) -> None:
    """The same anchor, and what is settled, under the new version."""
    old, anchor = wait.journey, wait.anchor
    lacking = {step.number for step in undated(old, anchor)}
    open_before = wait.open_steps()
    anchor.dates = _dates(old, new, anchor)
    anchor.former = (*anchor.former, Former(old.version, now))
    anchor.version = new.version
    anchor.ended = None  # forgetting had fixed the end of the old version: no cancel had
    left = {step.number for step in steps_of(new, anchor)}
    undone = {step.number for step in undated(new, anchor)} - anchor.settled.keys()
    for step in open_before:
        if step not in left | undone:
            result.verdicts.append(Verdict(old, anchor, step, "superseded", "dropped"))
    for step in sorted(undone - lacking):
        result.verdicts.append(Verdict(new, anchor, step, "ignored", "missing_date"))


def _dates(old: Journey, new: Journey, anchor: Start) -> dict[int, int]:
    """The deadlines that the anchor names under the new version.

    The properties may be gone: then a date is known from a step of the old version that read it.
    """
    known = {
        step.until.path: anchor.dates[step.number] - step.until.offset
        for step in old.steps
        if step.until is not None and step.number in anchor.dates
    }
    dates = dict(anchor.dates)
    read = dates_of(new, anchor.names(), anchor.ref.time)
    for step in new.steps:
        if step.until is None:
            continue
        dates.pop(step.number, None)
        date = known.get(step.until.path)
        if step.number in read:
            dates[step.number] = read[step.number]
        elif date is not None and date + step.until.offset <= anchor.ref.time + step.after:
            dates[step.number] = date + step.until.offset
    return dates
