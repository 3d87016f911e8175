"""Addresses of people and what was opted in and out (rules 12-15, consent in 19 and 20)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.events import Event, address
from tests.oracle.people import People, Person
from tests.oracle.rulebook import Rulebook
from tests.oracle.times import DAY, SKEW, instant

KINDS = ("phone", "email")
CHANNELS = {"voice": "phone", "sms": "phone", "email": "email"}
_FLAT_AND_MAP = {"phone": ("phone", "phones"), "email": ("email", "emails")}
_MAP_OPT_INS = {"voiceOptIn": "voice", "smsOptIn": "sms", "emailOptIn": "email"}


@dataclass(frozen=True)
class Mention:
    """An address in a call: the flat trait (None: it was null) or in the map, with its flag."""

    event: Event
    kind: str
    address: str | None
    flat: bool
    flag: bool | None = None


def mentions(event: Event) -> list[Mention]:
    if event.type != "identify":
        return []
    found = []
    for kind, (flat, several) in _FLAT_AND_MAP.items():
        if flat in event.traits:
            value = event.traits[flat]
            usable = address(kind, value)
            if value is None or usable:
                found.append(Mention(event, kind, usable, flat=True))
        entries = event.traits.get(several)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            usable = address(kind, name)
            if usable:
                flag = entry.get("isPrimary") if isinstance(entry, dict) else None
                found.append(
                    Mention(
                        event,
                        kind,
                        usable,
                        flat=False,
                        flag=flag if isinstance(flag, bool) else None,
                    )
                )
    return found


def known_since(found: Iterable[Mention], kind: str) -> dict[str, int]:
    """Every address of a kind with the first event time at which it was known."""
    since: dict[str, int] = {}
    for mention in found:
        if mention.kind == kind and mention.address:
            since[mention.address] = min(
                mention.event.time, since.get(mention.address, mention.event.time)
            )
    return since


def primary(found: Iterable[Mention], kind: str, at: int | None = None) -> str | None:
    """Rule 15, by what has an event time up to `at`."""
    seen = [
        mention
        for mention in found
        if mention.kind == kind and (at is None or mention.event.time <= at)
    ]
    claims: list[tuple[int, bool, str, str | None]] = [
        (mention.event.time, False, mention.event.message_id, mention.address)
        for mention in seen
        if mention.flat
    ]
    for number in known_since(seen, kind):
        flags = [
            mention for mention in seen if mention.address == number and mention.flag is not None
        ]
        if flags:
            newest = max(
                flags,
                key=lambda mention: (
                    mention.event.time,
                    mention.event.message_id,
                    not mention.flag,
                ),
            )
            if newest.flag:
                claims.append((newest.event.time, True, newest.event.message_id, number))
    if claims:
        best = max(claim[:3] for claim in claims)
        numbers = [claim[3] for claim in claims if claim[:3] == best]
        named = [number for number in numbers if number is not None]
        return min(named) if named else None
    since = known_since(seen, kind)
    return min(since, key=lambda number: (since[number], number)) if since else None


@dataclass
class Waiting:
    """An opt-in that has no address yet."""

    event: Event
    channel: str
    timestamp: int


@dataclass
class Remembered:
    """An opt-out of a person: it also holds for addresses that become known later."""

    event: Event
    channel: str
    timestamp: int
    first_ones: bool  # there was no address: the first ones that come


@dataclass
class Consent:
    book: Rulebook
    people: People
    taken: list[Event]
    ledger: dict[tuple[str, str], set[tuple[int, bool]]] = field(
        default_factory=dict
    )  # (timestamp, is an opt-out)
    waiting: list[Waiting] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)  # messageId, reason

    def mentions(self, person: Person) -> list[Mention]:
        return [
            mention
            for event in self.taken
            if self.people.person(event) == person
            for mention in mentions(event)
        ]

    def subscribed(self, number: str, channel: str) -> bool:
        """Rule 12: the newest wins, an opt-out wins a tie."""
        said = self.said_of(number, channel)
        return bool(said) and not max(said)[1]

    def said_of(self, number: str, channel: str) -> set[tuple[int, bool]]:
        """When something was said, and whether it was an opt-out."""
        return self.ledger.get((number, channel), set())

    def say(self, number: str, channel: str, timestamp: int, *, out: bool) -> None:
        self.ledger.setdefault((number, channel), set()).add((timestamp, out))

    # -- taking an event

    def take(self, event: Event) -> None:
        """An event that is in `taken` and has its person."""
        self._arrive(event)
        self._entries(event, named_only=False)
        self._consent_events(event, named_only=False)
        self.spread()

    def take_nameless(self, event: Event) -> None:
        """Without an id or of an erased one: opt-outs count for the address that they name."""
        self._entries(event, named_only=True)
        self._consent_events(event, named_only=True)

    def give(self, event: Event) -> None:
        """What is given, without question."""
        for channel, entry in event.opt_ins.items():
            said = entry if isinstance(entry, dict) else {"timestamp": entry}
            number = primary(mentions(event), CHANNELS[channel])
            if number:
                self.say(
                    number,
                    channel,
                    instant(said.get("timestamp")) or event.time,
                    out=said.get("subscribed", True) is False,
                )

    def _arrive(self, event: Event) -> None:
        """Addresses that come: opt-ins that waited for one under this id get it (rule 14)."""
        for kind in KINDS:
            number = primary(mentions(event), kind)
            for opt_in in list(self.waiting) if number else []:
                if (
                    CHANNELS[opt_in.channel] == kind
                    and opt_in.event.own == event.own
                    and event.log - opt_in.event.log <= DAY
                    and event.time <= opt_in.event.time + SKEW
                ):
                    self.waiting.remove(opt_in)
                    assert number
                    self.say(number, opt_in.channel, opt_in.timestamp, out=False)

    def _entries(self, event: Event, named_only: bool) -> None:
        if event.type != "identify":
            return
        entries = event.traits.get("optIn")
        for entry in (
            [entries] if isinstance(entries, dict) else entries if isinstance(entries, list) else []
        ):
            self._entry(event, entry, None, named_only)
        for kind, (_, several) in _FLAT_AND_MAP.items():
            numbers = event.traits.get(several)
            for name, values in numbers.items() if isinstance(numbers, dict) else ():
                for field_, channel in _MAP_OPT_INS.items():
                    number = address(kind, name)
                    if (
                        number
                        and CHANNELS[channel] == kind
                        and isinstance(values, dict)
                        and isinstance(values.get(field_), dict)
                    ):
                        self._entry(
                            event, {**values[field_], "channel": channel}, number, named_only
                        )

    def _entry(self, event: Event, entry: Any, number: str | None, named_only: bool) -> None:
        channel = str(entry.get("channel")).strip().lower() if isinstance(entry, dict) else ""
        subscribed = (
            {True: True, False: False, "true": True, "false": False}.get(
                _key(entry.get("subscribed"))
            )
            if channel
            else None
        )
        if channel not in CHANNELS or subscribed is None:
            self.ignored.append((event.message_id, "unclear"))
            return
        kind = CHANNELS[channel]
        timestamp = instant(entry.get("timestamp"))
        own_call = event.traits.get(kind)
        number = number or address(kind, own_call)
        if not subscribed:
            timestamp = (
                event.time
                if timestamp is None
                else event.log
                if timestamp > event.log + SKEW
                else timestamp
            )
            if not number and not named_only:
                number = primary(self.mentions(self.people.person(event)), kind, event.time)
            if number:
                self.say(number, channel, timestamp, out=True)
            elif not named_only:
                self._opt_out_person(event, channel, timestamp)
        elif not named_only:
            if timestamp is None:
                self.ignored.append((event.message_id, "without_timestamp"))
            elif timestamp > event.log + SKEW:
                self.ignored.append((event.message_id, "in_future"))
            elif not entry.get("ip") and not event.context.get("ip"):
                self.ignored.append((event.message_id, "without_ip"))
            elif own_call is not None and not number:
                self.ignored.append(
                    (event.message_id, "without_address")
                )  # its own call names one that is none
            else:
                self._opt_in(event, channel, timestamp, number)

    def _consent_events(self, event: Event, named_only: bool) -> None:
        if event.type != "track":
            return
        for rule in self.book.consent:
            if rule.event != event.name:
                continue
            own = instant(event.properties.get("timestamp"))
            for channel in rule.channels:
                named_value = event.properties.get(CHANNELS[channel])
                named = address(CHANNELS[channel], named_value)
                if not rule.subscribed:
                    cut = event.log if own is not None and own > event.log + SKEW else own
                    timestamp = event.time if cut is None else max(cut, event.time)
                    if named:
                        self.say(named, channel, timestamp, out=True)
                    if not named_only:
                        self._opt_out_person(event, channel, timestamp)
                elif named_only:
                    continue
                elif own is not None and own > event.log + SKEW:
                    self.ignored.append((event.message_id, "in_future"))
                elif named_value is not None and not named:
                    self.ignored.append((event.message_id, "without_address"))
                else:
                    self._opt_in(event, channel, event.time if own is None else own, named)

    def _opt_in(self, event: Event, channel: str, timestamp: int, number: str | None) -> None:
        number = number or primary(
            self.mentions(self.people.person(event)), CHANNELS[channel], event.time
        )
        if number:
            self.say(number, channel, timestamp, out=False)
        else:
            self.waiting.append(Waiting(event, channel, timestamp))

    def _opt_out_person(self, event: Event, channel: str, timestamp: int) -> None:
        known = known_since(self.mentions(self.people.person(event)), CHANNELS[channel])
        for number in known:
            self.say(number, channel, timestamp, out=True)
        self.remembered.append(Remembered(event, channel, timestamp, first_ones=not known))

    def spread(self) -> None:
        """Opt-outs that are remembered reach the addresses that became known."""
        for opt_out in self.remembered:
            known = known_since(
                self.mentions(self.people.person(opt_out.event)), CHANNELS[opt_out.channel]
            )
            for number, since in known.items():
                if opt_out.first_ones or since <= opt_out.timestamp:
                    self.say(number, opt_out.channel, opt_out.timestamp, out=True)
            if known:
                opt_out.first_ones = False

    # -- erasure

    def erase(self, person: Person) -> None:
        """Before the person's events are removed: of its addresses only opt-outs stay."""
        theirs = {mention.address for mention in self.mentions(person)}
        for (number, channel), said in self.ledger.items():
            if number in theirs:
                self.ledger[number, channel] = {entry for entry in said if entry[1]}
        self.waiting = [item for item in self.waiting if self.people.person(item.event) != person]
        self.remembered = [
            item for item in self.remembered if self.people.person(item.event) != person
        ]


def _key(value: Any) -> Any:
    """1 and 0 are no booleans here, though Python says they equal them."""
    return value if isinstance(value, bool | str) else None
