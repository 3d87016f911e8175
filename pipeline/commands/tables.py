"""Tables and lines for people. What comes from records is shown as text that can do no harm."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE: Final = 160


def console(*, stderr: bool = False) -> Console:
    """Where lines go; wide where nobody looks at it, so that nothing is cut in a file."""
    made = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = _WIDE
    return made


def shown(value: object) -> str:
    """A value of a record as one line; control characters are written out, never sent."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else str(value)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    title: str | None = None,
    *,
    figures: int = 0,
) -> Table:
    """A table of plain cells; the last `figures` columns are numbers."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for nth, column in enumerate(columns):
        number = nth >= len(columns) - figures
        made.add_column(column, overflow="fold", justify="right" if number else "left")
    for row in rows:
        made.add_row(*(Text(shown(cell)) for cell in row))
    return made


def line(target: Console, text: str, style: str | None = None) -> None:
    """One line, not wrapped and not cut."""
    target.print(Text(text, style=style or ""), soft_wrap=True)


def count_of(number: int, one: str, many: str | None = None) -> str:
    """`1 record`, `2 records`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
