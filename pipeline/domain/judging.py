"""The gates that a person judges: audience, condition, hold-out, address known (rule 9)."""

from collections.abc import Mapping
from dataclasses import replace

from pipeline.domain.calling import next_open
from pipeline.domain.caps import Caps, Queued
from pipeline.domain.events import CHANNEL_KIND
from pipeline.domain.facts import Start
from pipeline.domain.ids import at_path, fraction, trigger_id
from pipeline.domain.messages import Attempted, InLine
from pipeline.domain.outputs import Attempt, Gate, GateName, LimitOf, Room, Who, decision_on
from pipeline.domain.profile import Profile, Sent
from pipeline.domain.refs import Ref, who_ref
from pipeline.domain.rules import Condition, Holdout, Journey, Step
from pipeline.domain.schedule import deadline, variant_of
from pipeline.domain.shadow import is_shadow, outside
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
    step = journey.steps[number - 1]
    reason = _hindrance(profile, who, journey, step, start, gates, turn)
    by = deadline(step, start)
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
        deadline=by,
        expires_at=by + step.expires,
        cooldown=step.cooldown,
        ordered=any(other.cooldown for other in journey.steps),
        include=_included(step.include, start, profile),
        gates=tuple(gates),
        timezone=timezone if isinstance(timezone, str) else None,
        variant=variant_of(journey, start.own_id),
        priority=journey.priority,
        holds=step.holds,
    )
    if reason is not None:
        turn.say(decision_on(attempt, "suppressed", reason, turn.now))
    else:
        send(profile, attempt, step, turn)


def send(profile: Profile, attempt: Attempt, step: Step, turn: Turn) -> None:
    """Send an attempt to its address; where limits count the person, once it is its turn."""
    calling = turn.rules.current.calling
    if calling is None or not calling.counts_persons or is_shadow(attempt.journey):
        dispatch(profile, attempt, step, turn)
        return
    profile.caps = profile.caps or Caps()
    profile.caps.line[attempt.id] = Queued(attempt)
    # what comes back through the log comes behind all else that is due now
    turn.tell(who_ref(attempt.who), InLine(attempt.id))


def dispatch(profile: Profile, attempt: Attempt, step: Step, turn: Turn) -> bool:
    """Send an attempt to the address that is primary now, with the hours and limits there.

    False: there is none.
    """
    kind = CHANNEL_KIND[attempt.channel]
    to = profile.book(kind).primary()
    gates = (*attempt.gates, Gate("address", "fail" if to is None else "pass"))
    attempt = replace(attempt, to=to or "", gates=gates)
    if to is None:
        turn.say(decision_on(attempt, "suppressed", "no_address", turn.now))
        return False
    profile.sent[attempt.id] = Sent(kind, to, attempt.expires_at)
    turn.tell(Ref("address", to), Attempted(_called(profile, attempt, step, turn)))
    return True


def _called(profile: Profile, attempt: Attempt, step: Step, turn: Turn) -> Attempt:
    """With what the rulebook in force says of calling somebody there."""
    calling = turn.rules.current.calling
    if calling is None:
        return replace(attempt, limits=(), rooms=(), counts_for=0, opens_at=0, window="")
    phone = attempt.to if CHANNEL_KIND[attempt.channel] == "phone" else profile.phones.primary()
    context = {"timezone": attempt.timezone} if attempt.timezone else {}
    place = calling.atlas.locate(profile.live_traits(), phone, context)
    left = max(0, attempt.expires_at - turn.now)
    opening = next_open(turn.now, calling, place, attempt.channel, step.window, left)
    caps, channel = profile.caps or Caps(), attempt.channel
    holding = calling.limits_for(place, channel)
    limits = [LimitOf(each.name, each.most, each.per) for each in holding if not each.of_person]
    rooms = [
        Room(each.name, caps.room_at(channel, each.most, each.per))
        for each in holding
        if each.of_person
    ]
    return replace(
        attempt,
        limits=tuple(limits),
        rooms=tuple(rooms),
        counts_for=calling.remembers(channel, "address"),
        ordered=attempt.ordered or bool(limits),
        opens_at=opening.at,
        window=opening.rule,
    )


def _hindrance(
    profile: Profile,
    who: Who,
    journey: Journey,
    step: Step,
    start: Start,
    gates: list[Gate],
    turn: Turn,
) -> str | None:
    conditions: tuple[tuple[GateName, Condition | None], ...]
    conditions = (("audience", journey.audience), ("condition", step.when))
    names = _names(profile, start) if journey.audience or step.when else {}
    for gate, condition in conditions:
        if condition is None:
            continue
        fits = condition(names)
        if fits is None:
            turn.count(f"{gate}_unjudged")
        gates.append(Gate(gate, "pass" if fits else "fail"))
        if not fits:
            return gate
    if journey.holdout is not None:
        held = held_out(journey.holdout, outside(journey.name), who.key)
        gates.append(Gate("holdout", "fail" if held else "pass"))
        if held:
            return "holdout"
    return None


def held_out(holdout: Holdout, journey: str, profile_id: str) -> bool:
    """Rule 9: a fraction made of the ids alone, the same on every replay."""
    return fraction(holdout.salt, journey, profile_id) < holdout.percent / 100


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
