"""How far a long run is: on stderr while somebody looks at it, nothing where nobody does."""

import sys
from collections.abc import AsyncIterator
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn
from rich.text import Text

from pipeline.commands.tables import console
from pipeline.domain.times import format_instant
from pipeline.process.history import Happened

_EVERY: Final = 100
"""Records between two looks at the clock: it costs as much as a record."""


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


class RunProgress:
    """Shows records, records a second and the log time reached; a context manager."""

    def __init__(self, target: Console | None = None, *, quiet: bool = False) -> None:
        """On stderr unless a `target` is given. `quiet`: show nothing, as without a terminal."""
        stderr = target or console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.completed:,.0f} records"),
            _Speed(),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[at]}"),
            console=stderr,
            transient=True,
            disable=quiet or not stderr.is_terminal,
        )
        self._task = self._bars.add_task("", total=None, at="reading")

    def __enter__(self) -> "RunProgress":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def expect(self, records: int) -> None:
        """Tell how many there will be; it may be fewer."""
        self._bars.update(self._task, total=records)

    async def follow(self, records: AsyncIterator[Happened]) -> AsyncIterator[Happened]:
        """The records, looked at on their way."""
        if self._bars.disable:
            async for record in records:
                yield record
            return
        count = 0
        async for record in records:
            if count % _EVERY == 0:
                self._bars.update(self._task, completed=count, at=f"at {format_instant(record.at)}")
            count += 1
            yield record


def both_on_terminal() -> bool:
    """Whether machine lines go to the terminal: a bar would be among them."""
    return sys.stdout.isatty() and sys.stderr.isatty()
