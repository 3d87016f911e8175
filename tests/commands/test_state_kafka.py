"""`contact`, `explain`, `deadletters` and `backtest` over a pipeline with a past."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.process.rulebook_change import apply_rulebook
from pipeline.rulebook.load import document_digest, load_document
from tests.commands.conftest import REPOSITORY, Call
from tests.commands.running import Running, identify, track

pytestmark = pytest.mark.kafka

PHONE = "+12125550100"
APPROVED = "Loan Application Approved"


def loan(user: str, hours: float, key: str, **more: Any) -> dict[str, Any]:
    properties = {"loanId": key, "amount": 30000}
    return track(user, APPROVED, hours, properties=properties, messageId=f"m-{key}", **more)


@pytest.fixture(scope="module", autouse=True)
def past(running: Running, runner: asyncio.Runner) -> None:
    async def fill() -> None:
        document = load_document(REPOSITORY / "deploy" / "rulebook")
        await apply_rulebook(document, document_digest(document), running.log, 2)
        await running.send(
            identify("u1", PHONE, anonymousId="a1"),
            loan("u1", 25, "fired"),
            loan("u1", 1, "open"),
            loan("u2", 25, "nobody"),
            {"type": "track", "anonymousId": "a1", "event": "Product Viewed"},
            {"type": "alias", "previousId": "old", "userId": "u1"},
            {"type": "identify", "userId": "evil", "traits": {"phone": "\x1b[31m", "[red]": "x"}},
            {"type": "identify", "anonymousId": "a9", "traits": {"email": "R@Example.com"}},
            b'{"type": "track", "event": "No Id"}',
            b'{"type": "track", "event": "No Id"}',
            b"not json \x1b",
        )
        await running.tick()
        await running.send(
            track("u1", "Loan Signed", properties={"loanId": "fired"}, messageId="m-signed")
        )
        await running.tick()
        await running.tick()

    runner.run(fill())


@pytest.mark.parametrize("id_", ["u1", "a1", "(212) 555-0100", "+1 212 555 0100"])
def test_a_contact_is_found_by_every_id(ask: Call, id_: str) -> None:
    told = ask("contact", id_, "--json")
    assert told.status == 0, told.err
    (contact,) = told.lines
    assert contact["userId"] == "u1"


def test_an_email_without_a_user_shows_the_opt_ins_alone(ask: Call) -> None:
    assert ask("contact", "a9", "--json").lines[0]["emails"][0]["address"] == "r@example.com"
    assert ask("contact", "nobody@example.com").status == 1


def test_a_contact_shows_opt_ins_waits_and_events(ask: Call, running: Running) -> None:
    (contact,) = ask("contact", "u1", "--json").lines
    assert contact["phones"] == [
        {**contact["phones"][0], "address": PHONE, "isPrimary": True, "userIds": ["u1"]}
    ]
    voice = next(each for each in contact["optIns"] if each["channel"] == "voice")
    assert (voice["status"], voice["ip"]) == ("subscribed", "203.0.113.9")
    assert voice["source"] == "booking_flow"
    assert voice["evidence"]["topic"] == running.names.raw
    loans = [w for w in contact["waiting"] if w["journey"] == "loan-approved-not-signed"]
    assert [(w["key"], w["step"]) for w in loans] == [("open", 1), ("open", 2)]
    assert contact["nextDue"] == contact["waiting"][0]["due"]
    assert contact["events"][APPROVED]["count"] == 2
    assert contact["events"]["Product Viewed"]["count"] == 1


def test_the_table_shows_what_json_shows(ask: Call) -> None:
    out = ask("contact", "u1").out
    for word in ("Rebecca", PHONE, "primary", "booking_flow", "waiting for", "Loan Signed"):
        assert word in out


def test_what_records_hold_can_do_a_terminal_no_harm(ask: Call) -> None:
    out = ask("contact", "evil").out
    assert "\x1b" not in out
    assert "[red]" in out


def test_who_is_not_known_is_told_in_one_line(ask: Call) -> None:
    told = ask("contact", "nobody")
    assert (told.status, told.out) == (1, "")
    assert told.err.count("\n") == 1
    assert told.err.startswith("pipeline: nobody: no contact has this")


def fired(ask: Call) -> dict[str, Any]:
    told = ask("explain", "--user", "u1", "--key", "fired", "--json")
    assert told.status == 0, told.err
    (story,) = told.lines[0]["stories"]
    return dict(story)


def test_a_trigger_is_explained_by_its_id(ask: Call) -> None:
    story = fired(ask)
    (trigger,) = story["triggers"]
    (by_id,) = ask("explain", trigger["id"], "--json").lines[0]["stories"]
    assert by_id["triggers"] == [trigger]
    assert by_id["anchor"]["record"]["properties"] == {"loanId": "fired", "amount": 30000}
    assert [r["reason"] for r in by_id["retractions"]] == ["cancelled_after_fire"]


def test_the_story_is_told_in_order_of_time(ask: Call, running: Running) -> None:
    out = ask("explain", fired(ask)["triggers"][0]["id"]).out
    print(out)
    order = [
        "subscribed to voice",
        f"{APPROVED} ({running.names.raw} ",
        "deadline of step 1",
        "step 1 fired",
        "retracted, cancelled_after_fire",
    ]
    places = [out.index(words) for words in order]
    assert places == sorted(places)
    assert "audience passed" in out
    assert "consent passed" in out


def test_why_nothing_fired_is_told_by_person_and_journey(ask: Call) -> None:
    words = ("--user", "u2", "--journey", "loan-approved-not-signed")
    told = ask("explain", *words)
    print(told.out)
    assert told.status == 0, told.err
    assert "step 1 suppressed: no trigger: a gate was closed (no_address" in told.out
    assert ask("explain", "--user", "u2", "--journey", "other").status == 1


def test_what_happened_is_captured_under_fictional_names(ask: Call, tmp_path: Path) -> None:
    path = tmp_path / "captured.yaml"
    told = ask("capture", "--user", "u1", "-o", path)
    assert told.status == 0, told.err
    text = path.read_text()
    assert "trigger: loan-approved-not-signed" in text
    for personal in ("u1", "a1", "Rebecca", "booking_flow", "m-fired"):
        assert personal not in re.findall(r"[A-Za-z0-9_-]+", text)
    assert ask("test", REPOSITORY / "deploy" / "rulebook", path).last == "1 passed, 0 failed"


def test_an_open_wait_tells_what_it_waits_for(ask: Call) -> None:
    told = ask("explain", "--user", PHONE, "--key", "open")
    assert told.status == 0, told.err
    assert "step 1 (voice) is to be decided, unless Loan Signed; Loan Withdrawn" in told.out


def test_an_id_that_is_none_is_told_in_one_line(ask: Call) -> None:
    told = ask("explain", "0" * 32)
    assert told.status == 1
    assert "no trigger or decision has this id" in told.err
    assert ask("explain").status == 2
    assert ask("explain", "x", "--user", "u1").status == 2


def test_dead_letters_are_listed_and_counted_by_reason(ask: Call, running: Running) -> None:
    told = ask("deadletters", "list", "--json")
    assert sorted(each["reason"] for each in told.lines) == ["invalid_json", "no_id", "no_id"]
    assert all(each["source"].startswith(running.names.raw) for each in told.lines)
    table = ask("deadletters", "list")
    assert "2  no_id" in table.out
    assert table.last == "3 dead letters"
    assert ask("deadletters", "list", "--reason", "invalid_json").last == "1 dead letter"


def test_a_dead_letter_is_shown_with_its_bytes(ask: Call) -> None:
    (letter,) = ask("deadletters", "list", "--reason", "invalid_json", "--json").lines
    told = ask("deadletters", "show", letter["at"])
    assert "reason: invalid_json" in told.out
    assert "not json \\x1b" in told.out
    assert ask("deadletters", "show", letter["at"], "--json").lines[0]["value"] == "not json \x1b"
    assert ask("deadletters", "show", "0:99999").status == 1
    assert ask("deadletters", "show", "nowhere").status == 2


def test_dead_letters_are_sent_again_by_reason_or_position(
    ask: Call, running: Running, runner: asyncio.Runner
) -> None:
    async def end() -> int:
        return sum((await running.reader.ends(running.names.raw)).values())

    before = runner.run(end())
    assert ask("deadletters", "retry").status == 2
    assert ask("deadletters", "retry", "--reason", "no_id").last == "sent 2 records again"
    (letter,) = ask("deadletters", "list", "--reason", "invalid_json", "--json").lines
    told = ask("deadletters", "retry", letter["at"], "--json")
    assert told.lines == [{"sent": 1, "notFromRaw": 0}]
    assert runner.run(end()) == before + 3
    assert ask("deadletters", "retry", "0:99999").status == 1


def test_a_backtest_reads_the_raw_topic_and_finds_the_same_trigger(ask: Call, sample: Path) -> None:
    told = ask("backtest", sample, "--to", "2100-01-01", "--json")
    assert told.status == 0, told.err
    triggers = {line["id"] for line in told.lines if line["type"] == "trigger"}
    assert fired(ask)["triggers"][0]["id"] in triggers


def test_a_backtest_is_compared_with_what_was_fired_and_with_what_is_in_force(
    ask: Call, sample: Path
) -> None:
    words = ("--compare", "fired", "--compare", "in-force", "--to", "2100-01-01", "--json")
    told = ask("backtest", sample, *words)
    assert told.status == 0, told.err
    both = {x["other"] for x in told.lines if x["type"] == "comparison" and x["firedBy"] == "both"}
    assert both == {"fired", "in-force"}
    assert not [x for x in told.lines if x["type"] == "difference" and x["other"] == "in-force"]
