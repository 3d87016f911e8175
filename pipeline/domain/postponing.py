"""Steps that wait for their calling window: kept by the person, released when it opens (rule 9).

At the release the address that is primary then is tried, and everything that is an address's own is
judged again there. Of several steps of one wait on one channel only the last is released.
"""

from dataclasses import replace
from typing import Final

from pipeline.domain.judging import send
from pipeline.domain.messages import Ended, LetGo
from pipeline.domain.outputs import PAUSED, Attempt, Gate, Who, decision_on
from pipeline.domain.profile import Profile
from pipeline.domain.refs import Ref
from pipeline.domain.times import MINUTE
from pipeline.domain.turn import Turn

PERSONS_GATES = ("audience", "condition", "holdout")
"""Judged once, when the step was due."""

AGAIN: Final = MINUTE
"""After which an address is asked again that was paused when its person no longer was."""


def keep(profile: Profile, attempt: Attempt, turn: Turn) -> None:
    """The window is closed, or the journey is paused."""
    if attempt.held != PAUSED:
        until = None if attempt.opens_at is None else min(attempt.opens_at, attempt.expires_at)
        attempt = replace(attempt, held=Gate("window", "held", attempt.window, until))
    elif not turn.rules.of(attempt.journey).paused:
        # it is over here and not yet where the address is: no visit will come any more
        attempt = replace(attempt, opens_at=turn.now + AGAIN)
    profile.postponed[attempt.id] = attempt


def end(profile: Profile, who: Who, ended: Ended, turn: Turn) -> None:
    """A cancel or an opt-out came while it waited."""
    attempt = profile.postponed.pop(ended.trigger, None)
    if attempt is not None:
        attempt = replace(attempt, who=who)
        turn.say(decision_on(attempt, ended.outcome, ended.reason, turn.now, ended.cause))


def due_at(attempt: Attempt) -> int:
    """When it is released; just after its best-before where the window does not open by then."""
    opens = attempt.opens_at
    return opens if opens is not None and opens <= attempt.expires_at else attempt.expires_at + 1


def tick(profile: Profile, who: Who, turn: Turn) -> None:
    """Release what has waited long enough, in the order of rule 8."""
    drop(profile, who, turn)
    due = [attempt for attempt in profile.postponed.values() if due_at(attempt) <= turn.now]
    last: dict[object, Attempt] = {}
    for attempt in sorted(due, key=lambda each: each.order):
        versions = turn.rules.of(attempt.journey)
        if versions.paused and turn.now <= attempt.expires_at:
            profile.postponed[attempt.id] = replace(attempt, opens_at=None)  # until the resume
            continue
        del profile.postponed[attempt.id]
        turn.tell(Ref("address", attempt.to), LetGo(attempt.id))
        if turn.now > attempt.expires_at:
            gates = (*attempt.gates, *([attempt.held] if attempt.held else []))
            over = replace(attempt, who=who, gates=gates)
            reason = versions.too_late(attempt.expires_at)
            turn.say(decision_on(over, "expired", reason, turn.now))
            continue
        wait = (attempt.journey, attempt.key, attempt.anchor, attempt.channel)
        earlier = last.pop(wait, None)
        if earlier is not None:
            turn.say(decision_on(earlier, "superseded", "later_step", turn.now))
        last[wait] = replace(attempt, who=who)
    for attempt in sorted(last.values(), key=lambda each: each.order):
        step = turn.rules.of(attempt.journey)[attempt.version].steps[attempt.step - 1]
        gates = tuple(gate for gate in attempt.gates if gate.gate in PERSONS_GATES)
        held = None if attempt.held == PAUSED else attempt.held
        send(profile, replace(attempt, gates=gates, held=held), step, turn)


def drop(profile: Profile, who: Who, turn: Turn) -> bool:
    """End what an apply dropped; whether there was any."""
    dropped = [
        attempt
        for attempt in profile.postponed.values()
        if attempt.version < turn.rules.of(attempt.journey).ruling.drop
    ]
    for attempt in sorted(dropped, key=lambda each: each.order):
        del profile.postponed[attempt.id]
        turn.tell(Ref("address", attempt.to), LetGo(attempt.id))
        turn.say(decision_on(replace(attempt, who=who), "superseded", "dropped", turn.now))
    return bool(dropped)


def visit(profile: Profile, who: Who, turn: Turn) -> bool:
    """A rulebook came into force, or it came from where another one was: end what is dropped,
    release what a pause kept that is over here.
    """
    changed = drop(profile, who, turn)
    for attempt in list(profile.postponed.values()):
        pause = turn.rules.of(attempt.journey).pause
        if attempt.opens_at is None and pause is not None and pause.until is not None:
            profile.postponed[attempt.id] = replace(attempt, opens_at=turn.now)
            changed = True
    return changed
