"""What a system has written, held against what it must have: a wrong result has no speed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

import orjson

from pipeline.ports import Entry
from tests.bench.generator import Load

Told = tuple[str, str, str]
"""Loan, userId, phone."""


@dataclass
class Found:
    """The newest contact and opt-in of each key, and every trigger."""

    contacts: dict[str, str] = field(default_factory=dict)
    optins: dict[str, str] = field(default_factory=dict)
    triggers: Counter[Told] = field(default_factory=Counter)
    retractions: int = 0

    @classmethod
    def of(cls, outputs: Iterable[Entry]) -> Self:
        """What is among outputs whose topics have no prefix."""
        found = cls()
        for entry in outputs:
            if entry.topic == "contacts":
                found.take_contact(entry.key or b"", entry.value)
            elif entry.topic == "optins":
                found.take_optin(entry.key or b"", entry.value)
            elif entry.topic == "journey.triggers":
                found.take_trigger(entry.value or b"")
        return found

    def take_contact(self, key: bytes, value: bytes | None) -> None:
        """A record of `contacts`."""
        if value is None:
            self.contacts.pop(key.decode(), None)
        else:
            self.contacts[key.decode()] = orjson.loads(value)["phone"]

    def take_optin(self, key: bytes, value: bytes | None) -> None:
        """A record of `optins`."""
        if value is None:
            self.optins.pop(key.decode(), None)
        else:
            self.optins[key.decode()] = orjson.loads(value)["status"]

    def take_trigger(self, value: bytes) -> None:
        """A record of `journey.triggers`."""
        sent = orjson.loads(value)
        if sent.get("type", "trigger") == "trigger":
            self.triggers[sent["key"], sent["userId"], sent["to"]] += 1
        else:
            self.retractions += 1


def faults(found: Found, loads: Iterable[Load]) -> list[str]:
    """Each kind of difference in one line; none where all is as it must be."""
    contacts: dict[str, str] = {}
    optins: dict[str, str] = {}
    triggers: set[Told] = set()
    for load in loads:
        contacts |= load.contacts
        optins |= load.optins
        triggers |= {(loan, r.user, r.phone) for loan, r in load.triggers.items()}
    told = []
    for what, have, want in (
        ("contacts", found.contacts, contacts),
        ("opt-ins", found.optins, optins),
    ):
        wrong = sum(have.get(key) != value for key, value in want.items())
        if wrong or len(have) != len(want):
            told.append(f"{what}: {wrong} of {len(want)} wrong or missing, {len(have)} there")
    missing, more = triggers - found.triggers.keys(), found.triggers.keys() - triggers
    twice = sum(count > 1 for count in found.triggers.values())
    if missing or more or twice or found.retractions:
        told.append(
            f"triggers: {len(missing)} of {len(triggers)} missing, {len(more)} too many,"
            f" {twice} more than once, {found.retractions} taken back"
        )
    return told
