"""A backtest as tables for the terminal."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from pipeline.commands import backtest_figures as figures
from pipeline.commands.backtest_study import Side, Study
from pipeline.commands.tables import console, count_of, line, table
from pipeline.domain.times import format_instant
from pipeline.process.comparison import SILENT
from pipeline.process.history import Came
from pipeline.process.tally import FIRED, RETRACTED

if TYPE_CHECKING:
    from rich.console import Console

Json = dict[str, Any]
_ROWS: Final = 200
"""Of one table: more is for programs."""
_DIFFERENCES: Final = 50
_TITLES: Final = {
    "trigger": ("would have fired", "firedAt journey step key who channel to"),
    "retraction": ("would have been retracted", "at journey step key who reason"),
    "decision": ("would not have fired", "decidedAt journey step key who outcome reason"),
}


class Firsts:
    """A sink that keeps the first rows of a rulebook's tables, and counts the rest."""

    def __init__(self) -> None:
        self.rows: dict[str, list[list[object]]] = {kind: [] for kind in _TITLES}
        self.more = dict.fromkeys(_TITLES, 0)

    def take(self, _: Side, came: Came) -> None:
        """Keep its row, if there is room."""
        kind, record = came
        if len(self.rows[kind]) == _ROWS:
            self.more[kind] += 1
            return
        record = {**record, "who": record["userId"] or record["anonymousId"]}
        self.rows[kind].append([record.get(name) for name in _TITLES[kind][1].split()])

    def show(self, out: "Console") -> None:
        """Print them."""
        for kind, (title, columns) in _TITLES.items():
            if self.rows[kind]:
                out.print(table(columns.split(), self.rows[kind], title))
            if self.more[kind]:
                line(out, f"… and {self.more[kind]:,} more; --json lists all")


def show(made: Study, firsts: Firsts | None) -> None:
    """Print what came of a history; of one rulebook alone also the first records."""
    out = console()
    if firsts is not None:
        firsts.show(out)
    _show_results(out, made.sides)
    _show_channels(out, made.sides)
    _show_times(out, made.sides)
    for number in range(1, len(made.sides)):
        _show_between(out, made, number)
    _show_span(out, made)


def _show_results(out: "Console", sides: Sequence[Side]) -> None:
    names = [side.label for side in sides] if len(sides) > 1 else ["count"]
    rows: list[list[object]] = []
    found = figures.results(sides)
    for journey in figures.journeys(sides):
        shown = [figures.versions(side, journey) for side in sides]
        rows.append([journey, "version", "", *(version or "-" for version in shown)])
        rows += [
            ["", each.outcome, each.reason, *_figures(each.counts)]
            for each in found
            if each.journey == journey
        ]
    if rows:
        heads = ("journey", "outcome", "reason", *names)
        out.print(table(heads, rows, "summary", figures=len(names)))


def _show_channels(out: "Console", sides: Sequence[Side]) -> None:
    names = [side.label for side in sides] if len(sides) > 1 else ["triggers"]
    rows = [
        [went.journey, went.version, went.channel, went.variant or None, *_figures(counts)]
        for went, counts in figures.channels(sides)
    ]
    if rows:
        columns = ("journey", "version", "channel", "variant", *names)
        title = "triggers by channel and variant"
        out.print(table(columns, rows, title, figures=len(names)))


def _show_times(out: "Console", sides: Sequence[Side]) -> None:
    found = figures.days([figures.by_day(side.tally) for side in sides])
    if not found.begins:
        return
    names = [side.label for side in sides] if len(sides) > 1 else ["triggers"]
    day_rows = [
        [format_instant(begin)[:10], *_figures(counts)]
        for begin, *counts in zip(found.begins, *found.counts, strict=True)
    ]
    first = "day (UTC)" if found.width == 1 else f"{found.width} days from"
    out.print(table((first, *names), day_rows, "triggers by day", figures=len(names)))
    by_side = [figures.hours(side.tally) for side in sides]
    heads = [f"{name}, {clock}" for name in names for clock in ("UTC", "local")]
    hour_rows = [
        [f"{hour:02d}", *_figures(column[hour] for pair in by_side for column in pair)]
        for hour in range(24)
    ]
    title = "triggers by hour; local: by the phone number's zone"
    out.print(table(("hour", *heads), hour_rows, title, figures=len(heads)))


def _show_between(out: "Console", made: Study, number: int) -> None:
    one, other = made.sides[0].label, made.sides[number].label
    rows, sums = figures.between(made, number)
    if not rows or made.comparison is None:
        line(out, f"{one} and {other}: neither fired anything")
        return
    columns = ("journey", "both", f"only {one}", f"only {other}")
    cells = [[row.journey, *_figures(row[1:])] for row in rows]
    out.print(table(columns, cells, "triggers, by id", figures=3))
    sides = {"one": (one, other), "other": (other, one)}
    whys = [
        [each.journey, sides[each.side][0], sides[each.side][1], each.verdict, f"{count:,}"]
        for each, count in sums.most_common()
        if each.side != "both"
    ]
    if whys:
        heads = ("journey", "fired by", "but not by", "which says", "count")
        out.print(table(heads, whys, figures=1))
    found = islice(made.comparison.differences(0, number), _DIFFERENCES)
    ids = [
        [each.id, each.step.journey, each.step.number, sides[each.side][0], each.verdict]
        for each in found
    ]
    if ids:
        title = f"first {_DIFFERENCES} differences; --json lists all"
        title = title if len(ids) == _DIFFERENCES else "differences"
        out.print(table(("id", "journey", "step", "fired only by", "the other says"), ids, title))
    said = {each.verdict for each in sums} & SILENT.keys()
    for code in sorted(said):
        line(out, f"{code}: {SILENT[code]}")


def _show_span(out: "Console", made: Study) -> None:
    span, first = made.span, made.sides[0]
    if not span.records:
        line(out, "no records: the history is empty, or all of it is later than --to")
    if made.unreadable:
        line(out, f"{count_of(made.unreadable, 'record')} of the output topics can't be read")
    when = ""
    if span.first is not None and span.last is not None:
        when = f" from {format_instant(span.first)} to {format_instant(span.last)}"
    for side in made.sides[1:]:
        line(out, f"{side.label}: {_sent(side)}")
    label = f"{first.label}: " if len(made.sides) > 1 else ""
    records = count_of(span.records, "record")
    line(out, f"{label}{records}{when}: {_sent(first)}; nothing was emitted")


def _sent(side: Side) -> str:
    triggers = count_of(side.tally.total(FIRED), "trigger")
    gone = count_of(side.tally.total(RETRACTED), "retraction")
    return f"{triggers}, {gone}, {side.tally.not_fired:,} not fired"


def _figures(counts: Iterable[int]) -> list[str]:
    return [f"{count:,}" if count else "-" for count in counts]
