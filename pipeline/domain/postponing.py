"""Steps that wait for their calling window: kept by the person, released when it opens (rule 9).

At the release the address that is primary then is tried, and everything that is an address's own is
judged again there. Of several steps of one wait on one channel only the last is released.
"""

from dataclasses import replace

from pipeline.domain.judging import send
from pipeline.domain.messages import Ended, LetGo, Ref
from pipeline.domain.outputs import Attempt, Gate, Who, decision_on
from pipeline.domain.profile import Profile
from pipeline.domain.turn import Turn

PERSONS_GATES = ("audience", "holdout")
"""Judged once, when the step was due."""


def keep(profile: Profile, attempt: Attempt) -> None:
    """The window is closed."""
    until = None if attempt.opens_at is None else min(attempt.opens_at, attempt.expires_at)
    held = Gate("window", "held", attempt.window, until)
    profile.postponed[attempt.id] = replace(attempt, held=held)


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
    due = [attempt for attempt in profile.postponed.values() if due_at(attempt) <= turn.now]
    last: dict[object, Attempt] = {}
    for attempt in sorted(due, key=lambda each: each.order):
        del profile.postponed[attempt.id]
        turn.tell(Ref("address", attempt.to), LetGo(attempt.id))
        if turn.now > attempt.expires_at:
            gates = (*attempt.gates, *([attempt.held] if attempt.held else []))
            over = replace(attempt, who=who, gates=gates)
            turn.say(decision_on(over, "expired", "best_before", turn.now))
            continue
        wait = (attempt.journey, attempt.key, attempt.anchor, attempt.channel)
        earlier = last.pop(wait, None)
        if earlier is not None:
            turn.say(decision_on(earlier, "superseded", "later_step", turn.now))
        last[wait] = replace(attempt, who=who)
    for attempt in sorted(last.values(), key=lambda each: each.order):
        step = turn.rules.of(attempt.journey)[attempt.version].steps[attempt.step - 1]
        gates = tuple(gate for gate in attempt.gates if gate.gate in PERSONS_GATES)
        send(profile, replace(attempt, gates=gates), step, turn)
