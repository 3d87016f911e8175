"""`explain`: why a trigger fired or did not, told over a past in memory."""

from functools import partial
from typing import Any

import pytest

from tests.commands.conftest import Ask, Recall
from tests.commands.remembered import Remembered, identify, track
from tests.commands.running import Told
from tests.schemas.schema_documents import faults

PHONE = "+12125550100"
HOURS = {"voice": {"hours": "09:00-20:00"}}
BOOK: dict[str, Any] = {
    "journeys": [
        {
            "journey": "loan",
            "version": 3,
            "key": "properties.loanId",
            "start": {"event": "Loan Approved", "where": "properties.amount >= 5000"},
            "unless": [
                {"event": "Loan Signed"},
                {"event": "Loan Withdrawn", "where": 'properties.reason != "duplicate"'},
            ],
            "audience": 'traits.state != "TX"',
            "steps": [{"after": "24h", "channel": "voice", "cooldown": "7d", "expires": "12h"}],
        },
        {
            "journey": "idle",
            "version": 1,
            "start": {"event": "Signed In"},
            "repeat": "keep_first",
            "steps": [{"after": "48h", "channel": "sms"}],
        },
    ],
    "calling": {"hours": HOURS, "limits": [{"max": 2, "per": "30d", "channels": ["voice"]}]},
}


def loan(at: str, key: str = "L1", user: str = "u1", **more: Any) -> dict[str, Any]:
    properties = {"loanId": key, "amount": 30000, **more.pop("properties", {})}
    return track(user, "Loan Approved", at, properties=properties, **more)


@pytest.fixture
def ask(recall: Recall) -> Ask:
    """Fills a past under these rules, then calls `pipeline` against it."""
    return partial(recall, BOOK)


async def known(past: Remembered, user: str = "u1") -> None:
    await past.send(identify(user, "2026-03-01T10:00:00Z", PHONE, traits={"state": "NY"}))


async def fired(past: Remembered) -> None:
    await known(past)
    await past.send(loan("2026-03-02T15:00:00Z"), arrives="2026-03-02T15:00:07Z")
    await past.until("2026-03-03T16:00:00Z")
    await past.send(track("u1", "Loan Signed", "2026-03-03T17:00:00Z", properties={"loanId": "L1"}))
    await past.until("2026-03-03T18:00:00Z")


def story(told: Told, nth: int = 0) -> dict[str, Any]:
    """One of the stories of a document, which is as its schema describes."""
    assert told.status == 0, told.err
    (document,) = told.lines
    assert faults("explain.schema.json", document) == []
    return dict(document["stories"][nth])


def texts(told: dict[str, Any], kind: str) -> list[str]:
    entries = [entry for entry in told["timeline"] if entry["kind"] == kind]
    return ["; ".join((entry["text"], *entry["gates"])) for entry in entries]


def test_a_trigger_is_told_with_consent_its_evidence_and_every_gate_in_order(
    ask: Ask,
) -> None:
    told = story(ask(fired, "explain", "--user", "u1", "--journey", "loan", "--json"))
    (consent,) = texts(told, "consent")
    assert f"{PHONE} subscribed to voice by identify (source booking_flow" in consent
    assert "ip 203.0.113.9, text I agree to calls, evidence segment.raw 0:0" in consent
    (start,) = texts(told, "start")
    assert "Loan Approved (segment.raw 0:1, message" in start
    assert "arrived 2026-03-02T15:00:07.000Z) starts it: userId u1" in start
    (decision,) = texts(told, "decision")
    gates = ["audience passed", "address passed", "consent passed", "cooldown passed", "limits"]
    places = [decision.index(gate) for gate in [*gates, "window passed"]]
    assert places == sorted(places)
    assert 'audience passed: traits.state != "TX"' in decision
    assert "no trigger of this journey went to the address within 7d before" in decision
    assert "local 2026-03-03 10:00 America/New_York; zone by address.state" in decision or (
        "local 2026-03-03 10:00 America/New_York; zone by phone" in decision
    )
    assert texts(told, "retraction")[0].startswith("retracted, cancelled_after_fire")
    assert "Loan Signed (segment.raw 0:2" in texts(told, "cause")[0]
    assert told["version"] == 3
    assert len(told["rulebooks"]) == 1


def test_by_its_id_a_trigger_has_the_same_story(ask: Ask) -> None:
    by_user = story(ask(fired, "explain", "--user", PHONE, "--journey", "loan", "--json"))
    (trigger,) = by_user["triggers"]
    by_id = story(ask(fired, "explain", trigger["id"], "--json"))
    assert by_id == by_user


def test_the_words_are_in_order_of_time_and_say_what_the_document_says(
    ask: Ask,
) -> None:
    out = ask(fired, "explain", "--user", "u1").out
    document = ask(fired, "explain", "--user", "u1", "--json").lines[0]
    for entry in document["stories"][0]["timeline"]:
        assert f"{entry['at']}  {entry['text']}" in out
        assert all(f"  {gate}\n" in out for gate in entry["gates"])
    times = [line[2:26] for line in out.splitlines() if line.startswith("  2026")]
    assert times == sorted(times)


def test_where_retention_removed_the_raw_events_that_is_said(ask: Ask) -> None:
    async def old(past: Remembered) -> None:
        await fired(past)
        past.gone_before = 3

    told = story(ask(old, "explain", "--user", "u1", "--journey", "loan", "--json"))
    assert told["anchor"]["record"] is None
    assert "no longer in the topic (retention)" in texts(told, "start")[0]
    assert "booking_flow" in texts(told, "consent")[0]


def test_what_is_held_over_night_is_told_with_local_time(ask: Ask) -> None:
    async def evening(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-03T03:00:00Z"))
        await past.until("2026-03-04T04:00:00Z")

    told = story(ask(evening, "explain", "--user", "u1", "--journey", "loan", "--json"))
    (held,) = texts(told, "held")
    assert "is held by window" in held
    assert "until 2026-03-04T14:00:00.000Z (local 2026-03-04 09:00 America/New_York" in held


def test_a_hold_that_ended_is_told_with_both_instants(ask: Ask) -> None:
    async def morning(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-03T03:00:00Z"))
        await past.until("2026-03-04T15:00:00Z")

    told = story(ask(morning, "explain", "--user", "u1", "--journey", "loan", "--json"))
    (decision,) = texts(told, "decision")
    assert "window held: voice" in decision or "window held:" in decision
    assert "closed until 2026-03-04T14:00:00.000Z" in decision
    assert told["triggers"][0]["firedAt"] == "2026-03-04T14:00:00.000Z"


def test_a_suppression_by_opt_out_shows_the_opt_out(ask: Ask) -> None:
    async def out(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-02T15:00:00Z"))
        entry = {"channel": "voice", "subscribed": False}
        later = "2026-03-02T18:00:00Z"
        await past.send(identify("u1", later, traits={"phone": PHONE, "optIn": [entry]}))
        await past.until("2026-03-03T16:00:00Z")

    told = story(ask(out, "explain", "--user", "u1", "--journey", "loan", "--json"))
    assert "suppressed: no trigger: a gate was closed (opted_out" in texts(told, "decision")[0]
    assert "consent closed: unsubscribed" in texts(told, "decision")[0]
    assert [("unsubscribed" in text) for text in texts(told, "consent")] == [False, True]


def test_a_cooldown_tells_when_the_last_trigger_was(ask: Ask) -> None:
    async def twice(past: Remembered) -> None:
        await fired(past)
        await past.send(loan("2026-03-04T15:00:00Z", "L2"))
        await past.until("2026-03-05T16:00:00Z")

    told = story(ask(twice, "explain", "--user", "u1", "--key", "L2", "--json"))
    (decision,) = texts(told, "decision")
    assert "cooldown closed" in decision
    assert "within 7d" in decision


def test_a_limit_tells_its_name_and_when_there_is_room(ask: Ask) -> None:
    async def often(past: Remembered) -> None:
        await known(past)
        for day, key in (("02", "L1"), ("10", "L2"), ("18", "L3")):
            await past.send(loan(f"2026-03-{day}T15:00:00Z", key))
        await past.until("2026-03-20T16:00:00Z")

    told = story(ask(often, "explain", "--user", "u1", "--key", "L3", "--json"))
    (decision,) = texts(told, "decision")
    assert "limits closed: reached 2 voice per 30d and address" in decision


def test_a_condition_that_was_false_is_the_nearest_miss(ask: Ask) -> None:
    async def small(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-02T15:00:00Z", properties={"amount": 4000}))

    told = ask(small, "explain", "--user", "u1")
    assert told.status == 0, told.err
    assert "`where` was false: properties.amount >= 5000 (properties.amount is 4000)" in told.out


def test_a_condition_that_cannot_be_judged_names_the_field(ask: Ask) -> None:
    async def bare(past: Remembered) -> None:
        await past.send(track("u1", "Loan Approved", "2026-03-02T15:00:00Z"))

    out = ask(bare, "explain", "--user", "u1").out
    assert "`where` could not be judged" in out
    assert "properties.amount is missing" in out


@pytest.mark.parametrize(
    "name", ["loan approved", "Loan  Approved", "LoanApproved", "loan_approved"]
)
def test_a_name_that_differs_by_case_or_signs_is_the_nearest_miss(ask: Ask, name: str) -> None:
    async def other(past: Remembered) -> None:
        await past.send(track("u1", name, "2026-03-02T15:00:00Z"))

    assert f"`{name}` is not `Loan Approved`" in ask(other, "explain", "--user", "u1").out


def test_a_cancel_under_another_key_is_told_beside_the_trigger(ask: Ask) -> None:
    async def other(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-02T15:00:00Z"))
        for event, properties in (
            ("Loan Signed", {"loanId": "L2"}),
            ("Loan Withdrawn", {"loanId": "L1", "reason": "duplicate"}),
        ):
            await past.send(track("u1", event, "2026-03-02T16:00:00Z", properties=properties))
        await past.until("2026-03-03T16:00:00Z")

    told = story(ask(other, "explain", "--user", "u1", "--journey", "loan", "--json"))
    assert told["triggers"]
    key, reason = texts(told, "no_cause")
    assert "Loan Signed" in key
    assert "does not end it: its key is L2" in key
    assert "`where` was false" in reason


def test_a_repeated_message_id_is_told(ask: Ask) -> None:
    async def again(past: Remembered) -> None:
        await known(past)
        first = loan("2026-03-02T15:00:00Z")
        await past.send(first)
        second = loan("2026-03-02T16:00:00Z", "L9", messageId=first["messageId"])
        await past.send(second)

    out = ask(again, "explain", "--user", "u1").out
    assert "it repeats the messageId of segment.raw 0:1" in out


def test_a_merged_person_has_the_stories_of_both_ids_and_the_merge(
    ask: Ask,
) -> None:
    async def merged(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-02T15:00:00Z"))
        await past.until("2026-03-03T16:00:00Z")
        alias = {"type": "alias", "userId": "new", "previousId": "u1", "messageId": "al"}
        await past.send({**alias, "timestamp": "2026-03-03T17:00:00Z"})
        await past.send(track("new", "Signed In", "2026-03-03T18:00:00Z"))

    for id_ in ("u1", "new", PHONE):
        (document,) = ask(merged, "explain", "--user", id_, "--json").lines
        assert {each["journey"] for each in document["stories"]} == {"loan", "idle"}
        assert document["people"][0]["formerUserIds"] == ["u1"]
        assert document["identity"][0]["text"] == "alias: u1 is new from now on"


def test_a_superseded_start_has_its_reason(ask: Ask) -> None:
    async def twice(past: Remembered) -> None:
        await past.send(track("u1", "Signed In", "2026-03-02T15:00:00Z"))
        await past.send(track("u1", "Signed In", "2026-03-02T16:00:00Z"))

    told = story(ask(twice, "explain", "--user", "u1", "--json"), 1)
    assert "superseded" in texts(told, "decision")[0]
    assert "(repeat: a start within a wait that goes on" in texts(told, "decision")[0]


def test_of_who_was_erased_only_ids_places_and_verdicts_are_shown(
    ask: Ask,
) -> None:
    async def erased(past: Remembered) -> None:
        await fired(past)
        await past.replay.erase("u1", past.now() + 1000)
        await past.until("2026-03-03T20:00:00Z")

    for words in (("--user", "u1"), ("--user", "u1", "--json")):
        out = ask(erased, "explain", *words).out
        assert "u1" in out
        assert "cancelled_after_fire" in out
        assert "segment.raw" in out
        for personal in (PHONE, "booking_flow", "203.0.113.9", "I agree", "30000", "L1"):
            assert personal not in out.replace("i-u1", "")


def test_an_open_wait_says_when_it_is_decided_and_unless_what(ask: Ask) -> None:
    async def open_(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-02T15:00:00Z"))

    told = story(ask(open_, "explain", "--user", "u1", "--journey", "loan", "--json"))
    entry = next(each for each in told["timeline"] if each["kind"] == "open")
    assert entry["at"] == "2026-03-03T15:00:00.000Z"
    assert "unless Loan Signed; Loan Withdrawn where" in entry["text"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("0" * 32,), "no trigger or decision has this id"),
        (("--user", "nobody"), "nobody has this userId"),
        (("--user", "u1", "--journey", "laon"), "there is no journey laon: write idle, loan"),
        (("--user", "u1", "--key", "L7"), "no wait of theirs with key L7"),
    ],
)
def test_what_is_not_there_is_told_in_one_line_with_status_1(
    ask: Ask, words: tuple[str, ...], said: str
) -> None:
    told = ask(known, "explain", *words)
    assert (told.status, told.out) == (1, "")
    assert told.err.count("\n") == 1
    assert said in told.err


def test_control_characters_of_events_do_a_terminal_no_harm(ask: Ask) -> None:
    async def evil(past: Remembered) -> None:
        await past.send(loan("2026-03-02T15:00:00Z", "\x1b[31m", properties={"\x07": "\x1b]0;x"}))

    assert "\x1b" not in ask(evil, "explain", "--user", "u1").out


def test_a_step_that_was_decided_too_late_says_so(ask: Ask) -> None:
    async def late(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-02T15:00:00Z"), arrives="2026-03-04T15:00:00Z")
        await past.until("2026-03-04T16:00:00Z")

    told = story(ask(late, "explain", "--user", "u1", "--journey", "loan", "--json"))
    assert "expired: no trigger" in texts(told, "decision")[0]
    assert "(best_before: later than deadline + expires)" in texts(told, "decision")[0]
    assert told["anchor"]["arrivedAt"] == "2026-03-04T15:00:00.000Z"


def test_a_cancel_during_a_hold_is_told_as_the_cause(ask: Ask) -> None:
    async def night(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-03T03:00:00Z"))
        await past.until("2026-03-04T05:00:00Z")
        await past.send(
            track("u1", "Loan Signed", "2026-03-04T06:00:00Z", properties={"loanId": "L1"})
        )
        await past.until("2026-03-04T20:00:00Z")

    told = story(ask(night, "explain", "--user", "u1", "--journey", "loan", "--json"))
    assert "cancelled" in texts(told, "decision")[0]
    assert "Loan Signed (segment.raw 0:2" in texts(told, "cause")[0]
    assert told["triggers"] == []


def test_what_a_device_did_before_its_link_is_in_the_persons_story(ask: Ask) -> None:
    async def linked(past: Remembered) -> None:
        at = "2026-03-02T15:00:00Z"
        anonymous = {"type": "track", "anonymousId": "d1", "event": "Signed In", "timestamp": at}
        await past.send({**anonymous, "messageId": "s1"})
        both = track("u1", "Profile Opened", "2026-03-02T16:00:00Z", anonymousId="d1")
        await past.send(both)

    for id_ in ("u1", "d1"):
        (document,) = ask(linked, "explain", "--user", id_, "--json").lines
        assert [each["journey"] for each in document["stories"]] == ["idle"]
        assert document["identity"][0]["text"] == "device d1 is used by u1"
        assert document["stories"][0]["anchor"]["record"]["anonymousId"] == "d1"


def test_who_shares_a_phone_is_told_by_the_phone(ask: Ask) -> None:
    async def shared(past: Remembered) -> None:
        await known(past)
        await known(past, "u2")
        for user in ("u1", "u2"):
            await past.send(track(user, "Signed In", "2026-03-02T15:00:00Z"))

    (document,) = ask(shared, "explain", "--user", "(212) 555-0100", "--json").lines
    assert [each["userId"] for each in document["people"]] == ["u1", "u2"]
    assert len(document["stories"]) == 2


def test_a_start_without_a_usable_key_says_so(ask: Ask) -> None:
    async def keyless(past: Remembered) -> None:
        await past.send(loan("2026-03-02T15:00:00Z", " "))

    out = ask(keyless, "explain", "--user", "u1").out
    assert "ignored: the start opened no wait (missing_key: the start has no usable key)" in out
