"""Progress of a long run."""

import io
from typing import Any

import pytest
from rich.console import Console

from pipeline.commands.progress import RunProgress
from pipeline.process.history import Happened


async def followed(target: Console, quiet: bool = False) -> int:
    async def records() -> Any:
        for number in range(250):
            yield Happened(1_772_550_000_000 + number, b"")

    with RunProgress(target, quiet=quiet) as progress:
        progress.expect(250)
        return len([record async for record in progress.follow(records())])


@pytest.mark.parametrize("terminal", [True, False])
async def test_progress_is_shown_to_a_terminal_and_to_nobody_else(terminal: bool) -> None:
    out = io.StringIO()
    assert await followed(Console(file=out, force_terminal=terminal, width=100)) == 250
    assert ("records" in out.getvalue(), bool(out.getvalue())) == (terminal, terminal)


async def test_no_bar_is_drawn_among_machine_lines_of_a_terminal() -> None:
    out = io.StringIO()
    assert await followed(Console(file=out, force_terminal=True), quiet=True) == 250
    assert out.getvalue() == ""
