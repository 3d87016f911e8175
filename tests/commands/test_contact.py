"""`contact`: what is known of somebody, and what would come of their waits by what is known now."""

from functools import partial
from typing import Any

import pytest

from pipeline.adapters.memory_store import MemoryStore
from tests.commands.conftest import Ask, Recall
from tests.commands.remembered import Remembered, identify, track

PHONE, NEW = "+12125550100", "+13105550101"
BOOK: dict[str, Any] = {
    "journeys": [
        {
            "journey": "loan",
            "version": 1,
            "key": "properties.loanId",
            "start": {"event": "Loan Approved"},
            "unless": [{"event": "Loan Signed"}],
            "audience": 'traits.state != "TX"',
            "steps": [{"after": "24h", "channel": "voice", "cooldown": "1h", "expires": "20h"}],
        }
    ],
    "calling": {
        "hours": {"voice": "09:00-20:00"},
        "limits": [
            {"max": 1, "per": "7d", "channels": ["voice"]},
            {"max": 5, "per": "30d", "channels": ["voice"], "scope": "person"},
        ],
    },
}


@pytest.fixture
def ask(recall: Recall) -> Ask:
    return partial(recall, BOOK)


def loan(at: str, key: str = "L1") -> dict[str, Any]:
    return track("u1", "Loan Approved", at, properties={"loanId": key})


async def known(past: Remembered, **traits: Any) -> None:
    given = {"state": "NY", "nickname": "Becky", **traits}
    await past.send(identify("u1", "2026-03-01T10:00:00Z", PHONE, traits=given))


def outlook(ask: Ask, *events: dict[str, Any], **traits: Any) -> dict[str, Any]:
    """Of the last wait."""

    async def fill(past: Remembered) -> None:
        await known(past, **traits)
        for event in events:
            await past.send(event)

    (contact,) = ask(fill, "contact", "u1", "--json").lines
    return dict(contact["waiting"][-1]["outlook"])


def test_a_step_that_nothing_hinders_fires(ask: Ask) -> None:
    said = outlook(ask, loan("2026-03-02T15:00:00Z"))
    assert said["outcome"] == "fire"
    assert {gate["gate"]: gate["verdict"] for gate in said["gates"]} == {
        "audience": "pass",
        "address": "pass",
        "consent": "pass",
        "cooldown": "pass",
        "limits": "pass",
        "window": "pass",
    }


def test_a_step_that_is_due_at_night_is_held_until_the_window_opens(ask: Ask) -> None:
    said = outlook(ask, loan("2026-03-02T03:00:00Z"))
    assert (said["outcome"], said["until"]) == ("held", "2026-03-03T14:00:00.000Z")


def test_a_false_audience_and_a_missing_opt_in_are_foreseen(ask: Ask) -> None:
    assert outlook(ask, loan("2026-03-02T15:00:00Z"), state="TX")["reason"] == "audience"
    moved = identify("u1", "2026-03-02T10:00:00Z", traits={"phone": NEW})
    assert outlook(ask, moved, loan("2026-03-02T15:00:00Z"))["reason"] == "no_consent"


def test_a_limit_that_is_used_up_is_foreseen_and_shown_with_when_there_is_room(ask: Ask) -> None:
    async def fill(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-02T15:00:00Z"))
        await past.until("2026-03-03T16:00:00Z")
        await past.send(loan("2026-03-03T17:00:00Z", "L2"))

    (contact,) = ask(fill, "contact", "u1", "--json").lines
    assert contact["waiting"][0]["outlook"]["reason"] == "limits"
    voice = next(each for each in contact["calling"] if each["channel"] == "voice")
    assert [(each["scope"], each["used"], each["max"]) for each in voice["limits"]] == [
        ("address", 1, 1),
        ("person", 1, 5),
    ]
    assert voice["limits"][0]["roomAt"] == "2026-03-10T15:00:00.000Z"
    assert voice["limits"][1]["roomAt"] is None
    assert contact["lastFired"] == [
        {"address": PHONE, "journey": "loan", "firedAt": "2026-03-03T15:00:00.000Z"}
    ]


def test_looking_changes_nothing(ask: Ask) -> None:
    states: list[tuple[MemoryStore, object]] = []

    async def fill(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-02T03:00:00Z"))
        states.append((past.store, past.store.snapshot()))

    ask(fill, "contact", "u1", "--json")
    store, before = states[0]
    assert store.snapshot() == before


def test_what_is_held_is_shown_with_its_rule_and_when_it_goes_on(ask: Ask) -> None:
    async def fill(past: Remembered) -> None:
        await known(past)
        await past.send(loan("2026-03-02T03:00:00Z"))
        await past.until("2026-03-03T05:00:00Z")

    told = ask(fill, "contact", "u1", "--json")
    (held,) = told.lines[0]["held"]
    assert (held["journey"], held["key"], held["to"]) == ("loan", "L1", PHONE)
    assert held["opensAt"] == "2026-03-03T14:00:00.000Z"
    assert "held back" in ask(fill, "contact", "u1").out


@pytest.mark.parametrize(
    ("traits", "said"),
    [
        ({"phone": NEW}, "the newest `phone` trait, of 2026-03-02T10:00:00.000Z (message "),
        (
            {"phones": {NEW: {"isPrimary": True}}},
            "the newest isPrimary, of 2026-03-02T10:00:00.000Z (message ",
        ),
        ({"phone": None}, "the `phone` trait was removed at 2026-03-02T10:00:00.000Z"),
    ],
)
def test_why_a_phone_is_primary_is_told(ask: Ask, traits: dict[str, Any], said: str) -> None:
    async def fill(past: Remembered) -> None:
        await known(past)
        await past.send(identify("u1", "2026-03-02T10:00:00Z", traits=traits))

    assert f"primary phone: {said}" in ask(fill, "contact", "u1").out


def test_a_phone_that_is_only_listed_is_primary_as_the_first_known(ask: Ask) -> None:
    async def fill(past: Remembered) -> None:
        phones: dict[str, Any] = {NEW: {}, PHONE: {}}
        await past.send(identify("u1", "2026-03-02T10:00:00Z", traits={"phones": phones}))

    (contact,) = ask(fill, "contact", "u1", "--json").lines
    assert contact["phones"][0]["address"] == PHONE
    assert contact["primary"]["phone"].endswith("and the lowest of those")


def test_standard_traits_and_custom_ones_are_told_apart(ask: Ask) -> None:
    (contact,) = ask(known, "contact", "u1", "--json").lines
    assert contact["traits"] == {"firstName": "Rebecca", "phone": PHONE}
    assert contact["custom"] == {"state": "NY", "nickname": "Becky"}


def test_an_opt_in_that_waits_for_an_address_is_shown(ask: Ask) -> None:
    async def fill(past: Remembered) -> None:
        entry = {"channel": "email", "subscribed": True, "ip": "203.0.113.9"}
        opted = {"optIn": [{**entry, "timestamp": "2026-03-01T10:00:00Z"}]}
        await past.send(identify("u1", "2026-03-01T10:00:00Z", traits=opted))

    (contact,) = ask(fill, "contact", "u1", "--json").lines
    assert [(each["channel"], each["until"]) for each in contact["unbound"]] == [
        ("email", "2026-03-02T10:00:00.000Z")
    ]


def test_without_hours_and_limits_there_is_nothing_about_calling(recall: Recall) -> None:
    told = recall({"journeys": BOOK["journeys"]}, known, "contact", "u1", "--json")
    assert told.lines[0]["calling"] == []


def test_of_who_was_erased_nothing_is_shown(ask: Ask) -> None:
    async def fill(past: Remembered) -> None:
        await known(past)
        await past.replay.erase("u1", past.now() + 1000)

    out = ask(fill, "contact", "u1").out + ask(fill, "contact", "u1", "--json").out
    assert "erased" in out
    for personal in (PHONE, "Rebecca", "Becky", "booking_flow"):
        assert personal not in out
