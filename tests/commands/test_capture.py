"""`capture`: a test file of what happened to one person, holding nothing of theirs."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.process.capture.lots import Lots
from pipeline.process.capture.phones import fictional
from pipeline.rulebook.compile import compile_rulebook
from pipeline.rulebook.load import load_document
from pipeline.rulebook.phone_places import place_of_phone
from pipeline.wire.contact_points import read_phone
from tests.commands.conftest import Call, Recall
from tests.commands.remembered import Remembered
from tests.schemas.schema_documents import faults, read_yaml

PHONE, OTHER = "+12127365000", "+442079460958"
USER, DEVICE, EMAIL = (
    "cust-88120034",
    "9f8e7d6c-5b4a-4c3d",
    "rebecca.omalley+loans@mail.example.org",
)
KEY = "LN-2026/0098812"
URL = (
    f"https://tom.hardy@x.example/pricing/{USER}?e={quote(EMAIL, safe='')}"
    f"&k={quote(KEY, safe='')}&n=bob.private"
)
SECRETS = [
    USER, DEVICE, EMAIL, EMAIL.upper(), quote(EMAIL, safe=""), PHONE, PHONE[1:], PHONE[2:],
    "736-5000", OTHER, "020 7946 0958", KEY, quote(KEY, safe=""), "Rebecca", "O'Malley",
    "98.12.33.4",
    "2001:db8:85a3::8a2e", "ajs-7c0ffee-1", "350 5th Ave", "10118", "0110", "4111111111111111",
    "123456789", "booking_flow", "I, Rebecca, agree", "Mozilla", "40.7484", "tom.hardy",
    "Tom Hardy",
    "bob.private", "backoffice-77", "Neighbour",
]  # fmt: skip

BOOK = {
    "consent.yaml": """
events:
  - {event: Unsubscribed, channels: [voice, sms], subscribed: false}
""",
    "journeys/loan.yaml": """
journey: loan
version: 1
key: properties.loanId
match: key
start:
  event: Loan Approved
  where: properties.amount >= 5000 && properties.note.contains("fast")
unless:
  - event: Loan Signed
  - {event: Loan Withdrawn, where: properties.reason != "duplicate"}
audience: 'traits.plan == "gold" && context_free'
steps:
  - {after: 24h, channel: voice, include: [properties.amount, traits.firstName]}
""".replace(" && context_free", ""),
    "journeys/page.yaml": """
journey: pricing
version: 1
start: {type: page, name: Pricing, where: context.page.url.contains("/pricing")}
holdout: {percent: 30, salt: s}
steps:
  - {after: 1h, channel: sms}
""",
}


def hostile() -> list[dict[str, Any]]:
    nested = {
        "who": [USER, {EMAIL: {"device": DEVICE, "deep": [PHONE, int(PHONE[1:])]}}],
        "Rebecca O'Malley": True,
        "card": 4111111111111111,
        "ssn": "123456789",
        "zip": 10118,
        "Jane Q. Neighbour": {"seen": True},
        "position": {"lat": 40.7484, "lon": -73.9857},
    }
    opted = {"subscribed": True, "timestamp": "2026-03-01T10:00:00Z", "ip": "98.12.33.4"}
    said = {"source": "booking_flow", "text": "I, Rebecca, agree"}
    return [
        {
            "type": "identify", "userId": USER, "anonymousId": DEVICE, "messageId": "ajs-7c0ffee-1",
            "timestamp": "2026-03-01T10:00:00Z",
            "traits": {
                "firstName": "Rebecca", "lastName": "O'Malley", "email": EMAIL.upper(),
                "phones": {
                    "(212) 736-5000": {"isPrimary": True, "voiceOptIn": opted | said}, OTHER: {},
                },
                "address": {
                    "street": "350 5th Ave", "city": "New York", "state": "NY", "zip": "10118-0110",
                },
                "optIn": [{"channel": "SMS", **opted, **said}], "plan": "gold", "ssn": 123456789,
            },
            "context": {
                "ip": "98.12.33.4", "userAgent": "Mozilla/5.0 Rebecca",
                "timezone": "America/New_York", "page": {"url": f"https://x.example/u/{USER}"},
            },
        },
        {
            "type": "track", "userId": USER, "event": "Loan Approved", "messageId": "ajs-7c0ffee-2",
            "timestamp": "2026-03-03T15:00:00Z",
            "properties": {
                "loanId": KEY, "amount": 30000, "nested": nested,
                "note": f"fast: Rebecca O'Malley ({USER}) of {EMAIL}, 212-736-5000, loan {KEY},"
                " 98.12.33.4",
            },
            "context": {"ip": "2001:db8:85a3::8a2e"},
        },
        {
            "type": "page", "anonymousId": DEVICE, "name": "Pricing", "messageId": "ajs-7c0ffee-3",
            "timestamp": "2026-03-03T16:00:00Z",
            "context": {"page": {"url": URL}},
        },
        {
            "type": "track", "userId": "backoffice-77", "event": "Loan Signed", "messageId": "bo-1",
            "timestamp": "2026-03-04T16:00:00Z",
            "properties": {
                "loanId": KEY, "agent": "Tom Hardy", "agentEmail": "tom.hardy@bank.example",
            },
        },
        {
            "type": "track", "userId": "stranger", "event": "Loan Approved", "messageId": "st-1",
            "timestamp": "2026-03-03T15:00:00Z",
            "properties": {"loanId": "other", "amount": 9000, "note": "fast"},
        },
        {
            "type": "track", "event": "Unsubscribed", "messageId": "un-1",
            "timestamp": "2026-03-05T16:00:00Z", "properties": {"phone": "212 736 5000"},
        },
    ]  # fmt: skip


@pytest.fixture
def rulebook(tmp_path: Path) -> Path:
    folder = tmp_path / "rulebook"
    for name, text in BOOK.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def write(path: Path, events: list[dict[str, Any]]) -> Path:
    path.write_bytes(b"\n".join(orjson.dumps(event) for event in events))
    return path


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return write(tmp_path / "history.jsonl", hostile())


@pytest.mark.parametrize(
    "id_", [USER, DEVICE, EMAIL, "(212) 736-5000"], ids=["user", "device", "email", "phone"]
)
def test_the_captured_file_passes_at_once_and_holds_nothing_of_theirs(
    call: Call, rulebook: Path, history: Path, tmp_path: Path, id_: str
) -> None:
    path = tmp_path / "captured.yaml"
    told = call("capture", "--user", id_, "--rulebook", rulebook, "--input", history, "-o", path)
    assert told.status == 0, told.err
    assert "warning" not in told.err
    text = path.read_text(encoding="utf-8")
    assert [secret for secret in SECRETS if secret.lower() in text.lower()] == []
    assert "{trigger: loan, key: key-1" in text
    assert "retraction: loan" in text
    assert call("test", rulebook, path).last == "1 passed, 0 failed"


def test_what_decides_stays(call: Call, rulebook: Path, history: Path) -> None:
    told = call("capture", "--user", USER, "--rulebook", rulebook, "--input", history)
    for kept in (
        "Loan Approved", "2026-03-03T15:00:00.000Z", "amount: 30000", "plan: gold", "state: NY",
        '"10100"', "fast: ", "/pricing/", "America/New_York", "+12125550100", "+44", "203.0.113.",
        "of person001@example.com, +12125550100, loan key-1, 203.0.113.2",
    ):  # fmt: skip
        assert kept in told.out, kept
    assert "stranger" not in told.out
    assert told.out.count("track: ") == 3


def test_a_changed_rule_shows_as_a_difference(
    call: Call, rulebook: Path, history: Path, tmp_path: Path
) -> None:
    path = tmp_path / "captured.yaml"
    call("capture", "--user", USER, "--rulebook", rulebook, "--input", history, "-o", path)
    journey = rulebook / "journeys" / "loan.yaml"
    journey.write_text(journey.read_text().replace("after: 24h", "after: 26h"))
    told = call("test", rulebook, path)
    assert told.status == 1
    assert told.last == "0 passed, 1 failed"


def test_the_same_history_gives_the_same_file(call: Call, rulebook: Path, history: Path) -> None:
    words = ("capture", "--user", USER, "--rulebook", rulebook, "--input", history)
    assert call(*words).out == call(*words).out


def test_starts_before_from_are_left_out_and_the_person_is_known(
    call: Call, rulebook: Path, history: Path
) -> None:
    words = ("--rulebook", rulebook, "--input", history, "--from", "2026-03-03T15:30:00Z")
    told = call("capture", "--user", USER, *words)
    assert told.status == 0, told.err
    assert "Loan Approved" not in told.out
    assert "identify: " in told.out
    assert "starts of before (1)" in told.err


def test_to_ends_the_clock(call: Call, rulebook: Path, history: Path) -> None:
    words = ("--rulebook", rulebook, "--input", history, "--to", "2026-03-03T15:30:00Z")
    told = call("capture", "--user", USER, *words)
    assert "until: 2026-03-03T15:30:00.000Z" in told.out
    assert "expect: []" in told.out
    assert "Pricing" not in told.out


def test_who_shares_the_phone_is_taken_only_as_far_as_needed(
    call: Call, rulebook: Path, tmp_path: Path
) -> None:
    opt_out = {"channel": "voice", "subscribed": False}
    at = "2026-03-03T20:00:00Z"
    shared = [
        {
            "type": "identify", "userId": "husband-1", "timestamp": at, "messageId": "h-1",
            "traits": {"phone": PHONE, "firstName": "Robert", "secret": "xyz", "optIn": [opt_out]},
        },
        {
            "type": "track", "userId": "husband-1", "event": "Loan Approved", "timestamp": at,
            "messageId": "h-2", "properties": {"loanId": "H", "amount": 9000, "note": "fast"},
        },
    ]  # fmt: skip
    path = write(tmp_path / "shared.jsonl", hostile() + shared)
    told = call("capture", "--user", USER, "--rulebook", rulebook, "--input", path)
    assert told.status == 0, told.err
    assert "outcome: suppressed, reason: opted_out" in told.out
    assert "secret" not in told.out
    assert told.out.count("Loan Approved") == 1
    assert "what others told of themselves (1)" in told.err


@pytest.mark.parametrize(
    "phone",
    "+12127365000 +13105550147 +442079460958 +447911123456 +4930123456 +79161234567 +61293744000"
    " +5511987654321 +14165550123 +525512345678 +918045678901".split(),
)
def test_a_fictional_number_is_from_the_same_place(phone: str) -> None:
    first = fictional(phone, set())
    second = fictional(phone, {first})
    assert len({phone, first, second}) == 3
    for made in (first, second):
        assert read_phone(made, "US") == made
        assert place_of_phone(made) == place_of_phone(phone)
        assert made[-4:] != phone[-4:]


def test_odd_values_are_written_so_that_they_are_read_again(
    call: Call, rulebook: Path, tmp_path: Path
) -> None:
    odd = {
        "loanId": "yes", "amount": 5e22,
        "note": "fast\x00\u2028\u0085\x7f\ufeff \U0001f600 \"'\\ # : {",
        "a": [1e-9, -0.0, None, True, [], {}, "", " ", "null", "1e5", "0123", "- x", "<<"],
        "<<": 1, "": 2, "ключ": 3, "~": {"deep": [[[["x"]]]]},
    }  # fmt: skip
    event = {**hostile()[1], "properties": odd}
    path = write(tmp_path / "odd.jsonl", [hostile()[0], event])
    out = tmp_path / "odd.yaml"
    words = ("capture", "--user", USER, "--rulebook", rulebook, "--input", path, "-o", out)
    told = call(*words, "--to", "2026-03-05")
    assert told.status == 0, told.err
    assert "warning" not in told.err
    assert "trigger: loan" in out.read_text(encoding="utf-8")
    assert call("test", rulebook, out).last == "1 passed, 0 failed"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--user", "nobody"), 1, "nobody: nothing in the history belongs to this userId"),
        (("--user", " "), 2, "--user is blank"),
        ((), 2, "--user"),
        (
            ("--user", USER, "--from", "2026-03-02", "--to", "2026-03-01"),
            2,
            "--to is before --from",
        ),
        (("--user", USER, "--to", "soon"), 2, "write 2026-03-03T15:00:00Z"),
        (("--user", USER, "-o", "no/such/folder.yaml"), 2, "there is no such folder"),
    ],
)
def test_wrong_usage_is_told_in_a_line(
    call: Call, rulebook: Path, history: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    told = call("capture", *words, "--rulebook", rulebook, "--input", history)
    assert told.status == status
    assert said in told.err
    assert "Traceback" not in told.err


def test_identifiers_are_words_and_no_word_of_the_file_is_one(
    call: Call, rulebook: Path, tmp_path: Path
) -> None:
    """Short ids, which may be part of anything, are replaced where they stand for themselves."""
    text = orjson.dumps(hostile()).decode().replace(USER, "u1").replace(DEVICE, "a1")
    path = write(tmp_path / "short.jsonl", orjson.loads(text))
    told = call("capture", "--user", "u1", "--rulebook", rulebook, "--input", path)
    assert told.status == 0, told.err
    assert not {"u1", "a1"} & set(re.findall(r"[A-Za-z0-9]+", told.out))


async def in_topic(past: Remembered) -> None:
    for event in hostile():
        await past.send(event)
    await past.until("2026-03-06T00:00:00Z")


def test_from_the_topics_the_rulebook_in_force_and_the_time_are_taken(
    recall: Recall, rulebook: Path, tmp_path: Path, call: Call
) -> None:
    out = tmp_path / "captured.yaml"
    told = recall(load_document(rulebook), in_topic, "capture", "--user", USER, "-o", out)
    assert told.status == 0, told.err
    text = out.read_text(encoding="utf-8")
    assert "until: 2026-03-06T00:00:00.000Z" in text
    assert [secret for secret in SECRETS if secret.lower() in text.lower()] == []
    assert call("test", rulebook, out).last == "1 passed, 0 failed"


def test_of_who_was_erased_nothing_is_captured(recall: Recall, rulebook: Path) -> None:
    async def erased(past: Remembered) -> None:
        await in_topic(past)
        await past.replay.erase(USER, past.now() + 1)

    told = recall(load_document(rulebook), erased, "capture", "--user", USER)
    assert (told.status, told.out) == (1, "")
    assert "was erased" in told.err


def test_a_captured_file_is_what_its_schema_describes(
    call: Call, rulebook: Path, history: Path, tmp_path: Path
) -> None:
    out = tmp_path / "captured.yaml"
    call("capture", "--user", USER, "--rulebook", rulebook, "--input", history, "-o", out)
    assert faults("rulebook/tests.schema.json", read_yaml(out)) == []


@given(
    ids=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5, unique=True),
    percent=st.integers(2, 98),
)
@settings(max_examples=50)
def test_a_pseudonym_draws_what_the_id_draws(ids: list[str], percent: int) -> None:
    steps = [{"after": "1h", "channel": "sms"}]
    base = {"version": 1, "start": "Start", "steps": steps}
    experiment = {"salt": "e", "variants": {"a": percent, "b": 100 - percent}}
    document = {
        "journeys": [
            {"journey": "h", **base, "holdout": {"percent": percent, "salt": "s"}},
            {"journey": "e", **base, "experiment": experiment},
        ]
    }
    lots = Lots(compile_rulebook(document).journeys)
    taken: set[str] = set()
    for id_ in ids:
        made = lots.alike(id_, lambda n: f"user-{n}", taken)
        assert lots.of(made) == lots.of(id_)
        assert made not in taken
        taken.add(made)
