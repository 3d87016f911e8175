"""A JUnit report, as Jenkins, GitLab and GitHub's reporters read it: a suite for each file."""

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from pipeline.commands.common import Failure
from pipeline.process.rulebook_runner import Verdict

_FORBIDDEN: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, not even as a reference."""


def write_junit(path: Path, verdicts: Sequence[Verdict], failures: Sequence[list[str]]) -> None:
    """Write it; `failures` are the lines told of each verdict, in the same order."""
    suites = ET.Element("testsuites", _totals("rulebook", verdicts))
    pairs = zip(verdicts, failures, strict=True)
    for file, group in groupby(pairs, key=lambda pair: pair[0].case.file):
        members = list(group)
        totals = _totals(file, [verdict for verdict, _ in members])
        suite = ET.SubElement(suites, "testsuite", totals | {"file": _clean(file)})
        for verdict, lines in members:
            _add(suite, verdict, lines)
    ET.indent(suites)
    try:
        ET.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise Failure(f"{path}: can't be written ({error.strerror}): name another file") from None


def _totals(name: str, verdicts: Sequence[Verdict]) -> dict[str, str]:
    return {
        "name": _clean(name),
        "tests": str(len(verdicts)),
        "failures": str(sum(bool(verdict.differences) for verdict in verdicts)),
        "errors": "0",
        "skipped": "0",
        "time": _seconds(sum(verdict.seconds for verdict in verdicts)),
    }


def _add(suite: ET.Element, verdict: Verdict, lines: list[str]) -> None:
    case = verdict.case
    about = {
        "classname": _class(case.file),
        "name": _clean(case.name),
        "file": _clean(case.file),
        "line": str(case.line),
        "time": _seconds(verdict.seconds),
    }
    made = ET.SubElement(suite, "testcase", about)
    if verdict.differences:
        first = verdict.differences[0]
        told = {"message": _clean(first.text), "type": first.kind}
        ET.SubElement(made, "failure", told).text = _clean("\n".join(lines))


def _class(file: str) -> str:
    """Dots between folders, which Jenkins shows as packages."""
    return _clean(".".join(Path(file).with_suffix("").parts).strip("./"))


def _clean(text: str) -> str:
    return _FORBIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
