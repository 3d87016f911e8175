"""`check` and `test`: a rulebook and its test files, without any server."""

import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.commands.conftest import Call


@pytest.fixture
def rulebook(sample: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample, tmp_path / "rules"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


LOANS = "journeys/loan-approved-not-signed.yaml"
CASES = """cases:
  - name: nothing comes of nothing
    until: 2026-03-03T15:00:00Z
    expect: []
  - name: a call that never comes
    until: 2026-03-03T15:00:00Z
    expect:
      - {trigger: loan-approved-not-signed, key: L1, user: u1, at: 2026-03-04T15:00:00Z}
"""


def test_a_sound_rulebook_is_accepted_with_its_warnings(call: Call, rulebook: Path) -> None:
    told = call("check", rulebook)
    assert told.status == 0
    assert told.last == "5 journeys, 7 test files: 0 errors, 3 warnings"
    assert f"{rulebook / LOANS}:12: warning: properties.reason" in told.out


def test_all_errors_come_at_once_with_file_line_and_remedy(call: Call, rulebook: Path) -> None:
    change(rulebook / LOANS, "after: 48h", "after: 2h")
    change(rulebook / "journeys/no-activity.yaml", "steps:", "stebs:")
    told = call("check", rulebook)
    assert told.status == 1
    wrong = [line for line in told.out.splitlines() if "warning" not in line]
    assert any(line.startswith(f"{rulebook / LOANS}:21:") for line in wrong), told.out
    assert any("`stebs`" in line and "did you mean `steps`" in line for line in wrong), told.out


def test_findings_as_json_name_file_and_line(call: Call, rulebook: Path) -> None:
    change(rulebook / LOANS, "version: 1", "version: one")
    told = call("check", rulebook, "--json")
    assert told.status == 1
    (found,) = [each for each in told.lines if each["severity"] == "error"]
    assert (found["file"], found["line"]) == (LOANS, 3)


@pytest.mark.parametrize("command", ["check", "test"])
def test_a_folder_that_is_not_there_is_wrong_usage(call: Call, command: str) -> None:
    told = call(command, "no-such-folder")
    assert told.status == 2
    assert told.err == (
        "pipeline: no-such-folder: there is no such folder: name the rulebook's folder\n"
    )


def test_the_sample_rulebook_passes_its_own_cases(call: Call, rulebook: Path) -> None:
    told = call("test", rulebook)
    assert (told.status, told.out) == (0, "92 passed, 0 failed\n")


def test_a_failed_case_is_told_with_file_and_line(
    call: Call, rulebook: Path, tmp_path: Path
) -> None:
    cases = tmp_path / "mine.yaml"
    cases.write_text(CASES)
    report = tmp_path / "junit.xml"
    told = call("test", rulebook, cases, "--junit", report)
    assert told.status == 1
    assert told.last == "1 passed, 1 failed"
    assert f"{cases}:5: a call that never comes\n    missing     trigger loan" in told.out
    suite = ET.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")


def test_results_as_json_are_one_case_a_line(call: Call, rulebook: Path, tmp_path: Path) -> None:
    cases = tmp_path / "mine.yaml"
    cases.write_text(CASES)
    told = call("test", rulebook, cases, "--json")
    assert told.status == 1
    assert [line.get("passed") for line in told.lines] == [True, False, 1]
    assert told.lines[-1] == {"passed": 1, "failed": 1}


def test_a_rulebook_with_errors_is_not_run(call: Call, rulebook: Path) -> None:
    change(rulebook / LOANS, "version: 1", "version: one")
    told = call("test", rulebook)
    assert told.status == 1
    assert told.out == ""
    assert f"{rulebook / LOANS}:3: " in told.err


def test_a_broken_test_file_does_not_keep_others_from_running(
    call: Call, rulebook: Path, tmp_path: Path
) -> None:
    (rulebook / "tests" / "broken.yaml").write_text("cases: [")
    good = tmp_path / "good.yaml"
    good.write_text("cases:\n  - {name: nothing, until: 2026-03-03T15:00:00Z}\n")
    assert call("test", rulebook, good).last == "1 passed, 0 failed"
    assert call("test", rulebook).status == 1


def test_a_case_file_that_is_not_there_is_told(call: Call, rulebook: Path) -> None:
    told = call("test", rulebook, "missing.yaml")
    assert told.status == 1
    assert "missing.yaml:1: there is no such file" in told.err
    assert "Traceback" not in told.err
