"""The gates that a person judges: audience, hold-out, address known (rule 9)."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from pipeline.domain.calling import next_open
from pipeline.domain.events import CHANNEL_KIND
from pipeline.domain.facts import Start
from pipeline.domain.ids import at_path, trigger_id
from pipeline.domain.messages import Attempted, Ref
from pipeline.domain.outputs import Attempt, Gate, LimitOf, Who, decision_on
from pipeline.domain.profile import Profile, Sent
from pipeline.domain.rules import Holdout, Journey, Step
from pipeline.domain.times import to_datetime
from pipeline.domain.turn import Turn


class _Events(dict[str, dict[str, object]]):
    """Per event name count, first, last; a name never seen has count 0."""

    def __missing__(self, _: str) -> dict[str, object]:
        return {"count": 0}

    def __contains__(self, _: object) -> bool:
        return True


def judge(
    profile: Profile,
    who: Who,
    journey: Journey,
    number: int,
    key: str | None,
    start: Start,
    turn: Turn,
) -> None:
    """Judge a step that is due: suppress it, or send it to the address that is primary now."""
    gates: list[Gate] = []
    reason = _hindrance(profile, who, journey, start, gates, turn)
    step = journey.steps[number - 1]
    timezone = start.context.get("timezone")
    attempt = Attempt(
        id=trigger_id(journey.name, start.own_id, start.ref.message_id, number),
        journey=journey.name,
        version=journey.version,
        step=number,
        key=key or None,
        who=who,
        channel=step.channel,
        to="",
        anchor=start.ref,
        deadline=start.ref.time + step.after,
        expires_at=start.ref.time + step.after + step.expires,
        cooldown=step.cooldown,
        ordered=any(other.cooldown for other in journey.steps),
        include=_included(step.include, start, profile),
        gates=tuple(gates),
        timezone=timezone if isinstance(timezone, str) else None,
    )
    if reason is not None:
        turn.say(decision_on(attempt, "suppressed", reason, turn.now))
    else:
        send(profile, attempt, step, turn)


def send(profile: Profile, attempt: Attempt, step: Step, turn: Turn) -> None:
    """Send an attempt to the address that is primary now, with the hours and limits there."""
    kind = CHANNEL_KIND[attempt.channel]
    to = profile.book(kind).primary()
    gates = (*attempt.gates, Gate("address", "fail" if to is None else "pass"))
    attempt = replace(attempt, to=to or "", gates=gates)
    if to is None:
        turn.say(decision_on(attempt, "suppressed", "no_address", turn.now))
        return
    profile.sent[attempt.id] = Sent(kind, to, attempt.expires_at)
    turn.tell(Ref("address", to), Attempted(_called(profile, attempt, step, turn)))


def _called(profile: Profile, attempt: Attempt, step: Step, turn: Turn) -> Attempt:
    """With what the rulebook in force says of calling somebody there."""
    calling = turn.rules.current.calling
    if calling is None:
        return attempt
    phone = attempt.to if CHANNEL_KIND[attempt.channel] == "phone" else profile.phones.primary()
    context = {"timezone": attempt.timezone} if attempt.timezone else {}
    place = calling.atlas.locate(profile.live_traits(), phone, context)
    left = max(0, attempt.expires_at - turn.now)
    opening = next_open(turn.now, calling, place, attempt.channel, step.window, left)
    limits = tuple(
        LimitOf(limit.name, limit.most, limit.per)
        for limit in calling.limits_for(place, attempt.channel)
    )
    return replace(
        attempt,
        limits=limits,
        ordered=attempt.ordered or bool(limits),
        opens_at=opening.at,
        window=opening.rule,
    )


def _hindrance(
    profile: Profile, who: Who, journey: Journey, start: Start, gates: list[Gate], turn: Turn
) -> str | None:
    if journey.audience is not None:
        fits = journey.audience(_names(profile, start))
        if fits is None:
            turn.count("audience_unjudged")
        gates.append(Gate("audience", "pass" if fits else "fail"))
        if not fits:
            return "audience"
    if journey.holdout is not None:
        held = held_out(journey.holdout, journey.name, who.key)
        gates.append(Gate("holdout", "fail" if held else "pass"))
        if held:
            return "holdout"
    return None


def held_out(holdout: Holdout, journey: str, profile_id: str) -> bool:
    """Rule 9: a fraction made of the ids alone, the same on every replay."""
    digest = hashlib.sha256(f"{holdout.salt}\0{journey}\0{profile_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < holdout.percent / 100


def _names(profile: Profile, start: Start) -> Mapping[str, object]:
    events = _Events(
        {
            name: {
                "count": stat.count,
                "first": to_datetime(stat.first),
                "last": to_datetime(stat.last),
            }
            for name, stat in profile.stats.items()
        }
    )
    started = start.names() | {"timestamp": to_datetime(start.ref.time)}
    return {"traits": profile.live_traits(), "start": started, "events": events}


def _included(paths: tuple[str, ...], start: Start, profile: Profile) -> dict[str, object]:
    roots = {"properties": start.properties, "traits": profile.live_traits()}
    found = {path: at_path(roots, path.split(".")) for path in paths}
    return {path: value for path, value in found.items() if value is not None}
