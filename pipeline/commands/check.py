"""`pipeline check RULEBOOK`: everything that is wrong with a rulebook, at once."""

from dataclasses import asdict
from pathlib import Path

import click

from pipeline.commands.common import CHECK_FAILED, json_option, print_json
from pipeline.commands.rulebook_files import read_checked, rulebook_argument, said, where
from pipeline.commands.tables import count_of
from pipeline.rulebook.findings import errors


@click.command("check")
@rulebook_argument
@json_option
def command(rulebook: Path, as_json: bool) -> None:
    """Validate RULEBOOK: every finding with file, line and remedy.

    Exit status 1 if there is an error; warnings alone are no failure.
    """
    sources, findings = read_checked(rulebook)
    wrong = errors(findings)
    for finding in findings:
        if as_json:
            print_json(asdict(finding))
        else:
            click.echo(f"{where(rulebook, finding)}: {said(finding)}")
    if not as_json:
        journeys = count_of(len(sources.document.get("journeys", [])), "journey")
        tests = count_of(len(sources.tests), "test file")
        found = (
            f"{count_of(len(wrong), 'error')}, {count_of(len(findings) - len(wrong), 'warning')}"
        )
        click.echo(f"{journeys}, {tests}: {found}")
    if wrong:
        raise SystemExit(CHECK_FAILED)
