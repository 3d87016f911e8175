"""A run of one or more rulebooks over a history, and what production did: the figures of it."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from pipeline.adapters.memory_store import MemoryStore
from pipeline.commands.common import Failure, reachable, settings
from pipeline.commands.histories import from_file, from_topic
from pipeline.commands.production import Production
from pipeline.commands.progress import RunProgress
from pipeline.commands.rulebook_files import usable_document
from pipeline.process.comparison import Comparison
from pipeline.process.history import Backtest, Came, Happened, Span, run
from pipeline.process.tally import Tally
from pipeline.rulebook.load import Document

if TYPE_CHECKING:
    from pipeline.settings import Settings

IN_FORCE: Final = "in-force"
FIRED: Final = "fired"


@dataclass(frozen=True, slots=True)
class Asked:
    """What to run: instants are ms; without a `path` the raw topic is read."""

    rulebook: Path
    compare: tuple[str, ...] = ()
    begin: int | None = None
    end: int | None = None
    path: Path | None = None


@dataclass(slots=True)
class Side:
    """A rulebook that is run, or production, which has no document."""

    label: str
    document: Document | None
    tally: Tally = field(default_factory=Tally)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def names(self) -> frozenset[str] | None:
        """Of its journeys."""
        if self.document is None:
            return None
        return frozenset(made["journey"] for made in self.document["journeys"])


@dataclass(slots=True)
class Study:
    """`comparison` knows the sides by their numbers; there is none of one side alone."""

    asked: Asked
    sides: list[Side]
    comparison: Comparison | None
    span: Span = field(default_factory=Span)
    unreadable: int = 0
    """Records in production's topics that are none of ours."""

    @property
    def begin(self) -> int:
        """When the journeys came into force, ms; 0 where there is no record to tell."""
        return self.span.first or 0 if self.asked.begin is None else self.asked.begin

    @property
    def end(self) -> int:
        """When the clock stopped, ms; 0 as above."""
        return self.span.last or 0 if self.asked.end is None else self.asked.end


Sink: TypeAlias = Callable[[Side, Came], None]
"""Told of everything that came of a rulebook, at once and in order of log time."""


def sides_of(asked: Asked) -> list[Side]:
    """The rulebooks that were named, read and checked; that in force is still empty."""
    named = [str(asked.rulebook), *asked.compare]
    if twice := [name for name, count in Counter(named).items() if count > 1]:
        raise Failure(f"backtest: {twice[0]} is named twice: compare it with another")
    sides = [Side(named[0], usable_document(asked.rulebook)[0])]
    for name in asked.compare:
        special = name in {IN_FORCE, FIRED}
        sides.append(Side(name, None if special else usable_document(Path(name))[0]))
    return sides


async def study(asked: Asked, sides: list[Side], sink: Sink, progress: RunProgress) -> Study:
    """Run them all over one reading of the history."""
    if any(side.document is None for side in sides):
        await _reach_out(sides, reachable())
    comparison = Comparison([side.names for side in sides]) if len(sides) > 1 else None
    made = Study(asked, sides, comparison)
    run_ = [number for number, side in enumerate(sides) if side.document is not None]
    await _run(made, run_, sink, progress)
    for number, side in enumerate(sides):
        if side.document is None and comparison is not None:
            await _read_production(made, number, comparison, reachable())
    return made


async def _run(made: Study, numbers: Sequence[int], sink: Sink, progress: RunProgress) -> None:
    asked, region = made.asked, settings().region
    backtests = [
        Backtest(document, MemoryStore(), region=region, begin=asked.begin)
        for number in numbers
        if (document := made.sides[number].document) is not None
    ]
    with progress:
        async with aclosing(_history(asked, progress)) as history:
            records = progress.follow(history)
            async for nth, came in run(records, backtests, made.span, asked.end):
                side = made.sides[numbers[nth]]
                side.tally.take(came)
                if made.comparison is not None:
                    made.comparison.take(numbers[nth], came)
                sink(side, came)
    for nth, backtest in enumerate(backtests):
        made.sides[numbers[nth]].counts = backtest.counts


def _history(asked: Asked, progress: RunProgress) -> AsyncGenerator[Happened, None]:
    if asked.path is None:
        return from_topic(reachable(), expect=progress.expect)
    return from_file(asked.path, expect=progress.expect)


async def _reach_out(sides: Sequence[Side], settings_: "Settings") -> None:
    """Fetch the rulebook in force; where the pipeline is out of reach, fail before a long run."""
    from pipeline.commands.reach import reach

    async with reach(settings_) as pipeline:
        for side in sides:
            if side.label == IN_FORCE:
                side.document = (await pipeline.in_force()).document or None
                if side.document is None:
                    raise Failure(
                        "backtest: no rulebook is in force to compare with: run"
                        " `pipeline apply RULEBOOK`, or name a folder"
                    )


async def _read_production(
    made: Study, number: int, comparison: Comparison, settings_: "Settings"
) -> None:
    from pipeline.commands.reach import reach

    tally = made.sides[number].tally
    production = Production(comparison, number, tally, made.begin, made.end)
    async with reach(settings_) as pipeline:
        await production.read(pipeline.reader, settings_.names)
    made.unreadable = production.unreadable
