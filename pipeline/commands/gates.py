"""What a gate found, in words, with what it judged by."""

from dataclasses import dataclass
from typing import Any, Final

from pipeline.domain.calling_rules import CallingRules, Place
from pipeline.domain.rules import Journey
from pipeline.domain.times import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant

Json = dict[str, Any]
_UNITS: Final = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"))


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a step beside its record.

    `journey` is the version that judged it, None where no rulebook on record has it; `place` is
    where the person is by what is known of them today.
    """

    journey: Journey | None
    calling: CallingRules | None
    place: Place | None


def gate_words(gate: Json, record: Json, judged: Judged) -> str:
    """One gate of a decision or a trigger."""
    verdict = {"pass": "passed", "fail": "closed", "held": "held"}[gate["verdict"]]
    more = _BY_GATE.get(gate["gate"], _detail)(gate, record, judged)
    return f"{gate['gate']} {verdict}" + (f": {more}" if more else "")


def _detail(gate: Json, record: Json, judged: Judged) -> str:
    return str(gate.get("detail") or "")


def _audience(gate: Json, record: Json, judged: Judged) -> str:
    condition = judged.journey.audience if judged.journey else None
    return _condition(gate, None if condition is None else condition.text)


def _when(gate: Json, record: Json, judged: Judged) -> str:
    steps = judged.journey.steps if judged.journey else ()
    condition = next((step.when for step in steps if step.number == record["step"]), None)
    return _condition(gate, None if condition is None else condition.text)


def _condition(gate: Json, text: str | None) -> str:
    said = text or "the rulebook that judged it is not on record"
    return said if gate["verdict"] == "pass" else f"false, or could not be judged: {said}"


def _holdout(gate: Json, record: Json, judged: Judged) -> str:
    holdout = judged.journey.holdout if judged.journey else None
    share = "" if holdout is None else f" of {holdout.percent} % (salt `{holdout.salt}`)"
    inside = "in" if gate["verdict"] == "fail" else "not in"
    return f"{inside} the share{share} that is never contacted"


def _address(gate: Json, record: Json, judged: Judged) -> str:
    return str(record.get("to") or "") if gate["verdict"] == "pass" else "none was primary"


def _consent(gate: Json, record: Json, judged: Judged) -> str:
    consent = record.get("consent")
    if consent is not None:
        return f"{record['to']} {consent['status']} to {consent['channel']}"
    if gate["verdict"] == "pass":
        return "subscribed"
    return {"opted_out": "unsubscribed"}.get(str(record.get("reason")), "no opt-in on record")


def _cooldown(gate: Json, record: Json, judged: Judged) -> str:
    steps = judged.journey.steps if judged.journey else ()
    cooldown = next((step.cooldown for step in steps if step.number == record["step"]), 0)
    within = f" within {length(cooldown)}" if cooldown else " within the cooldown"
    if gate["verdict"] == "pass":
        return f"no trigger of this journey went to the address{within} before"
    until = parse_instant(gate.get("until"))
    if until is None or not cooldown:
        return f"a trigger of this journey went to the address{within} before"
    last = format_instant(until - cooldown)
    return f"the last trigger of this journey to the address was at {last},{within}, up to then"


def _limits(gate: Json, record: Json, judged: Judged) -> str:
    if gate["verdict"] == "pass":
        return "there was room"
    room = f"; there is room again from {gate['until']}" if gate.get("until") else ""
    return f"reached {gate.get('detail') or 'a limit'}{room}"


def _window(gate: Json, record: Json, judged: Judged) -> str:
    rule = gate.get("detail") or "calling hours"
    text = str(rule)
    at = parse_instant(record.get("firedAt") or record.get("decidedAt"))
    until = parse_instant(gate.get("until"))
    if gate["verdict"] == "pass" and at is not None:
        text += local(at, judged)
    elif until is not None:
        text += f", closed until {format_instant(until)}{local(until, judged)}"
    return text


def local(at: int, judged: Judged) -> str:
    """What clocks show in every zone where the person may be."""
    if judged.calling is None or judged.place is None:
        return ""
    zones = judged.place.zones or judged.calling.unknown_zones
    shown = []
    for zone in zones:
        ahead, _ = judged.calling.atlas.clock(zone)(at)
        shown.append(f"{format_instant(at + ahead)[:16].replace('T', ' ')} {zone}")
    if not shown:
        return " (no time zone is known)"
    return f" (local {' or '.join(shown)}; zone by {judged.place.zone_source})"


def length(milliseconds: int) -> str:
    """A duration as a rulebook writes it."""
    unit, name = next(u for u in (*_UNITS, (1, "ms")) if milliseconds % u[0] == 0)
    return f"{milliseconds // unit}{name}"


_BY_GATE: Final = {
    "audience": _audience,
    "condition": _when,
    "holdout": _holdout,
    "address": _address,
    "consent": _consent,
    "cooldown": _cooldown,
    "limits": _limits,
    "window": _window,
}
