"""The tables of the page: heads and cells as text, nothing escaped yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from pipeline.commands import backtest_figures as figures
from pipeline.commands.backtest_study import Side, Study
from pipeline.commands.reasons import OUTCOMES, REASONS, RETRACTIONS
from pipeline.commands.tables import shown
from pipeline.domain.times import format_instant
from pipeline.process.comparison import SILENT
from pipeline.process.tally import FIRED, RETRACTED

DIFFERENCES_MAX: Final = 200
_NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """The last `figures` columns are numbers. `note` is empty where there is nothing to add."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: int = 0
    note: str = ""


def results(made: Study, letters: Sequence[str]) -> Table:
    """How steps ended, by journey."""
    found = figures.results(made.sides)
    rows: list[list[str]] = []
    for journey in figures.journeys(made.sides):
        versions = [figures.versions(side, journey) or _NOTHING for side in made.sides]
        rows.append([shown(journey), "version", "", *versions])
        rows += [
            [shown(journey), shown(each.outcome), _reason(*each[1:3]), *_counts(each.counts)]
            for each in found
            if each.journey == journey
        ]
    heads = ("Journey", "Outcome", "Reason", *letters)
    return Table("Outcomes and their reasons", heads, rows, len(letters))


def _reason(outcome: str, reason: str) -> str:
    words = RETRACTIONS if outcome == RETRACTED else REASONS
    return f"{shown(reason)}: {words[reason]}" if reason in words else shown(reason)


def channels(sides: Sequence[Side], letters: Sequence[str]) -> Table:
    """Triggers by channel and variant."""
    rows = [
        [
            shown(w.journey),
            str(w.version),
            shown(w.channel),
            shown(w.variant) or _NOTHING,
            *_counts(n),
        ]
        for w, n in figures.channels(sides)
    ]
    heads = ("Journey", "Version", "Channel", "Variant", *letters)
    return Table("Triggers by journey, version, channel and variant", heads, rows, len(letters))


def variants(sides: Sequence[Side], letters: Sequence[str]) -> list[Table]:
    """Outcomes by variant; no table where no journey has an experiment."""
    rows = [[*map(shown, e), *_counts(counts)] for e, counts in figures.variants(sides)]
    heads = ("Journey", "Version", "Variant", "Outcome", "Reason", *letters)
    return [Table("Outcomes by variant", heads, rows, len(letters))] if rows else []


def days(found: figures.Days, letters: Sequence[str]) -> Table:
    """Triggers by day."""
    rows = [
        [format_instant(begin)[:10], *_counts(counts)]
        for begin, *counts in zip(found.begins, *found.counts, strict=True)
    ]
    head = "Day (UTC)" if found.width == 1 else f"{found.width} days from"
    return Table("Triggers by day", (head, *letters), rows, len(letters))


def days_of_journeys(letter: str, side: Side) -> Table:
    """Triggers of one side by day, journey and version."""
    names, found = figures.days_of_journeys(side)
    made = days(found, [shown(name) for name in names])
    return replace(made, caption=f"{letter}: triggers by day, journey and version")


def hours(side: Side) -> Table:
    """Triggers by hour of the day."""
    utc, local = figures.hours(side.tally)
    rows = [[f"{hour:02d}:00", *_counts((utc[hour], local[hour]))] for hour in range(24)]
    unknown = side.tally.called()[None]
    note = f"{unknown:,} triggers have no local hour: no phone number, or one of several zones."
    heads = ("Hour", "UTC", "Local")
    return Table("Triggers by hour of the day", heads, rows, 2, note if unknown else "")


def fired(sides: Sequence[Side], letters: Sequence[str]) -> Table:
    """Triggers by journey."""
    rows = [
        [shown(journey), *_counts([figures.fired(side, journey) for side in sides])]
        for journey in figures.journeys(sides)
    ]
    return Table("Triggers by journey", ("Journey", *letters), rows, len(letters))


def between(made: Study, number: int, letters: Sequence[str]) -> Table:
    """Who fired how many, by journey."""
    rows, _ = figures.between(made, number)
    heads = ("Journey", "Both", f"Only {letters[0]}", f"Only {letters[number]}")
    cells = [[shown(row.journey), *_counts(row[1:])] for row in rows]
    return Table("Triggers, by id", heads, cells, 3)


def whys(made: Study, number: int, letters: Sequence[str]) -> list[Table]:
    """Why one side did not fire what the other did, and the first ids; none where they agree."""
    if made.comparison is None:
        return []
    _, sums = figures.between(made, number)
    sides = {"one": (letters[0], letters[number]), "other": (letters[number], letters[0])}
    rows = [
        [shown(each.journey), *sides[each.side], verdict(each.verdict), f"{count:,}"]
        for each, count in sums.most_common()
        if each.side != "both"
    ]
    if not rows:
        return []
    ids = [
        [id_, shown(step.journey), str(step.number), sides[side][0], shown(str(said))]
        for id_, step, side, said in islice(made.comparison.differences(0, number), DIFFERENCES_MAX)
    ]
    more = f"The first {DIFFERENCES_MAX}; --json lists all."
    return [
        Table("Why", ("Journey", "Fired by", "Not by", "Which says", "Count"), rows, 1),
        Table(
            "Differences",
            ("Trigger id", "Journey", "Step", "Fired only by", "The other says"),
            ids,
            note=more if len(ids) == DIFFERENCES_MAX else "",
        ),
    ]


def verdict(said: str) -> str:
    """What a side says of a step that it did not fire, in words where it is a code."""
    if said in SILENT:
        return SILENT[said]
    outcome, _, reason = said.partition(": ")
    words = REASONS.get(reason or outcome) or OUTCOMES.get(outcome)
    return f"{shown(said)} ({words})" if words else shown(said)


def dropped(made: Study, letters: Sequence[str]) -> Table:
    """What became of the records that were read."""
    run = [(letter, s) for letter, s in zip(letters, made.sides, strict=True) if s.document]
    names = sorted({str(name) for _, side in run for name in side.counts})
    rows = [[shown(name), *_counts([side.counts[name] for _, side in run])] for name in names]
    heads = ("Record", *(letter for letter, _ in run))
    return Table("What became of records", heads, rows, len(run))


def totals(made: Study, letters: Sequence[str]) -> Table:
    """One line a side."""
    rows = [
        [
            letter,
            shown(side.label),
            *_counts((side.tally.total(FIRED), side.tally.total(RETRACTED), side.tally.not_fired)),
        ]
        for letter, side in zip(letters, made.sides, strict=True)
    ]
    return Table("By rulebook", ("", "Rulebook", "Fired", "Retracted", "Not fired"), rows, 3)


def _counts(counts: Iterable[int]) -> list[str]:
    return [f"{count:,}" if count else _NOTHING for count in counts]
