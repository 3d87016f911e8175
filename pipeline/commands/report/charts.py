"""Plots as geometry: what the template draws as SVG. Every mark has a text of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

WIDTH: Final = 720
_TOP: Final = 12
_LEFT: Final = 48
_BOTTOM: Final = 28
_PLOT_HEIGHT: Final = 220
_TICKS: Final = 4
_LABELS_MAX: Final = 8
_LABEL_HALF: Final = 36
"""Half the width of a date."""
_CELL: Final = 27
_NAME_WIDTH: Final = 264
_NAME_MAX: Final = 34
_TOTAL_WIDTH: Final = 64
_BAR: Final = 16
_STEPS: Final = 5
_THOUSAND: Final = 1_000
_MILLION: Final = 1_000_000


class Mark(NamedTuple):
    """A rectangle; `css` is its colour's class, `text` what it stands for."""

    x: float
    y: float
    width: float
    height: float
    css: str
    text: str


class Label(NamedTuple):
    """Text at a point."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "start"
    css: str = ""


@dataclass(slots=True)
class Plot:
    """`about` says in a sentence what is seen; `rules` are the heights of horizontal lines."""

    id: str
    title: str
    about: str
    height: float
    marks: list[Mark] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    rules: list[float] = field(default_factory=list)


class Segment(NamedTuple):
    """A part of a bar."""

    size: int
    css: str
    text: str


class Row(NamedTuple):
    """A bar; `name` is given with the first of a group, `letter` tells the bars of it apart."""

    name: str
    letter: str
    segments: Sequence[Segment]


def columns(
    plot: Plot, names: Sequence[str], texts: Sequence[str], counts: Sequence[Sequence[int]]
) -> Plot:
    """Columns side by side, `counts` by series; `names` are for the axis, `texts` for the marks."""
    top = _ceiling(max((max(each, default=0) for each in counts), default=0))
    bottom = _TOP + _PLOT_HEIGHT
    for tick in range(_TICKS + 1):
        y = bottom - _PLOT_HEIGHT * tick / _TICKS
        plot.rules.append(y)
        plot.labels.append(Label(_LEFT - 8, y + 4, _short(top * tick // _TICKS), "end"))
    group = (WIDTH - _LEFT) / max(1, len(names))
    bar = min(group * 0.8 / max(1, len(counts)), 28)
    each = max(1, -(-len(names) // _LABELS_MAX))
    for place, (name, text) in enumerate(zip(names, texts, strict=True)):
        middle = _LEFT + group * (place + 0.5)
        if place % each == 0:
            x = min(middle, WIDTH - _LABEL_HALF)
            plot.labels.append(Label(x, bottom + 18, name, "middle"))
        for series, of_series in enumerate(counts):
            height = _PLOT_HEIGHT * of_series[place] / top
            x = middle + bar * (series - len(counts) / 2)
            said = f"{text}: {of_series[place]:,}"
            plot.marks.append(Mark(x, bottom - height, bar * 0.92, height, css(series), said))
    plot.height = bottom + _BOTTOM
    return plot


def heat(plot: Plot, days: Sequence[str], counts: Sequence[Sequence[int]]) -> Plot:
    """Seven days by 24 hours, darker for more; every cell says its number."""
    most = max((max(each, default=0) for each in counts), default=0)
    for hour in range(0, 24, 3):
        plot.labels.append(Label(_LEFT + _CELL * (hour + 0.5), _TOP + 6, f"{hour:02d}", "middle"))
    for row, (day, hours) in enumerate(zip(days, counts, strict=True)):
        y = _TOP + 14 + _CELL * row
        plot.labels.append(Label(_LEFT - 8, y + 18, day, "end"))
        for hour, count in enumerate(hours):
            step = -(-count * _STEPS // most) if most else 0
            x = _LEFT + _CELL * hour
            text = f"{day} {hour:02d}:00: {count:,}"
            plot.marks.append(Mark(x, y, _CELL - 2, _CELL - 2, f"heat h{step}", text))
            if count:
                dense = "dense" if step > _STEPS // 2 else "sparse"
                label = Label(x + _CELL / 2 - 1, y + 17, _short(count), "middle", dense)
                plot.labels.append(label)
    plot.height = _TOP + 14 + _CELL * len(days)
    return plot


def bars(plot: Plot, rows: Sequence[Row], *, shares: bool = False) -> Plot:
    """Horizontal bars of segments. `shares`: every bar is a whole, its total stands beside it."""
    totals = [sum(segment.size for segment in row.segments) for row in rows]
    most = max(totals, default=0)
    room, y = WIDTH - _NAME_WIDTH - _TOTAL_WIDTH, float(_TOP)
    for row, total in zip(rows, totals, strict=True):
        y += 10 if row.name and y > _TOP else 0
        x = float(_NAME_WIDTH)
        plot.labels.append(Label(_NAME_WIDTH - 26, y + 12, _cut(row.name), "end"))
        plot.labels.append(Label(_NAME_WIDTH - 8, y + 12, row.letter, "end", "letter"))
        whole = total if shares else most
        for segment in row.segments:
            width = room * segment.size / whole if whole else 0
            if segment.size:
                plot.marks.append(Mark(x, y, width, _BAR, segment.css, segment.text))
            x += width
        plot.labels.append(Label(x + 6, y + 12, f"{total:,}"))
        y += _BAR + 4
    plot.height = y + 8
    return plot


def css(series: int) -> str:
    """The class of a series' colour."""
    return f"c{series % 8}"


def _ceiling(most: int) -> int:
    """The end of an axis from 0: the next of 4, 8, 20, 40, 80, 200, ..."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if most <= step * factor * _TICKS:
                return step * factor * _TICKS
        step *= 10


def _short(count: int) -> str:
    """In at most four characters, so that it fits a cell."""
    if count < _THOUSAND:
        return str(count)
    size, unit = (_THOUSAND, "k") if count < _MILLION else (_MILLION, "M")
    return f"{count / size:.1f}{unit}" if count < 10 * size else f"{count // size}{unit}"


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_MAX else name[: _NAME_MAX - 1] + "…"
