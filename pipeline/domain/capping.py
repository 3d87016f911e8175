"""Limits of scope person: a person's attempts go out one at a time, in the order of rule 8.

Where a limit counts the person, what is judged at one address depends on what another one lets out.
So the person, who knows all that fired, keeps those that are due in line, and sends the next with
what counts along when it is told what came of the one before: none is let out beyond the limit, and
none is held back for one that did not fire after all. They go out at ticks alone, when all that
fired, links and merges are known.
"""

from dataclasses import replace

from pipeline.domain.caps import Caps, Fired, Queued, UnderWay
from pipeline.domain.judging import dispatch
from pipeline.domain.messages import Judged
from pipeline.domain.outputs import Attempt, Who, decision_on
from pipeline.domain.profile import Profile
from pipeline.domain.turn import Turn


def ready(profile: Profile, trigger: str, turn: Turn) -> None:
    """What else was due at its instant is in line by the next tick."""
    caps = profile.caps
    if caps is not None and trigger in caps.line:
        caps.line[trigger] = Queued(caps.line[trigger].attempt, turn.now)


def count(profile: Profile, judged: Judged, turn: Turn) -> None:
    """An address tells what came of an attempt."""
    release(profile, judged.trigger)
    caps = profile.caps = profile.caps or Caps()
    caps.fired.pop(judged.trigger, None)  # counted in doubt
    if judged.fired_at is not None:
        caps.fired[judged.trigger] = Fired(judged.channel, judged.fired_at)
    _tidy(profile, turn)


def release(profile: Profile, trigger: str) -> None:
    """An address has done with an attempt: the next one may go."""
    if profile.caps is not None:
        profile.caps.under_way.pop(trigger, None)


def leave(profile: Profile, trigger: str) -> Attempt | None:
    """Take an attempt out of the line, if it is there."""
    queued = profile.caps.line.pop(trigger, None) if profile.caps else None
    return queued.attempt if queued else None


def tick(profile: Profile, who: Who, turn: Turn) -> None:
    """Let the next one go, unless one is under way."""
    caps = profile.caps
    if caps is None:
        return
    _give_up(caps, turn.now)
    for attempt, ready_at in sorted(caps.line.values(), key=lambda each: each.attempt.order):
        if turn.now > attempt.expires_at:
            del caps.line[attempt.id]
            late = turn.rules.of(attempt.journey).too_late(attempt.expires_at)
            turn.say(decision_on(replace(attempt, who=who), "expired", late, turn.now))
        elif ready_at is not None and not caps.under_way:
            del caps.line[attempt.id]
            _go(profile, caps, replace(attempt, who=who, capped=True), turn)
    _tidy(profile, turn)


def _go(profile: Profile, caps: Caps, attempt: Attempt, turn: Turn) -> None:
    step = turn.rules.of(attempt.journey)[attempt.version].steps[attempt.step - 1]
    if dispatch(profile, attempt, step, turn):
        caps.under_way[attempt.id] = UnderWay(attempt.channel, attempt.expires_at)


def _give_up(caps: Caps, now: int) -> None:
    """An address lets nothing out after its best-before; in doubt it did before."""
    for trigger, attempt in list(caps.under_way.items()):
        if now < attempt.due:
            continue
        if attempt.late_at is None:
            caps.under_way[trigger] = attempt._replace(late_at=now)
            continue
        del caps.under_way[trigger]
        caps.fired[trigger] = Fired(attempt.channel, attempt.expires_at)


def _tidy(profile: Profile, turn: Turn) -> None:
    caps, calling = profile.caps, turn.rules.current.calling
    if caps is None:
        return
    caps.forget(turn.now, lambda channel: calling.remembers(channel, "person") if calling else 0)
    if caps.is_empty():
        profile.caps = None
