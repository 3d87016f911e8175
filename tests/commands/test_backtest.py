"""`backtest` over a file of JSON lines."""

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
