"""The rulebook a command is given: read, checked, and its findings shown."""

from pathlib import Path

import click

from pipeline.commands.common import CHECK_FAILED, Failure
from pipeline.commands.tables import count_of
from pipeline.rulebook.check import check_sources
from pipeline.rulebook.findings import Finding, errors
from pipeline.rulebook.load import Document, Sources, document_digest, read

rulebook_argument = click.argument("rulebook", type=click.Path(path_type=Path))


def read_checked(folder: Path) -> tuple[Sources, list[Finding]]:
    """A folder and all that is wrong with it."""
    sources = read(existing(folder))
    return sources, check_sources(sources)


def existing(folder: Path) -> Path:
    """The folder; ends the command where there is none."""
    if not folder.is_dir():
        raise Failure(f"{folder}: there is no such folder: name the rulebook's folder")
    return folder


def usable_document(folder: Path) -> tuple[Document, str]:
    """The document and its digest; ends the command with all errors where there are some."""
    sources, findings = read_checked(folder)
    refuse(folder, findings)
    return sources.document, document_digest(sources.document)


def refuse(folder: Path, findings: list[Finding]) -> None:
    """End the command if a rulebook has errors, having shown them."""
    if wrong := errors(findings):
        for finding in wrong:
            click.echo(f"{where(folder, finding)}: {said(finding)}", err=True)
        raise Failure(
            f"{folder}: {count_of(len(wrong), 'error')}: mend the rulebook, then again",
            CHECK_FAILED,
        )


def where(folder: Path, finding: Finding) -> str:
    """`folder/file:line`, as editors and terminals open it."""
    return f"{folder / finding.file}:{finding.line}"


def said(finding: Finding) -> str:
    """Message, remedy and code."""
    mild = "warning: " if finding.severity == "warning" else ""
    return f"{mild}{finding.message} — {finding.remedy} [{finding.code}]"
