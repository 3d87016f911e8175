"""The ways that rules can go, by name, and which of them a run took, by its records."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

Json = dict[str, Any]

TRUE: Final = "true"
FALSE: Final = "false"
UNJUDGED: Final = "can't be judged"
AUDIENCE: Final = "audience"
CONSENT_FILE: Final = "consent.yaml"

OF_ADDRESS: Final = ("no_address", "no_consent", "opted_out")
OF_JOURNEY: Final = {
    "missing_key": "key", "once": "once", "repeat": "repeat", "restart": "repeat",
    "no_address": "address", "no_consent": "consent", "opted_out": "consent",
}  # fmt: skip
"""The rule of the journey that a decision's reason is a branch of."""

_OF_STEP: Final = frozenset({"later_step", "missing_date"})


class Branch(NamedTuple):
    """One way that a rule of a journey, or of consent.yaml, can go."""

    journey: str
    rule: str
    branch: str


def pattern_rule(part: str, number: int, type_: str, name: str | None) -> str:
    """What an alternative of `start` or `unless` is called; they count from 1."""
    return f"{part} {number} {name or f'any {type_}'}"


def step_rule(number: int, what: str = "") -> str:
    """What a step is called, or a part of it."""
    return f"step {number} {what}".rstrip()


def branches_of(
    outputs: Iterable[Json], decisions: Iterable[Json], evidence: Iterable[Json]
) -> Iterator[Branch]:
    """The branches that a run took, as its records tell; conditions tell theirs themselves."""
    for record in outputs:
        if record["type"] == "retraction":
            yield Branch(record["journey"], "retraction", record["reason"])
        else:
            yield from _gates(record)
    for record in decisions:
        yield from _decision(record)
    for record in evidence:
        if record["via"] == "event":
            yield Branch(CONSENT_FILE, record["event"], record["channel"])


def _decision(record: Json) -> Iterator[Branch]:
    journey, step, reason = record["journey"], record["step"], record["reason"]
    yield Branch(journey, step_rule(step), record["outcome"])
    if reason in _OF_STEP:
        yield Branch(journey, step_rule(step), reason)
    if reason in OF_JOURNEY:
        yield Branch(journey, OF_JOURNEY[reason], reason)
    if "variant" in record:
        yield Branch(journey, "variant", record["variant"])
    yield from _gates(record)


def _gates(record: Json) -> Iterator[Branch]:
    for gate in record["gates"]:
        if gate["gate"] == "holdout":
            yield Branch(record["journey"], "holdout", gate["verdict"])
        yield Branch(record["journey"], step_rule(record["step"], gate["gate"]), gate["verdict"])
