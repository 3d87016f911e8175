"""What a test case expected against what came, in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

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


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected.

    `came` is what came instead, or without being expected; `unlike` are its fields that are not as
    in `wanted`. `decisions` are those about what was expected: why it did not come.
    """

    kind: Literal["missing", "different", "unexpected", "no such decision"]
    wanted: Record | None = None
    came: Record | None = None
    unlike: tuple[str, ...] = ()
    decisions: tuple[Record, ...] = ()

    @property
    def text(self) -> str:
        """As one line."""
        if self.wanted is None:
            return f"unexpected: {_told(self.came or {})}"
        if self.came is not None:
            return f"expected: {_wanted(self.wanted)}; came: {_told(self.came, self.unlike)}"
        return f"{self.kind}: {_wanted(self.wanted)}{_why(self.wanted, self.decisions)}"

    @property
    def compared(self) -> list[tuple[str, str, str]]:
        """The fields that are not as expected: name, what was expected, what came."""
        wanted, came = self.wanted or {}, self.came or {}
        by_field = {_field(name, _kind(came)): value for name, value in wanted.items()}
        return [
            (name, shown_as(name, by_field[name]), shown_as(name, came.get(name)))
            for name in self.unlike
        ]

    @property
    def journey(self) -> str:
        """The journey that it is about."""
        wanted = self.wanted or {}
        found = (wanted.get(name) for name in ("trigger", "retraction", "journey"))
        return str(next((name for name in found if name), (self.came or {}).get("journey", "")))


def differences(
    case: Case, outputs: Sequence[Record], decisions: Sequence[Record]
) -> list[Difference]:
    """What is wrong; empty where the case passes.

    Every output must be accounted for by an expectation of its own, however general some of them
    are; decisions only need to be among those that came.
    """
    came = [_completed(record, outputs) for record in outputs]
    matched = _match(case.expect, came, _fits_output)
    taken = set(matched.values())
    spare = [place for place in range(len(came)) if place not in taken]
    wrong = []
    for place, want in enumerate(case.expect):
        if place in matched:
            continue
        near = next((at for at in spare if _is_near(want, came[at])), None)
        if near is None:
            wrong.append(Difference("missing", want, decisions=_about(want, decisions)))
        else:
            spare.remove(near)
            unlike = tuple(_unlike(want, came[near], _kind(came[near])))
            about = _of_record(came[near], decisions)
            wrong.append(Difference("different", want, came[near], unlike, about))
    for place in spare:
        about = _of_record(came[place], decisions)
        wrong.append(Difference("unexpected", came=came[place], decisions=about))
    found = _match(case.decisions, decisions, _fits_decision)
    for place, want in enumerate(case.decisions):
        if place not in found:
            about = _about(want, decisions)
            wrong.append(Difference("no such decision", want, decisions=about))
    return wrong


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


def _of_record(came: Record, decisions: Sequence[Record]) -> tuple[Record, ...]:
    return tuple(record for record in decisions if record.get("id") == came.get("id"))


def _about(want: Record, decisions: Sequence[Record]) -> tuple[Record, ...]:
    """The decisions about what was expected."""
    journey = want.get("trigger", want.get("retraction", want.get("journey")))
    return tuple(
        record
        for record in decisions
        if record.get("journey") == journey
        and all(
            _same(field := _field(name, "decision"), want[name], record.get(field))
            for name in ("key", "step", "user", "anonymous", "anchor")
            if name in want and _knows(record, name)
        )
    )


def _why(want: Record, about: Sequence[Record]) -> str:
    """For who asks why it did not come."""
    if "retraction" in want:
        return ""
    journey = want.get("trigger", want.get("journey"))
    if not about:
        return f" (there is no decision about {journey!s} like it)"
    return f" (decided: {'; '.join(map(decided, about[-3:]))})"


def _knows(record: Record, name: str) -> bool:
    return _field(name, "decision") in record


def decided(record: Record) -> str:
    """A decision in a few words."""
    reason = f", {record['reason']}" if record.get("reason") else ""
    step = f"step {record['step']} " if record.get("step") else ""
    at = record.get("decidedAt")
    return f"{step}{record.get('outcome')}{reason}" + (f" at {shown_as('at', at)}" if at else "")


def _wanted(want: Record) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields_wanted(want))


def fields_wanted(want: Record) -> list[tuple[str, str]]:
    """What was written, each name with its value as text."""
    return [(name, shown_as(name, value)) for name, value in want.items()]


def _told(record: Record, more: Sequence[str] = ()) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields_told(record, more))


def fields_told(record: Record, more: Sequence[str] = ()) -> list[tuple[str, str]]:
    """What tells a record from others, and the fields of `more`, each with its value as text."""
    kind = _kind(record)
    names = [name for name in _TELLING if record.get(name) is not None]
    names = list(dict.fromkeys((*names, _AT[kind], *more)))
    shown = [(name, shown_as(name, record.get(name))) for name in names if name != "journey"]
    return [(kind, str(record.get("journey"))), *shown]


def shown_as(name: str, value: Any) -> str:
    """A field's value as text: times in one form, an event by its messageId."""
    if name in _EVENTS and isinstance(value, Mapping):
        value = value.get("messageId")
    if name in _TIMES and isinstance(value, str):
        instant = parse_instant(value)
        return value if instant is None else format_instant(instant)
    return "null" if value is None else str(value)
