"""`pipeline check RULEBOOK`: everything that is wrong with a rulebook, at once."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.common import CHECK_FAILED, json_option, print_json
from pipeline.commands.rulebook_files import existing, rulebook_argument, said, where
from pipeline.commands.tables import count_of
from pipeline.rulebook.check import Beside, check_sources
from pipeline.rulebook.durations import parse_duration
from pipeline.rulebook.findings import errors
from pipeline.rulebook.load import Sources, read

if TYPE_CHECKING:
    from pipeline.rulebook.checks.observed import Observed


class _Duration(click.ParamType):
    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """As a rulebook writes it, in ms."""
        length = value if isinstance(value, int) else parse_duration(value)
        if length is None:
            self.fail(f"{value!r} is no duration: write a whole number and s, m, h or d, as in 90d")
        return length


@click.command("check")
@rulebook_argument
@click.option("--strict", is_flag=True, help="Exit status 1 for warnings, too.")
@click.option(
    "--history",
    metavar="FILE|topic",
    help="Compare it with events that came: JSON lines as for backtest, or the raw topic's newest.",
)
@click.option(
    "--retention",
    type=_Duration(),
    default="30d",
    show_default=True,
    metavar="DURATION",
    help="How long segment.raw and segment.events are kept.",
)
@json_option
def command(
    rulebook: Path, strict: bool, history: str | None, retention: int, as_json: bool
) -> None:
    """Validate RULEBOOK: every finding with file, line and remedy.

    Exit status 1 if there is an error; warnings alone are no failure.
    """
    sources = read(existing(rulebook))
    observed = _observed(sources, history) if history is not None else None
    findings = check_sources(sources, Beside(retention, observed))
    wrong = errors(findings)
    for finding in findings:
        if as_json:
            print_json(asdict(finding))
        else:
            click.echo(f"{where(rulebook, finding)}: {said(finding)}")
    if not as_json:
        journeys = count_of(len(sources.document.get("journeys", [])), "journey")
        tests = count_of(len(sources.tests), "test file")
        mild = len(findings) - len(wrong)
        found = f"{count_of(len(wrong), 'error')}, {count_of(mild, 'warning')}"
        seen = "" if observed is None else f"; {count_of(observed.records, 'record')} of history"
        click.echo(f"{journeys}, {tests}: {found}{seen}")
    if wrong or (strict and findings):
        raise SystemExit(CHECK_FAILED)


def _observed(sources: Sources, history: str) -> "Observed | None":
    """None where the rulebook can't be used, which is told anyway."""
    from pipeline.commands.check_history import read_history

    return None if errors(sources.findings) else read_history(history, sources.document)
