"""`pipeline backtest RULEBOOK`: what a rulebook would have done over a history; emits nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.common import Failure, json_option, run
from pipeline.commands.instants import Instant
from pipeline.commands.rulebook_files import rulebook_argument

if TYPE_CHECKING:
    from pipeline.commands.backtest_study import Asked, Side, Sink, Study


@click.command("backtest")
@rulebook_argument
@click.option("--from", "begin", type=Instant(), help="When the journeys come into force.")
@click.option("--to", "end", type=Instant(), help="When the clock stops; else the last record.")
@click.option(
    "--input",
    "path",
    type=click.Path(path_type=Path),
    help="JSON lines: Segment events or batches, taken at receivedAt, else timestamp; or"
    ' {"timestamp": ms, "value": {...}}, also with "partition" and "offset". Without it the raw'
    " topic is read.",
)
@click.option(
    "--compare",
    multiple=True,
    metavar="RULEBOOK|in-force|fired",
    help="The same history under another rulebook, that in force, or what production really"
    " fired; may be given several times.",
)
@click.option("--html", type=click.Path(path_type=Path), help="Write a report as one HTML file.")
@json_option
def command(
    rulebook: Path,
    begin: int | None,
    end: int | None,
    path: Path | None,
    compare: tuple[str, ...],
    html: Path | None,
    as_json: bool,
) -> None:
    """Run RULEBOOK over history: what would have fired, what not and why.

    Records before --from count for who people are and what they opted in to. Waits whose
    deadline is after the end are not decided: give a later --to to see them.
    """
    from pipeline.commands.backtest_study import Asked, sides_of

    if begin is not None and end is not None and end < begin:
        raise Failure("backtest: --to is before --from: exchange them")
    asked = Asked(rulebook, compare, begin, end, path)
    sides = sides_of(asked)
    if html is not None:
        _try(html, path)
    made = _lines(asked, sides) if as_json else _tables(asked, sides)
    if html is not None:
        _write(html, made)


def _lines(asked: "Asked", sides: list["Side"]) -> "Study":
    from pipeline.commands.backtest_json import lines_sink, print_figures
    from pipeline.commands.progress import both_on_terminal

    sink = lines_sink(compared=len(sides) > 1)
    made = _study(asked, sides, sink, quiet=both_on_terminal())
    print_figures(made)
    return made


def _tables(asked: "Asked", sides: list["Side"]) -> "Study":
    from pipeline.commands.backtest_tables import Firsts, show

    firsts = Firsts() if len(sides) == 1 else None
    made = _study(asked, sides, firsts.take if firsts else _forget)
    show(made, firsts)
    return made


def _forget(*_: object) -> None:
    """Of a comparison only the figures are shown."""


def _study(asked: "Asked", sides: list["Side"], sink: "Sink", *, quiet: bool = False) -> "Study":
    from pipeline.commands.backtest_study import study
    from pipeline.commands.progress import RunProgress

    return run(study(asked, sides, sink, RunProgress(quiet=quiet)))


def _try(html: Path, history: Path | None) -> None:
    """Fail before a long run, not after it."""
    known = html.exists()
    if known and history is not None and history.exists() and html.samefile(history):
        raise Failure(f"{html}: is the history: give --html another file")
    try:
        html.open("ab").close()
        if not known:
            html.unlink()
    except OSError as error:
        raise _unwritable(html, error) from None


def _write(path: Path, made: "Study") -> None:
    from pipeline.commands.report.page import page

    try:
        path.write_text(page(made), encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> Failure:
    return Failure(f"{path}: can't be written ({error.strerror}): name a file in a folder of yours")
