"""`pipeline test RULEBOOK [FILE...]`: what must fire and what must not, on the production fold."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import click

from pipeline.commands.common import CHECK_FAILED, json_option, print_json, run, settings
from pipeline.commands.rulebook_files import read_checked, refuse, rulebook_argument
from pipeline.process.rulebook_runner import Verdict, run_cases
from pipeline.rulebook.cases import Case, read_case_file, read_cases
from pipeline.rulebook.findings import Finding, errors
from pipeline.rulebook.load import document_digest


@click.command("test")
@rulebook_argument
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--junit", type=click.Path(path_type=Path), help="Also write a JUnit report here.")
@json_option
def command(rulebook: Path, files: tuple[Path, ...], junit: Path | None, as_json: bool) -> None:
    """Run RULEBOOK's test files, or only the FILEs given, on a simulated clock.

    The last line is `N passed, N failed`; exit status 1 if a case failed.
    """
    from pipeline.adapters.memory_store import MemoryStore

    sources, findings = read_checked(rulebook)
    # a test file that is not run need not be in order
    passed_over = "tests/" if files else "\0"
    refuse(rulebook, [one for one in findings if not one.file.startswith(passed_over)])
    if files:
        cases = _named(files)
    else:
        cases = [case for root in sources.tests for case in read_cases(root)]
        cases = [_placed(case, rulebook) for case in cases]
    digest = document_digest(sources.document)
    region = settings().region
    verdicts = run(run_cases(cases, sources.document, digest, MemoryStore, region))
    _tell(verdicts, as_json)
    if junit is not None:
        _write_junit(junit, verdicts)
    if any(verdict.wrong for verdict in verdicts):
        raise SystemExit(CHECK_FAILED)


def _named(files: Sequence[Path]) -> list[Case]:
    cases: list[Case] = []
    findings: list[Finding] = []
    for path in files:
        found, wrong = read_case_file(path, str(path))
        cases += found
        findings += errors(wrong)
    refuse(Path(), findings)
    return cases


def _placed(case: Case, folder: Path) -> Case:
    return replace(case, file=str(folder / case.file))


def _tell(verdicts: Sequence[Verdict], as_json: bool) -> None:
    failed = [verdict for verdict in verdicts if verdict.wrong]
    passed = len(verdicts) - len(failed)
    if as_json:
        for verdict in verdicts:
            case = verdict.case
            place = {"file": case.file, "line": case.line, "name": case.name}
            print_json({**place, "passed": not verdict.wrong, "wrong": verdict.wrong})
        print_json({"passed": passed, "failed": len(failed)})
        return
    for verdict in failed:
        click.echo(f"{verdict.case.file}:{verdict.case.line}: {verdict.case.name}")
        for wrong in verdict.wrong:
            click.echo(f"    {wrong}")
    if not verdicts:
        click.echo("there are no cases: write some in the rulebook's tests/*.yaml", err=True)
    click.echo(f"{passed} passed, {len(failed)} failed")


def _write_junit(path: Path, verdicts: Sequence[Verdict]) -> None:
    failures = sum(bool(verdict.wrong) for verdict in verdicts)
    counts = {"name": "rulebook", "tests": str(len(verdicts)), "failures": str(failures)}
    suite = ET.Element("testsuite", counts)
    for verdict in verdicts:
        case = verdict.case
        made = ET.SubElement(
            suite, "testcase", classname=case.file, name=case.name, line=str(case.line)
        )
        if verdict.wrong:
            failure = ET.SubElement(made, "failure", message=verdict.wrong[0])
            failure.text = "\n".join(verdict.wrong)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
