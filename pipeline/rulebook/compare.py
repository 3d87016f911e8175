"""What a test case expected against what came, in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pipeline.domain.ids import key_text
from pipeline.domain.times import format_instant, parse_instant
from pipeline.rulebook.cases import Case
from pipeline.rulebook.cel.values import equal

Record = Mapping[str, Any]
_NAMES: Final = {
    "user": "userId",
    "anonymous": "anonymousId",
    "trigger": "journey",
    "retraction": "journey",
}
_AT: Final = {"trigger": "firedAt", "retraction": "at", "decision": "decidedAt"}
_TIMES: Final = frozenset("at deadline firedAt expiresAt decidedAt timestamp until".split())
_EVENTS: Final = frozenset({"anchor", "cause"})
_TELLING: Final = ("step", "key", "userId", "anonymousId", "channel", "to", "reason")


def differences(case: Case, outputs: Sequence[Record], decisions: Sequence[Record]) -> list[str]:
    """What is wrong, a line each; empty where the case passes.

    Every output must be accounted for by an expectation of its own, however general some of them
    are; decisions only need to be among those that came.
    """
    came = [_completed(record, outputs) for record in outputs]
    matched = _match(case.expect, came, _fits_output)
    taken = set(matched.values())
    spare = [place for place in range(len(came)) if place not in taken]
    lines = []
    for place, want in enumerate(case.expect):
        if place in matched:
            continue
        near = next((at for at in spare if _is_near(want, came[at])), None)
        if near is None:
            lines.append(f"missing: {_wanted(want)}{_why(want, decisions)}")
        else:
            spare.remove(near)
            wrong = _unlike(want, came[near], _kind(came[near]))
            lines.append(f"expected: {_wanted(want)}; came: {_told(came[near], wrong)}")
    lines += [f"unexpected: {_told(came[place])}" for place in spare]
    found = _match(case.decisions, decisions, _fits_decision)
    for place, want in enumerate(case.decisions):
        if place not in found:
            lines.append(f"no such decision: {_wanted(want)}{_why(want, decisions)}")
    return lines


def _completed(record: Record, outputs: Sequence[Record]) -> Record:
    """A retraction with the fields that only its trigger has (step, anchor, deadline)."""
    if record.get("type") != "retraction":
        return record
    same = (each for each in outputs if each.get("type") == "trigger")
    trigger = next((each for each in same if each.get("id") == record.get("id")), {})
    return {**trigger, **record}


def _match(
    wants: Sequence[Record], records: Sequence[Record], fits: Callable[[Record, Record], bool]
) -> dict[int, int]:
    """Which record stands for which expectation: a largest matching, by augmenting paths."""
    possible = [[at for at, record in enumerate(records) if fits(want, record)] for want in wants]
    owner: dict[int, int] = {}

    def place(want: int, tried: set[int]) -> bool:
        free = next((at for at in possible[want] if at not in owner), None)
        if free is not None:
            owner[free] = want
            return True
        for at in possible[want]:
            if at not in tried:
                tried.add(at)
                if place(owner[at], tried):
                    owner[at] = want
                    return True
        return False

    for want in range(len(wants)):
        place(want, set())
    return {want: at for at, want in owner.items()}


def _kind(record: Record) -> str:
    kind: str = record.get("type", "decision")
    return kind if kind in _AT else "decision"


def _fits_output(want: Record, record: Record) -> bool:
    kind = "retraction" if "retraction" in want else "trigger"
    return record.get("type") == kind and not _unlike(want, record, kind)


def _fits_decision(want: Record, record: Record) -> bool:
    return not _unlike(want, record, "decision")


def _unlike(want: Record, record: Record, kind: str) -> list[str]:
    """The record's fields that are not as expected."""
    return [
        field
        for name, value in want.items()
        if not _same(field := _field(name, kind), value, record.get(field))
    ]


def _field(name: str, kind: str) -> str:
    return _AT[kind] if name == "at" else _NAMES.get(name, name)


def _same(name: str, want: Any, came: Any) -> bool:
    if name in _TIMES and isinstance(want, str) and isinstance(came, str):
        instant = parse_instant(want)
        return instant is not None and instant == parse_instant(came)
    if name == "key":
        return key_text(want) == key_text(came)
    if name in _EVENTS and isinstance(came, Mapping) and not isinstance(want, Mapping):
        return equal(want, came.get("messageId"))
    if isinstance(want, Mapping) and isinstance(came, Mapping):
        return all(_same(each, value, came.get(each)) for each, value in want.items())
    if isinstance(want, list) and isinstance(came, list):
        pairs = zip(want, came, strict=False)
        return len(want) == len(came) and all(_same("", one, other) for one, other in pairs)
    return equal(want, came)


def _is_near(want: Record, record: Record) -> bool:
    """Whether a record is what probably came instead: of the same kind, journey and key."""
    kind = "retraction" if "retraction" in want else "trigger"
    if record.get("type") != kind or want.get(kind) != record.get("journey"):
        return False
    telling = [name for name in ("key", "step", "user", "anonymous") if name in want]
    return all(
        _same(field := _field(name, kind), want[name], record.get(field)) for name in telling
    )


def _why(want: Record, decisions: Sequence[Record]) -> str:
    """The decisions about what was expected, for who asks why it did not come."""
    if "retraction" in want:
        return ""
    journey = want.get("trigger", want.get("journey"))
    about = [
        record
        for record in decisions
        if record.get("journey") == journey
        and all(
            _same(field := _field(name, "decision"), want[name], record.get(field))
            for name in ("key", "step", "user", "anonymous", "anchor")
            if name in want and _knows(record, name)
        )
    ]
    if not about:
        return f" (there is no decision about {journey!s} like it)"
    return f" (decided: {'; '.join(map(_decided, about[-3:]))})"


def _knows(record: Record, name: str) -> bool:
    return _field(name, "decision") in record


def _decided(record: Record) -> str:
    reason = f", {record['reason']}" if record.get("reason") else ""
    step = f"step {record['step']} " if record.get("step") else ""
    at = record.get("decidedAt")
    return f"{step}{record.get('outcome')}{reason}" + (f" at {_shown('at', at)}" if at else "")


def _wanted(want: Record) -> str:
    return ", ".join(f"{name} {_shown(name, value)}" for name, value in want.items())


def _told(record: Record, more: Sequence[str] = ()) -> str:
    kind = _kind(record)
    names = [name for name in _TELLING if record.get(name) is not None]
    names += [name for name in (_AT[kind], *more) if name not in names and name != "journey"]
    shown = [f"{name} {_shown(name, record.get(name))}" for name in names]
    return ", ".join([f"{kind} {record.get('journey')}", *shown])


def _shown(name: str, value: Any) -> str:
    if name in _EVENTS and isinstance(value, Mapping):
        value = value.get("messageId")
    if name in _TIMES and isinstance(value, str):
        instant = parse_instant(value)
        return value if instant is None else format_instant(instant)
    return "null" if value is None else str(value)
