"""What several rulebooks, or production, decided about the same steps: by trigger id.

The id is a digest of the journey's name, the anchor event and the step, so that a step has the
same id under every rulebook. Of one id only the verdicts are kept; equal ones are one object, so
that a step costs some hundred bytes.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from pipeline.process.history import Came
from pipeline.process.tally import FIRED, RETRACTED

Side: TypeAlias = Literal["both", "one", "other"]
"""Who fired: both, only the one, or only the other."""

NO_JOURNEY: Final = "no_journey"
UNDECIDED: Final = "undecided"
BEFORE: Final = "before_from"
SILENT: Final = {
    NO_JOURNEY: "it has no journey of this name",
    UNDECIDED: "it opened no wait, or one that is still open at the end",
    BEFORE: "the start is from before its journeys were in force (--from)",
}
"""What stands for a side that decided nothing about a step."""


class Verdict(NamedTuple):
    """What one side says of a step."""

    outcome: str
    reason: str

    @property
    def fired(self) -> bool:
        """Whether a trigger went out, taken back or not."""
        return self.outcome in {FIRED, RETRACTED}

    def __str__(self) -> str:
        same = not self.reason or self.reason == self.outcome
        return self.outcome if same else f"{self.outcome}: {self.reason}"


class Step(NamedTuple):
    """What an id stands for, as far as differences tell it."""

    journey: str
    number: int


class Difference(NamedTuple):
    """A step that only one side fired; `verdict` is the other's."""

    id: str
    step: Step
    side: Side
    verdict: Verdict


class Sum(NamedTuple):
    """Of a journey: who fired, and what the one who did not says; empty where both did."""

    journey: str
    side: Side
    verdict: str


class _Known(NamedTuple):
    step: Step
    verdicts: tuple[Verdict | None, ...]


@dataclass(slots=True)
class Comparison:
    """`journeys`: by side the names its rulebook has; None where that is not known."""

    journeys: Sequence[frozenset[str] | None]
    _known: dict[bytes, _Known] = field(default_factory=dict)
    _same: dict[_Known, _Known] = field(default_factory=dict)

    def take(self, side: int, came: Came) -> None:
        """Note what a side said of a step. Of several the last counts, but a trigger went out."""
        kind, record = came
        verdict = Verdict(FIRED, "")
        if kind == "retraction":
            verdict = Verdict(RETRACTED, record["reason"])
        elif kind == "decision":
            verdict = Verdict(record["outcome"], record["reason"] or "")
        self.note(side, record["id"], Step(record["journey"], record["step"]), verdict)

    def note(self, side: int, id_: str, step: Step, verdict: Verdict) -> None:
        """As `take`."""
        key = bytes.fromhex(id_)
        known = self._known.get(key) or _Known(step, (None,) * len(self.journeys))
        before = known.verdicts[side]
        if before is not None and before.fired and verdict.outcome != RETRACTED:
            return
        verdicts = (*known.verdicts[:side], verdict, *known.verdicts[side + 1 :])
        made = known._replace(verdicts=verdicts)
        self._known[key] = self._same.setdefault(made, made)

    def verdict(self, side: int, id_: str) -> Verdict | None:
        """What a side said of an id so far."""
        known = self._known.get(bytes.fromhex(id_))
        return None if known is None else known.verdicts[side]

    def fired(self, id_: str) -> bool:
        """Whether any side fired it."""
        known = self._known.get(bytes.fromhex(id_))
        return known is not None and any(v is not None and v.fired for v in known.verdicts)

    def sums(self, one: int, other: int) -> Counter[Sum]:
        """By journey: what both fired, and what only one of two sides did, by the other's say."""
        found: Counter[Sum] = Counter()
        for _, step, side, verdict in self._fired(one, other):
            found[Sum(step.journey, side, "" if side == "both" else str(verdict))] += 1
        return found

    def differences(self, one: int, other: int) -> Iterator[Difference]:
        """The steps that only one of two sides fired, in no order that means anything."""
        return (each for each in self._fired(one, other) if each.side != "both")

    def _fired(self, one: int, other: int) -> Iterator[Difference]:
        for key, (step, verdicts) in self._known.items():
            mine, theirs = verdicts[one], verdicts[other]
            by_me = mine is not None and mine.fired
            by_them = theirs is not None and theirs.fired
            if by_me and by_them:
                yield Difference(key.hex(), step, "both", Verdict(FIRED, ""))
            elif by_me:
                yield Difference(key.hex(), step, "one", theirs or self._silent(other, step))
            elif by_them:
                yield Difference(key.hex(), step, "other", mine or self._silent(one, step))

    def _silent(self, side: int, step: Step) -> Verdict:
        names = self.journeys[side]
        absent = names is not None and step.journey not in names
        return Verdict(NO_JOURNEY if absent else UNDECIDED, "")
