"""`pipeline test`: failures at one glance, coverage, JUnit, choosing cases, watching files."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pipeline.commands.watching import PAUSE, snapshot, wait_for_change
from tests.commands.conftest import REPOSITORY, Call

JOURNEY = """\
journey: j
version: 1
key: properties.id
start: {event: Quote Requested, where: has(properties.n) && properties.n > 1}
unless: [Bought]
steps: [{after: 1h, channel: voice}]
"""
GIVEN = 'given: {u1: {phone: "+12125550100", optIn: {voice: 2026-01-01T00:00:00Z}}}'
CASE = """\
  - name: {name}
    {given}
    events:
      - {{at: 2026-03-03T15:00:00Z, user: u1, track: {event}, properties: {{id: {key}, n: {n}}}}}
    until: 2026-03-03T18:00:00Z
    expect: {expect}
"""
WANTED = "[{trigger: j, key: K, user: u1, at: 2026-03-03T16:00:00Z}]"


def case(
    name: str,
    expect: str = WANTED,
    *,
    given: str = GIVEN,
    event: str = "Quote Requested",
    key: str = "K",
    n: int = 2,
) -> str:
    return CASE.format(name=name, expect=expect, given=given, event=event, key=key, n=n)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    for part in ("journeys", "tests"):
        (folder / part).mkdir(parents=True)
    (folder / "journeys" / "j.yaml").write_text(JOURNEY)
    return folder


def write(book: Path, *cases: str, name: str = "t") -> Path:
    path = book / "tests" / f"{name}.yaml"
    path.write_text("cases:\n" + "".join(cases))
    return path


def test_what_was_suppressed_is_told_with_its_gates_and_events(call: Call, book: Path) -> None:
    path = write(book, case("no consent", given='given: {u1: {phone: "+12125550100"}}'))
    told = call("test", book)
    assert told.status == 1
    assert told.out.splitlines() == [
        f"{path}:2: no consent",
        "    missing     trigger j, key K, user u1, at 2026-03-03T16:00:00.000Z",
        "    decided     step 1 suppressed, no_consent at 2026-03-03T16:00:00.000Z",
        "                    gates: address pass, consent fail",
        "    events      m0001  2026-03-03T15:00:00.000Z  u1  Quote Requested  <- started it",
        "0 passed, 1 failed",
    ]


def test_a_field_that_came_otherwise_is_told_beside_what_was_expected(
    call: Call, book: Path
) -> None:
    write(book, case("an hour late", WANTED.replace("16:00", "17:00")))
    assert (
        "    but         firedAt came as 2026-03-03T16:00:00.000Z, not 2026-03-03T17"
        in call("test", book).out
    )


def test_where_nothing_was_decided_the_conditions_say_why(call: Call, book: Path) -> None:
    write(book, case("too few", n=1))
    out = call("test", book).out
    assert "    decided     nothing\n    because     start 1 Quote Requested: false\n" in out


def test_a_name_in_another_spelling_is_told(call: Call, book: Path) -> None:
    write(book, case("misspelled", event="Quote requested"))
    out = call("test", book).out
    assert "    because     no event named `Quote Requested` came\n" in out
    assert "                `Quote requested` came, but names are exact\n" in out


def test_what_came_unexpected_is_told_with_what_started_it(call: Call, book: Path) -> None:
    write(book, case("nothing", "[]"))
    out = call("test", book).out
    assert "    unexpected  trigger j, step 1, key K, userId u1, channel voice" in out
    assert "m0001  2026-03-03T15:00:00.000Z  u1  Quote Requested  <- started it" in out


def test_control_characters_of_events_are_written_out(call: Call, book: Path) -> None:
    write(book, case("odd", "[]", key='"\\e[31m"'))
    out = call("test", book).out
    assert "\x1b" not in out
    assert "key \\x1b[31m" in out


@pytest.mark.parametrize(
    "raw", ["5", "null", '"x"', "[]", "{batch: 5}", "{batch: [5, {}]}", "{userId: [1], event: {}}"]
)
def test_odd_records_do_not_keep_a_failure_from_being_told(
    call: Call, book: Path, raw: str
) -> None:
    arrives = "2026-03-03T15:00:00Z"
    write(book, f"  - name: odd\n    events: [{{arrives: {arrives}, raw: {raw}}}]\n"
                "    expect: [{trigger: j}]\n")  # fmt: skip
    told = call("test", book)
    assert (told.status, told.last, told.err) == (1, "0 passed, 1 failed", "")


def test_a_long_story_is_cut_short(call: Call, book: Path) -> None:
    events = "".join(
        f"      - {{at: 2026-03-03T15:{n:02d}:00Z, user: u1, track: Quote Requested,"
        f" properties: {{id: K{n}, n: 2}}}}\n"
        for n in range(40)
    )
    write(book, f"  - name: many\n    events:\n{events}    expect: [{{trigger: j, key: X}}]\n")
    out = call("test", book).out
    assert "                and 32 more\n" in out
    assert len(out.splitlines()) < 20


def test_cases_are_chosen_by_a_part_of_their_name(call: Call, book: Path) -> None:
    write(book, case("it fires"), case("It does NOT fire", n=1))
    assert call("test", book).last == "1 passed, 1 failed"
    assert call("test", book, "-k", "fires").last == "1 passed, 0 failed"
    assert call("test", book, "-k", "not").last == "0 passed, 1 failed"


def test_to_choose_no_case_is_wrong_usage(call: Call, book: Path) -> None:
    write(book, case("it fires"))
    told = call("test", book, "-k", "zzz")
    assert (told.status, told.out) == (2, "")
    assert told.err == "pipeline: -k: no name of 1 cases has `zzz` in it: write less\n"


def test_coverage_lists_what_no_case_has_exercised(call: Call, book: Path) -> None:
    write(book, case("it fires"))
    told = call("test", book, "--coverage")
    assert told.status == 0
    lines = told.out.splitlines()
    where = book / "journeys" / "j.yaml"
    assert f"{where}:4: not exercised: start 1 Quote Requested: false" in lines
    assert f"{where}:3: not exercised: key: missing_key" in lines
    assert not any("step 1: fired" in line for line in lines)
    assert lines[-2] == "coverage 15.4 %: 2 of 13 branches exercised"
    assert lines[-1] == "1 passed, 0 failed"


def test_too_little_coverage_fails(call: Call, book: Path) -> None:
    write(book, case("it fires"))
    assert call("test", book, "--coverage-min", "15").status == 0
    told = call("test", book, "--coverage-min", "16")
    assert told.status == 1
    assert told.err == "coverage is below 16 %\n"
    assert told.last == "1 passed, 0 failed"
    assert call("test", book, "--coverage-min", "101").status == 2


def test_coverage_as_json_has_counts_and_places(call: Call, book: Path) -> None:
    write(book, case("it fires"))
    told = call("test", book, "--json", "--coverage-min", "50")
    assert told.status == 1
    assert told.lines[0]["passed"] is True
    coverage = told.lines[-1]["coverage"]
    assert (coverage["branches"], coverage["exercised"], coverage["percent"]) == (13, 2, 15.38)
    assert coverage["journeys"] == {"j": {"branches": 13, "exercised": 2}}
    assert {
        "file": "journeys/j.yaml", "line": 3, "journey": "j", "rule": "key",
        "branch": "missing_key",
    } in coverage["missing"]  # fmt: skip
    assert "coverage" not in call("test", book, "--json").lines[-1]


def test_junit_has_a_suite_a_file_with_times_and_places(
    call: Call, book: Path, tmp_path: Path
) -> None:
    write(book, case("it fires"), case("too few", n=1))
    write(book, case("another"), name="u")
    report = tmp_path / "junit.xml"
    assert call("test", book, "--junit", report).status == 1
    root = ET.parse(report).getroot()
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "0")
    suites = list(root)
    assert [(each.get("tests"), each.get("failures")) for each in suites] == [
        ("2", "1"), ("1", "0"),
    ]  # fmt: skip
    first = suites[0][0]
    assert first.get("file") == str(book / "tests" / "t.yaml")
    assert (first.get("name"), first.get("line")) == ("it fires", "2")
    assert float(first.get("time") or "") > 0
    assert float(root.get("time") or "") >= float(first.get("time") or "")
    (failure,) = suites[0][1]
    assert failure.get("type") == "missing"
    assert (failure.get("message") or "").startswith("missing: trigger j")
    assert "start 1 Quote Requested: false" in (failure.text or "")


def test_junit_holds_nothing_that_xml_forbids(call: Call, book: Path, tmp_path: Path) -> None:
    write(book, case("<&\\\"'> ]]>", "[]", key='"\\0\\e<&\\uFFFE"'))
    report = tmp_path / "junit.xml"
    assert call("test", book, "--junit", report).status == 1
    (failure,) = ET.parse(report).getroot().iter("failure")
    assert "\\x00\\x1b<&" in (failure.text or "")


def test_a_report_that_cannot_be_written_is_told_in_one_line(call: Call, book: Path) -> None:
    write(book, case("it fires"))
    told = call("test", book, "--junit", book / "no" / "such.xml")
    assert told.status == 2
    assert told.err.startswith(f"pipeline: {book}/no/such.xml: can't be written (No such file")


def test_waiting_ends_when_a_file_changes_and_is_still(book: Path) -> None:
    path = write(book, case("it fires"))
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) in {2, 3}:  # an editor that writes twice
            path.write_text(path.read_text() + "#\n")
        if len(naps) == 20:
            raise TimeoutError

    wait_for_change(book, [], snapshot(book), sleep)
    assert naps == [PAUSE] * 4


def test_new_and_removed_files_and_files_elsewhere_are_changes(book: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    seen = [snapshot(book, [other])]
    other.write_text("x")
    seen.append(snapshot(book, [other]))
    (book / "calling.yaml").write_text("{}")
    seen.append(snapshot(book, [other]))
    (book / "journeys" / "j.yaml").unlink()
    seen.append(snapshot(book, [other]))
    assert all(one != other for one, other in itertools.pairwise(seen))
    (book / "README.md").write_text("x")
    assert snapshot(book, [other]) == seen[-1]
    assert snapshot(tmp_path / "gone") == {}


@pytest.fixture
def watching(book: Path) -> Iterator["subprocess.Popen[str]"]:
    write(book, case("it fires"))
    words = [sys.executable, "-m", "pipeline", "test", str(book), "--watch"]
    with subprocess.Popen(
        words,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        yield process
        if process.poll() is None:
            process.kill()


def until(process: "subprocess.Popen[str]", text: str) -> list[str]:
    """The lines up to one with this in it."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or text not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], lines
    return lines


def test_watching_runs_again_survives_broken_files_and_ends_with_ctrl_c(
    watching: "subprocess.Popen[str]", book: Path
) -> None:
    assert "1 passed, 0 failed\n" in until(watching, "waiting for a change")
    (book / "tests" / "t.yaml").write_text("cases: [")
    assert any("not YAML" in line for line in until(watching, "waiting for a change"))
    write(book, case("too few", n=1))
    assert "0 passed, 1 failed\n" in until(watching, "waiting for a change")
    time.sleep(PAUSE)
    watching.send_signal(signal.SIGINT)
    assert watching.wait(20) == 130
    assert watching.stdout is not None
    assert watching.stdout.read().strip() == "pipeline: stopped"
