"""What would come of an open step by what is known now: the production fold on copies.

Nothing is changed. Until the step is due an event can change anything of it.
"""

from copy import deepcopy
from typing import Any, Final

from pipeline.commands.open_waits import OpenStep
from pipeline.commands.people import Found
from pipeline.domain import fold, subject
from pipeline.domain.entities import Device, Entity, Person
from pipeline.domain.messages import Ask
from pipeline.domain.outputs import Decision, Trigger
from pipeline.domain.profile import Profile
from pipeline.domain.refs import Ref
from pipeline.domain.subject import Subject
from pipeline.domain.times import format_instant
from pipeline.domain.turn import Rules, Turn
from pipeline.wire.outputs import describe

Json = dict[str, Any]
_ROUNDS_MAX: Final = 10


def outlook(found: Found, step: OpenStep, rules: Rules, now: int) -> Json:
    """By today's traits, addresses, opt-ins and limits, at the instant at which it will be judged.

    `outcome` is `fire`, `held`, `suppressed`, `expired` or `unknown`; `reason` as decisions have
    it; `until` where it would be held.
    """
    at = max(now, step.wait.due(step.step))
    me, entities = found.ref, _copies(found)
    turn = Turn(at, rules)
    anchor, journey = step.wait.anchor, step.wait.journey
    question = Ask(journey.name, journey.version, step.step, step.key or "", anchor)
    profile = _profile(entities[me])
    subject.ask(Subject(me, profile), question, turn)
    for _ in range(_ROUNDS_MAX):
        _deliver(entities, turn)
        for ref, entity in list(entities.items()):
            fold.tick(entity, ref, turn)
        if not turn.told:
            break
    return _outcome(step.id, profile, turn)


def _copies(found: Found) -> dict[Ref, Entity]:
    """Those whose gates are asked. Of the person only what gates read: nothing else is due here."""
    profile = deepcopy(found.profile)
    profile.journeys, profile.postponed = {}, {}
    profile.waiting, profile.cases = [], {}
    mine: Entity = Person(profile) if found.ref.kind == "person" else Device(profile)
    entities: dict[Ref, Entity] = {found.ref: mine}
    for name, address in found.addresses.items():
        entities[Ref("address", name)] = deepcopy(address)
    return entities


def _profile(entity: Entity) -> Profile:
    assert isinstance(entity, Person | Device)
    return entity.profile


def _deliver(entities: dict[Ref, Entity], turn: Turn) -> None:
    while turn.told:
        ref, message = turn.told.pop(0)
        taken = fold.take(entities.pop(ref, None), ref, message, turn)
        if taken is not None:
            entities[ref] = taken


def _outcome(id_: str, profile: Profile, turn: Turn) -> Json:
    for output in turn.said:
        if isinstance(output, Trigger) and output.attempt.id == id_:
            return _said("fire", None, describe(output)[2])
        if isinstance(output, Decision) and output.id == id_ and output.outcome != "fired":
            return _said(output.outcome, output.reason, describe(output)[2])
    attempt = profile.postponed.get(id_)
    if attempt is None:
        return {"outcome": "unknown", "reason": None, "gates": []}
    opens = attempt.opens_at
    until = None if opens is None or opens > attempt.expires_at else format_instant(opens)
    gates = [{"gate": gate.gate, "verdict": gate.verdict} for gate in attempt.gates]
    held = {"gate": "window", "verdict": "held", "detail": attempt.window or None}
    return {"outcome": "held", "reason": "window", "until": until, "gates": [*gates, held]}


def _said(outcome: str, reason: str | None, record: Json | None) -> Json:
    return {"outcome": outcome, "reason": reason, "gates": (record or {}).get("gates", [])}
