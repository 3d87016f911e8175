"""`backtest` over a file of JSON lines, alone and compared."""

import re
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.commands.conftest import Call

PHONE = "+12125550100"
APPROVED = {
    "type": "track",
    "userId": "u1",
    "event": "Loan Application Approved",
    "messageId": "m-1",
    "timestamp": "2026-03-03T15:00:00Z",
    "properties": {"loanId": "L1", "amount": 30000},
}


def identify(user: str, phone: str, opted: bool) -> dict[str, Any]:
    entry = {"channel": "voice", "subscribed": opted, "timestamp": "2026-03-01T00:00:00Z"}
    return {
        "type": "identify",
        "userId": user,
        "timestamp": "2026-03-02T00:00:00Z",
        "context": {"ip": "203.0.113.9"},
        "traits": {"phone": phone, "optIn": [entry]},
    }


def write(path: Path, *records: object) -> Path:
    path.write_bytes(b"\n".join(orjson.dumps(record) for record in records))
    return path


@pytest.fixture
def history(tmp_path: Path) -> Path:
    second = {**APPROVED, "userId": "u2", "messageId": "m-2", "properties": {"loanId": "L2"}}
    second["properties"] = {"loanId": "L2", "amount": 9000}
    signed = {**APPROVED, "event": "Loan Signed", "messageId": "m-3"}
    return write(
        tmp_path / "history.jsonl",
        {"batch": [APPROVED, second]},
        identify("u1", PHONE, opted=True),
        identify("u2", "+12125550101", opted=False),
        {**signed, "timestamp": "2026-03-04T16:00:00Z"},
    )


def test_what_would_have_fired_been_retracted_and_not_fired(
    call: Call, sample: Path, history: Path
) -> None:
    told = call("backtest", sample, "--input", history, "--to", "2026-03-05T00:00:00Z", "--json")
    assert told.status == 0, told.err
    by_type = {line["type"]: line for line in told.lines}
    assert by_type["trigger"]["firedAt"] == "2026-03-04T15:00:00.000Z"
    assert by_type["trigger"]["to"] == PHONE
    assert by_type["retraction"]["reason"] == "cancelled_after_fire"
    suppressed = [x for x in told.lines if x.get("outcome") == "suppressed"]
    assert [(x["userId"], x["reason"]) for x in suppressed] == [("u2", "opted_out")]
    assert by_type["summary"]["records"] == 4


def test_the_table_counts_by_reason(call: Call, sample: Path, history: Path) -> None:
    told = call("backtest", sample, "--input", history, "--to", "2026-03-05T00:00:00Z")
    assert told.status == 0, told.err
    assert "suppressed" in told.out
    assert "1 trigger, 1 retraction, 2 not fired; nothing was emitted" in told.last


def test_events_before_from_open_no_wait_but_are_known(
    call: Call, sample: Path, history: Path
) -> None:
    later = {**APPROVED, "messageId": "m-9", "timestamp": "2026-03-06T00:00:00Z"}
    later["properties"] = {"loanId": "L9", "amount": 9000}
    history.write_bytes(history.read_bytes() + b"\n" + orjson.dumps(later))
    words = ("--input", history, "--from", "2026-03-05", "--to", "2026-03-07")
    told = call("backtest", sample, *words, "--json")
    triggers = [line for line in told.lines if line["type"] == "trigger"]
    assert [(t["key"], t["to"]) for t in triggers] == [("L9", PHONE)]


def test_lines_with_a_log_time_of_their_own_are_taken_then(
    call: Call, sample: Path, tmp_path: Path
) -> None:
    at = 1_772_550_000_000  # 2026-03-03T15:00:00Z
    late = at + 30 * 3_600_000
    path = write(
        tmp_path / "late.jsonl",
        {"timestamp": at - 1000, "value": identify("u1", PHONE, opted=True)},
        {"timestamp": late, "value": APPROVED},
    )
    told = call("backtest", sample, "--input", path, "--json")
    (trigger,) = [line for line in told.lines if line["type"] == "trigger"]
    assert trigger["firedAt"] == "2026-03-04T21:00:00.000Z"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b'{"type": "track"}', "no receivedAt or timestamp"),
    ],
)
def test_a_bad_line_is_named(
    call: Call, sample: Path, tmp_path: Path, line: bytes, said: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(orjson.dumps(APPROVED) + b"\n" + line)
    told = call("backtest", sample, "--input", path)
    assert told.status == 2
    assert f"{path}:2: {said}" in told.err


def test_a_file_that_is_not_there_is_wrong_usage(call: Call, sample: Path) -> None:
    told = call("backtest", sample, "--input", "missing.jsonl")
    assert told.status == 2
    assert "missing.jsonl" in told.err


def test_a_time_that_is_none_is_wrong_usage(call: Call, sample: Path, history: Path) -> None:
    told = call("backtest", sample, "--input", history, "--from", "yesterday")
    assert told.status == 2
    assert "write 2026-03-03T15:00:00Z" in told.err


@pytest.fixture
def sooner(sample: Path, tmp_path: Path) -> Path:
    """The sample, but loans after an hour under a second version, and no other journey."""
    made = tmp_path / "sooner"
    shutil.copytree(sample, made, ignore=lambda *_: ["tests"])
    for path in (made / "journeys").iterdir():
        if path.name != "loan-approved-not-signed.yaml":
            path.unlink()
            continue
        text = path.read_text().replace("version: 1", "version: 2")
        path.write_text(text.replace("after: 24h", "after: 26h"))
    return made


def differing(call: Call, sample: Path, history: Path, *words: object) -> list[Any]:
    told = call("backtest", sample, "--input", history, "--to", "2026-03-05", *words, "--json")
    assert told.status == 0, told.err
    return told.lines


def test_the_difference_names_the_id_and_what_the_other_rulebook_says(
    call: Call, sample: Path, sooner: Path, history: Path
) -> None:
    lines = differing(call, sample, history, "--compare", sooner)
    (trigger,) = [x for x in lines if x["type"] == "trigger"]
    (difference,) = [x for x in lines if x["type"] == "difference"]
    assert trigger["rulebook"] == str(sample)
    assert difference == {
        "type": "difference",
        "rulebook": str(sample),
        "other": str(sooner),
        "id": trigger["id"],
        "journey": "loan-approved-not-signed",
        "step": 1,
        "firedBy": str(sample),
        "otherSays": {"outcome": "cancelled", "reason": "cancelled"},
    }
    (compared,) = [x for x in lines if x["type"] == "comparison"]
    assert (compared["firedBy"], compared["otherSays"], compared["count"]) == (
        "rulebook",
        "cancelled",
        1,
    )
    assert [x["rulebook"] for x in lines if x["type"] == "summary"] == [str(sample), str(sooner)]


def test_the_table_stands_rulebooks_side_by_side(
    call: Call, sample: Path, sooner: Path, history: Path
) -> None:
    words = ("--to", "2026-03-05", "--compare", sooner, "--compare", f"{sample}/.")
    told = call("backtest", sample, "--input", history, *words)
    assert told.status == 0, told.err
    assert re.search(r"loan-approved-not-signed +version +1 +2 +1", told.out)
    assert re.search(r"fired +1 +- +1", told.out)
    assert PHONE not in told.out


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        ("nowhere", "there is no such folder"),
        ("in-force", "KAFKA_BOOTSTRAP_SERVERS and REDIS_URL not set"),
        ("fired", "KAFKA_BOOTSTRAP_SERVERS and REDIS_URL not set"),
    ],
)
def test_what_can_not_be_compared_is_told(
    call: Call, sample: Path, history: Path, compare: str, said: str
) -> None:
    told = call("backtest", sample, "--input", history, "--compare", compare)
    assert told.status == 2
    assert said in told.err
    assert "Traceback" not in told.err


def test_one_rulebook_named_twice_is_wrong_usage(call: Call, sample: Path, history: Path) -> None:
    told = call("backtest", sample, "--input", history, "--compare", sample)
    assert told.status == 2
    assert "is named twice" in told.err


def test_an_empty_history_says_so(call: Call, sample: Path, tmp_path: Path) -> None:
    (tmp_path / "h").write_bytes(b"")
    told = call("backtest", sample, "--input", tmp_path / "h", "--html", tmp_path / "r.html")
    assert told.status == 0
    assert "no records: the history is empty" in told.out
    assert "no record was read" in (tmp_path / "r.html").read_text()
    lines = call("backtest", sample, "--input", tmp_path / "h", "--json").lines
    assert [(x["records"], x["from"]) for x in lines] == [(0, None)]


def test_a_page_that_can_not_be_written_is_told_before_the_run(
    call: Call, sample: Path, tmp_path: Path
) -> None:
    told = call("backtest", sample, "--input", "missing", "--html", tmp_path / "no" / "r.html")
    assert told.status == 2
    assert "r.html: can't be written" in told.err


def test_the_page_never_takes_the_place_of_the_history(
    call: Call, sample: Path, history: Path
) -> None:
    before = history.read_bytes()
    told = call(
        "backtest", sample, "--input", history, "--html", history.parent / "." / "history.jsonl"
    )
    assert told.status == 2
    assert "is the history" in told.err
    assert history.read_bytes() == before


def test_a_run_that_fails_leaves_no_page(call: Call, sample: Path, tmp_path: Path) -> None:
    told = call("backtest", sample, "--input", "missing", "--html", tmp_path / "r.html")
    assert told.status == 2
    assert not (tmp_path / "r.html").exists()


def test_a_page_that_was_there_stays_until_there_is_a_new_one(
    call: Call, sample: Path, history: Path, tmp_path: Path
) -> None:
    page = tmp_path / "r.html"
    page.write_text("old")
    assert call("backtest", sample, "--input", "missing", "--html", page).status == 2
    assert page.read_text() == "old"
    assert call("backtest", sample, "--input", history, "--html", page).status == 0
    assert page.read_text().startswith("<!doctype html>")
