"""`pipeline test RULEBOOK [FILE...]`: what must fire and what must not, on the production fold."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from pipeline.commands.common import (
    CHECK_FAILED,
    USAGE,
    Failure,
    json_option,
    print_json,
    run,
    settings,
)
from pipeline.commands.coverage_tables import coverage_json, show_coverage
from pipeline.commands.failures import failure_lines
from pipeline.commands.junit import write_junit
from pipeline.commands.rulebook_files import read_checked, refuse, rulebook_argument
from pipeline.commands.tables import console
from pipeline.commands.watching import snapshot, wait_for_change
from pipeline.process.rulebook_runner import Verdict, run_cases
from pipeline.rulebook.cases import Case, read_case_file, read_cases
from pipeline.rulebook.compile import compile_rulebook
from pipeline.rulebook.coverage import Coverage, points_of
from pipeline.rulebook.findings import Finding, errors
from pipeline.rulebook.load import Sources, document_digest


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the command line asks for. `least` is of coverage, in percent."""

    rulebook: Path
    files: tuple[Path, ...]
    text: str
    junit: Path | None
    coverage: bool
    least: float | None
    as_json: bool


@click.command("test")
@rulebook_argument
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("-k", "text", default="", metavar="TEXT", help="Only cases with this in their name.")
@click.option("--coverage", is_flag=True, help="Tell which rules no case has exercised.")
@click.option(
    "--coverage-min",
    "least",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit status 1 where less of the rules is exercised; implies --coverage.",
)
@click.option("--junit", type=click.Path(path_type=Path), help="Also write a JUnit report here.")
@click.option("--watch", is_flag=True, help="Run again whenever a file changes, until Ctrl-C.")
@json_option
def command(
    rulebook: Path,
    files: tuple[Path, ...],
    text: str,
    coverage: bool,
    least: float | None,
    junit: Path | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Run RULEBOOK's test files, or only the FILEs given, on a simulated clock.

    The last line is `N passed, N failed`; exit status 1 if a case failed.
    """
    coverage = coverage or least is not None
    wanted = _Wanted(rulebook, files, text, junit, coverage, least, as_json)
    if watch:
        _watch(wanted)
    elif not _once(wanted):
        raise SystemExit(CHECK_FAILED)


def _watch(wanted: _Wanted) -> None:
    """What is broken for a moment is told, and mended before the next run."""
    while True:
        before = snapshot(wanted.rulebook, wanted.files)
        click.clear()  # nothing where nobody looks
        try:
            _once(wanted)
        except Failure as failure:
            if failure.status == USAGE and not wanted.rulebook.is_dir():
                raise
            click.echo(f"pipeline: {failure}", err=True)
        click.echo("waiting for a change; Ctrl-C ends it", err=True)
        wait_for_change(wanted.rulebook, wanted.files, before)


def _once(wanted: _Wanted) -> bool:
    """Run and tell; whether all is well."""
    from pipeline.adapters.memory_store import MemoryStore

    sources, cases = _read(wanted)
    document = sources.document
    digest = document_digest(document)
    region = settings().region
    verdicts = run(run_cases(cases, document, digest, MemoryStore, region, clock=time.perf_counter))
    told = [failure_lines(each, document) if each.differences else [] for each in verdicts]
    covered = _coverage(sources, verdicts) if wanted.coverage else None
    _tell(wanted, verdicts, told, covered)
    if wanted.junit is not None:
        write_junit(wanted.junit, verdicts, told)
    little = covered is not None and covered.percent < (wanted.least or 0)
    if little and not wanted.as_json:
        click.echo(f"coverage is below {wanted.least:g} %", err=True)
    return not little and not any(told)


def _read(wanted: _Wanted) -> tuple[Sources, list[Case]]:
    sources, findings = read_checked(wanted.rulebook)
    # a test file that is not run need not be in order
    passed_over = "tests/" if wanted.files else "\0"
    refuse(wanted.rulebook, [one for one in findings if not one.file.startswith(passed_over)])
    if wanted.files:
        cases = _named(wanted.files)
    else:
        cases = [case for root in sources.tests for case in read_cases(root)]
        cases = [replace(case, file=str(wanted.rulebook / case.file)) for case in cases]
    chosen = [case for case in cases if wanted.text.casefold() in case.name.casefold()]
    if cases and not chosen:
        raise Failure(f"-k: no name of {len(cases)} cases has `{wanted.text}` in it: write less")
    return sources, chosen


def _named(files: Sequence[Path]) -> list[Case]:
    cases: list[Case] = []
    findings: list[Finding] = []
    for path in files:
        found, wrong = read_case_file(path, str(path))
        cases += found
        findings += errors(wrong)
    refuse(Path(), findings)
    return cases


def _coverage(sources: Sources, verdicts: Sequence[Verdict]) -> Coverage:
    points = points_of(sources, compile_rulebook(sources.document))
    return Coverage(points, frozenset(branch for each in verdicts for branch in each.taken))


def _tell(
    wanted: _Wanted,
    verdicts: Sequence[Verdict],
    told: Sequence[list[str]],
    covered: Coverage | None,
) -> None:
    failed = sum(map(bool, told))
    passed = len(verdicts) - failed
    if wanted.as_json:
        for verdict in verdicts:
            case = verdict.case
            place = {"file": case.file, "line": case.line, "name": case.name}
            print_json({**place, "passed": not verdict.wrong, "wrong": verdict.wrong})
        more = {} if covered is None else {"coverage": coverage_json(covered)}
        print_json({"passed": passed, "failed": failed, **more})
        return
    for lines in told:
        for text in lines:
            click.echo(text)
    if not verdicts:
        click.echo("there are no cases: write some in the rulebook's tests/*.yaml", err=True)
    if covered is not None:
        show_coverage(console(), covered, wanted.rulebook)
    click.echo(f"{passed} passed, {failed} failed")
