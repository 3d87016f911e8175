"""The page: sections of plots with a table beside each, as one self-contained HTML file.

It holds ids of triggers and counts, never who was called: nothing of a record but its journey,
version, step, channel, variant, outcome, reason and hour comes here. All text is escaped by the
template; control characters are written out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import ascii_uppercase
from typing import Final

from jinja2 import Environment, StrictUndefined

from pipeline.commands import backtest_figures as figures
from pipeline.commands.backtest_study import Side, Study
from pipeline.commands.report import charts, tables
from pipeline.commands.report.charts import Plot, Row, Segment, css
from pipeline.commands.report.tables import Table
from pipeline.commands.tables import count_of, shown
from pipeline.domain.times import format_instant
from pipeline.process.tally import FIRED, RETRACTED, HourOfWeek

_TEMPLATE: Final = "backtest.html.jinja"
_REASONS_MAX: Final = 7
_OTHER: Final = "cother"


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend."""

    css: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """Plots with their legend, the tables beside them, and those that need the whole width."""

    title: str
    about: str
    plots: Sequence[Plot] = ()
    legend: Sequence[Key] = ()
    tables: Sequence[Table] = ()
    wide: Sequence[Table] = ()


def page(made: Study) -> str:
    """The whole file as text."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = (files("pipeline.commands.report") / _TEMPLATE).read_text(encoding="utf-8")
    letters = [_letter(number) for number in range(len(made.sides))]
    return environment.from_string(template).render(
        title=f"Backtest of {shown(made.sides[0].label)}",
        span=_span(made),
        records=count_of(made.span.records, "record"),
        totals=tables.totals(made, letters),
        sections=list(_sections(made, letters)),
        width=charts.WIDTH,
    )


def _letter(number: int) -> str:
    """A, B, ..., Z, A1, B1, ..."""
    again, place = divmod(number, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(again) if again else "")


def _span(made: Study) -> str:
    if not made.end:
        return "no record was read"
    return f"{format_instant(made.begin)} to {format_instant(made.end)}"


def _sections(made: Study, letters: Sequence[str]) -> Iterator[Section]:
    sides = made.sides
    keys = [
        Key(css(number), f"{letter}: {shown(side.label)}")
        for number, (letter, side) in enumerate(zip(letters, sides, strict=True))
    ]
    yield _fired(sides, letters, keys)
    for number in range(1, len(sides)):
        yield _between(made, number, letters)
    yield _days(sides, letters, keys)
    for letter, side in zip(letters, sides, strict=True):
        if side.tally.hours:
            yield _hours(letter, side)
    yield _reasons(made, letters)
    went = [tables.channels(sides, letters), *tables.variants(sides, letters)]
    yield Section("Channels and variants", "Where triggers went.", wide=went)
    read = [tables.dropped(made, letters)]
    yield Section("Records", "Raw and internal: taken, or the reason they were not.", wide=read)


def _fired(sides: Sequence[Side], letters: Sequence[str], keys: Sequence[Key]) -> Section:
    rows = [
        Row(shown(journey) if number == 0 else "", letters[number], [segment])
        for journey in figures.journeys(sides)
        for number, side in enumerate(sides)
        for count in [figures.fired(side, journey)]
        for segment in [
            Segment(count, css(number), f"{shown(journey)}, {letters[number]}: {count:,}")
        ]
    ]
    title = "Triggers by journey" if len(sides) == 1 else "Versions side by side"
    plot = charts.bars(Plot("fired", title, "A bar a journey and rulebook: its triggers.", 0), rows)
    about = "What would have gone out, counting what was taken back afterwards."
    return Section(title, about, [plot], keys, [tables.fired(sides, letters)])


def _between(made: Study, number: int, letters: Sequence[str]) -> Section:
    one, other = letters[0], letters[number]
    found, _ = figures.between(made, number)
    names = (f"both {one} and {other}", f"only {one}", f"only {other}")
    colours = ("cboth", css(0), css(number))
    rows = [
        Row(
            shown(each.journey),
            "",
            [
                Segment(count, colour, f"{shown(each.journey)}, {name}: {count:,}")
                for count, colour, name in zip(each[1:], colours, names, strict=True)
            ],
        )
        for each in found
    ]
    title = f"Difference of {one} and {other}"
    about = (
        f"{one} is {shown(made.sides[0].label)}, {other} is {shown(made.sides[number].label)}."
        " Triggers are the same where their ids are: journey, anchor event and step."
    )
    plot = Plot(f"between{number}", title, "A bar a journey: triggers by who fired them.", 0)
    legend = [Key(colour, name) for colour, name in zip(colours, names, strict=True)]
    beside = [tables.between(made, number, letters)]
    return Section(
        title,
        about,
        [charts.bars(plot, rows)],
        legend,
        beside,
        tables.whys(made, number, letters),
    )


def _days(sides: Sequence[Side], letters: Sequence[str], keys: Sequence[Key]) -> Section:
    found = figures.days([figures.by_day(side.tally) for side in sides])
    names = [format_instant(begin)[:10] for begin in found.begins]
    plot = Plot("days", "Triggers by day", "Columns by day, one a rulebook: triggers.", 0)
    texts = names if found.width == 1 else [f"{found.width} days from {name}" for name in names]
    charts.columns(plot, names, texts, found.counts)
    about = "By the instant of firing, in UTC."
    wide = [tables.days_of_journeys(letter, s) for letter, s in zip(letters, sides, strict=True)]
    return Section("Triggers by day", about, [plot], keys, [tables.days(found, letters)], wide)


def _hours(letter: str, side: Side) -> Section:
    known = {hour: count for hour, count in side.tally.called().items() if hour is not None}
    clocks = (("UTC", side.tally.utc()), ("the called person's local time", known))
    plots = [
        charts.heat(
            Plot(f"hours-{letter}-{nth}", f"Triggers by hour, {clock}", "Darker is more.", 0),
            figures.WEEKDAYS,
            [[counts.get(HourOfWeek(day, hour), 0) for hour in range(24)] for day in range(7)],
        )
        for nth, (clock, counts) in enumerate(clocks)
    ]
    about = f"{letter}: {shown(side.label)}. Local is by the time zone of the phone number."
    return Section("Triggers by hour of the week", about, plots, (), [tables.hours(side)])


def _reasons(made: Study, letters: Sequence[str]) -> Section:
    sides = made.sides
    found = figures.results(sides)
    totals: dict[tuple[str, str], int] = {(FIRED, ""): 0}
    for each in found:
        kind = (each.outcome, each.reason)
        totals[kind] = totals.get(kind, 0) + sum(each.counts)
    others = sorted((k for k in totals if k != (FIRED, "")), key=lambda k: (-totals[k], k))
    ranked = [(FIRED, ""), *others[:_REASONS_MAX]]
    colours = {kind: css(number) for number, kind in enumerate(ranked)}
    rows = [
        row
        for journey in figures.journeys(sides)
        for row in _reason_rows(
            journey, [e for e in found if e.journey == journey], letters, colours
        )
    ]
    legend = [Key(colours[kind], _named(*kind)) for kind in ranked if totals[kind]]
    if len(others) > _REASONS_MAX:
        legend.append(Key(_OTHER, "other"))
    plot = Plot("reasons", "Outcomes and their reasons", "A bar a journey and rulebook: shares.", 0)
    about = "Shares of all that was decided; the figure beside a bar is its total."
    return Section(
        "Outcomes and their reasons",
        about,
        [charts.bars(plot, rows, shares=True)],
        legend,
        wide=[tables.results(made, letters)],
    )


def _reason_rows(
    journey: str,
    found: Sequence[figures.Result],
    letters: Sequence[str],
    colours: dict[tuple[str, str], str],
) -> Iterator[Row]:
    """A bar a side. What was retracted had been fired: it is one part, what stayed another."""
    for number, letter in enumerate(letters):
        gone = sum(each.counts[number] for each in found if each.outcome == RETRACTED)
        segments = []
        for each in found:
            count = each.counts[number] - (gone if each.outcome == FIRED else 0)
            said = f"{shown(journey)}, {letter}, {_named(each.outcome, each.reason)}: {count:,}"
            colour = colours.get((each.outcome, each.reason), _OTHER)
            segments.append(Segment(max(0, count), colour, said))
        yield Row(shown(journey) if number == 0 else "", letter, segments)


def _named(outcome: str, reason: str) -> str:
    if outcome == FIRED:
        return "fired and not taken back"
    same = not reason or reason == outcome
    return shown(outcome) if same else f"{shown(outcome)}: {shown(reason)}"
