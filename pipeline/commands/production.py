"""What production really fired and decided: one side of a comparison, read from its topics."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.commands.histories import Reader
from pipeline.domain.times import parse_instant
from pipeline.process.comparison import BEFORE, Comparison, Step, Verdict
from pipeline.process.history import Came, read_output
from pipeline.process.tally import Tally

if TYPE_CHECKING:
    from pipeline.names import Names

_INSTANT: Final[Mapping[str, str]] = {
    "trigger": "firedAt",
    "retraction": "at",
    "decision": "decidedAt",
}
_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)
"""What a record that is none of ours gives; anybody may write to a topic."""


@dataclass(slots=True)
class Production:
    """Counts what production did from `begin` to `end` (ms, both included) as `side`.

    Production decides up to seconds later than a backtest, which knows the instant: a trigger
    from outside the span still counts as the one that a backtest fired within it.
    """

    comparison: Comparison
    side: int
    tally: Tally
    begin: int
    end: int
    unreadable: int = 0

    async def read(self, reader: Reader, names: "Names") -> None:
        """Read both topics to their present end; give the backtests' outcomes first."""
        for kind, topic in (
            ("journey.triggers", names.triggers),
            ("journey.decisions", names.decisions),
        ):
            async with aclosing(self._came(reader, kind, topic)) as found:
                async for came in found:
                    try:
                        self._take(came)
                    except _UNREADABLE:
                        self.unreadable += 1

    async def _came(self, reader: Reader, kind: str, topic: str) -> AsyncGenerator[Came, None]:
        async with aclosing(reader.read(topic)) as records:
            async for kept in records:
                try:
                    came = read_output(kind, kept.value)
                except _UNREADABLE:
                    self.unreadable += 1
                    continue
                if came is not None and _sound(came):
                    yield came
                elif came is not None:
                    self.unreadable += 1

    def _take(self, came: Came) -> None:
        kind, record = came
        at = parse_instant(record[_INSTANT[kind]])
        inside = at is not None and self.begin <= at <= self.end
        if inside:
            self.tally.take(came)
        if self._matters(came, inside=inside):
            self.comparison.take(self.side, came)
            self._excuse(came)

    def _matters(self, came: Came, *, inside: bool) -> bool:
        """Outside the span only what a backtest fired; a retraction only of what is noted."""
        if came.kind == "retraction":
            said = self.comparison.verdict(self.side, came.record["id"])
            return said is not None and said.fired
        return inside or self.comparison.fired(came.record["id"])

    def _excuse(self, came: Came) -> None:
        """A backtest can't know of a wait that began before its journeys were in force."""
        kind, record = came
        if kind != "trigger" or (parse_instant(record["anchor"]["timestamp"]) or 0) >= self.begin:
            return
        step = Step(record["journey"], record["step"])
        for side in self._silent(record["id"], step):
            self.comparison.note(side, record["id"], step, Verdict(BEFORE, ""))

    def _silent(self, id_: str, step: Step) -> Sequence[int]:
        journeys = self.comparison.journeys
        return [
            side
            for side, names in enumerate(journeys)
            if names is not None
            and step.journey in names
            and self.comparison.verdict(side, id_) is None
        ]


def _sound(came: Came) -> bool:
    """Whether what is counted by has the types that it is sorted and shown by."""
    record = came.record
    texts = ["journey", "id", *(("channel", "to") if came.kind == "trigger" else ())]
    numbers, others = ("version", "step"), ("reason", "variant")
    return (
        came.kind in _INSTANT
        and all(isinstance(record.get(name), str) for name in texts)
        and all(type(record.get(name)) is int for name in numbers)
        and all(isinstance(record.get(name), str | None) for name in others)
        and (came.kind != "decision" or isinstance(record.get("outcome"), str))
        and (came.kind != "retraction" or record.get("reason") is not None)
    )
