"""`pipeline check`: codes, strictness, retention, and a history to compare with."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

import pytest

from pipeline.adapters.kafka_reader import Kept
from pipeline.commands.check_history import newest
from tests.commands.conftest import Call

JOURNEY = """\
journey: j
version: 1
start: {event: Loan Approved}
unless: [Loan Signed]
steps:
  - {after: 40d, channel: voice}
"""
EVENT = {"type": "track", "userId": "u1", "timestamp": "2026-03-03T15:00:00Z"}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    (folder / "journeys").mkdir(parents=True)
    (folder / "journeys" / "j.yaml").write_text(JOURNEY)
    return folder


def history(at: Path, *names: str) -> Path:
    path = at / "history.jsonl"
    path.write_text("".join(json.dumps({**EVENT, "event": name}) + "\n" for name in names))
    return path


def test_a_warning_ends_with_its_code_and_fails_only_where_that_is_asked_for(
    call: Call, book: Path
) -> None:
    told = call("check", book)
    assert told.status == 0
    (line, last) = told.out.splitlines()
    assert line.startswith(f"{book / 'journeys' / 'j.yaml'}:6: warning: a wait lasts up to 41d")
    assert line.endswith(" [beyond-retention]")
    assert last == "1 journey, 0 test files: 0 errors, 1 warning"
    assert call("check", book, "--strict").status == 1
    assert call("check", book, "--strict", "--retention", "41d").status == 0


def test_as_json_each_finding_has_severity_and_code(call: Call, book: Path) -> None:
    (found,) = call("check", book, "--json").lines
    assert found["severity"] == "warning"
    assert found["code"] == "beyond-retention"
    assert set(found) == {"file", "line", "message", "remedy", "severity", "code"}


def test_errors_have_codes_too(call: Call, book: Path) -> None:
    (book / "journeys" / "j.yaml").write_text(JOURNEY.replace("version: 1", "versoin: 1"))
    found = {(each["severity"], each["code"]) for each in call("check", book, "--json").lines}
    assert found == {("error", "unknown-key"), ("error", "missing-key")}


@pytest.mark.parametrize("given", ["", "30", "forever", "-1d", "9999999d"])
def test_a_retention_that_is_no_duration_is_wrong_usage(call: Call, book: Path, given: str) -> None:
    told = call("check", book, "--retention", given)
    assert told.status == 2
    assert "is no duration: write a whole number and s, m, h or d, as in 90d" in told.err


def test_a_history_of_a_file_tells_what_never_came(call: Call, book: Path, tmp_path: Path) -> None:
    path = history(tmp_path, "Loan Approved", "Loan signed", "Loan signed")
    told = call("check", book, "--retention", "90d", "--history", path)
    assert told.status == 0
    assert told.last.endswith("0 errors, 2 warnings; 3 records of history")
    assert ":4: warning: the history has no event `Loan Signed`" in told.out
    assert "did you mean `Loan signed` (2 in the history)? [unseen-event]" in told.out
    assert "nobody in the history opted in to voice" in told.out


def test_a_history_without_an_event_says_nothing_and_fails(
    call: Call, book: Path, tmp_path: Path
) -> None:
    told = call("check", book, "--history", history(tmp_path))
    assert told.status == 1
    assert told.err.endswith("there is no event in it: name another history\n")
    assert call("check", book, "--history", tmp_path / "missing").status == 2


def test_of_a_topic_the_brokers_must_be_known(call: Call, book: Path) -> None:
    told = call("check", book, "--history", "topic")
    assert told.status == 2
    assert "KAFKA_BOOTSTRAP_SERVERS not set" in told.err


def test_a_rulebook_with_errors_is_told_without_its_history(
    call: Call, book: Path, tmp_path: Path
) -> None:
    (book / "journeys" / "j.yaml").write_text("journey: j\n")
    told = call("check", book, "--history", history(tmp_path, "Loan Approved"))
    assert told.status == 1
    assert "`version` is missing — add `version` [missing-key]" in told.out
    assert "history" not in told.out


def test_a_silenced_warning_does_not_fail_where_it_is_strict(call: Call, book: Path) -> None:
    text = JOURNEY.replace("steps:\n", "steps:\n  # check: ignore[beyond-retention]\n")
    (book / "journeys" / "j.yaml").write_text(text)
    assert call("check", book, "--strict").last == "1 journey, 0 test files: 0 errors, 0 warnings"


class Topic:
    """A reader over as many records as each partition has."""

    def __init__(self, *counts: int) -> None:
        self.counts = dict(enumerate(counts))

    async def ends(self, topic: str) -> dict[int, int]:
        return self.counts

    async def starts(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 0)

    async def read(
        self, topic: str, *, begin: Mapping[int, int] | None = None
    ) -> AsyncGenerator[Kept, None]:
        for number, first in (begin or {}).items():
            for offset in range(first, self.counts[number]):
                yield Kept(topic, number, offset, 1000 + offset, None, b"{}", ())


async def test_of_a_topic_the_newest_of_every_partition_are_looked_at() -> None:
    found = [record async for record in newest(Topic(5, 1, 0), "t", sample=9)]
    assert [record.place for record in found] == [
        ("t", 0, 2), ("t", 0, 3), ("t", 0, 4), ("t", 1, 0),
    ]  # fmt: skip
    assert [record async for record in newest(Topic(), "t")] == []
