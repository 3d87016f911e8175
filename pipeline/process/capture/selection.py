"""Which events of a history belong to one person, with what others did to their waits.

Whole are taken: everything under the person's ids (userIds, the devices they used, what an alias
joined), others' starts and cancels of a `match: key` journey under one of their keys. Only as far
as needed: of another user on one of their devices that they used it; of who shares a phone or
email what they say of addresses and consent, and all they do where a cooldown or a limit counts
what goes to the address.

The ids are found out on the way, so a history is read until nothing new is found.
"""

from collections import Counter
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from pipeline.domain.events import Details, Event, Source
from pipeline.domain.ids import at_path, key_text, usable_id
from pipeline.domain.profile import KINDS
from pipeline.domain.rules import Journey, Rulebook
from pipeline.process.capture.sieve import Sieve
from pipeline.process.history import Happened
from pipeline.wire.contact_points import read_email, read_phone
from pipeline.wire.segment import decode

History: TypeAlias = Callable[[], AsyncIterable[Happened]]
"""Begins the history anew."""

Share: TypeAlias = Literal["own", "key", "device", "address"]

READS_MAX: Final = 20
"""An alias may lead to the next; that far nobody's goes."""
SHARERS_MAX: Final = 20
"""People who share an address; a number that a form fills in for everybody has no end."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An event and the log time at which it was taken; of others only what is needed of it."""

    at: int
    event: Event


@dataclass(slots=True)
class Selection:
    """What was found. `left_out` counts, by what it is, what was not taken."""

    events: list[Taken] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    last: int | None = None
    """Log time of the history's last record, whoever's it is."""


async def select(
    history: History,
    id_: str,
    rulebook: Rulebook,
    *,
    region: str = "US",
    begin: int | None = None,
    end: int | None = None,
) -> Selection:
    """Everything that belongs to a userId, anonymousId, phone or email up to `end` (log time).

    What came before `begin` only tells who they are: starts of journeys are left out. Empty where
    nothing is theirs.
    """
    circle = _Circle.around(id_, rulebook, region)
    found, before = Selection(), 0
    for _ in range(READS_MAX):
        if before == (before := circle.size()):
            break
        found = await _read(history, circle, region, begin, end)
    return found


async def _read(
    history: History, circle: "_Circle", region: str, begin: int | None, end: int | None
) -> Selection:
    found = Selection()
    sieve = circle.sieve()
    async for happened in history():
        if end is not None and happened.at > end:
            break
        found.last = happened.at
        if happened.value is None or not sieve.may_hold(happened.value):
            continue
        place = Source(*(happened.place or ("segment.raw", 0, 0)))
        time = happened.kafka_time or happened.at
        for event in decode(happened.value, place, time, region).events:
            _take(circle, event, happened.at, begin, found)
    return found


def _take(circle: "_Circle", event: Event, at: int, begin: int | None, found: Selection) -> None:
    share = circle.share(event)
    if share is None:
        return
    if begin is not None and at < begin and circle.starts(event):
        found.left_out["starts of before"] += 1
        return
    part = event
    if share == "device" and event.type != "alias":
        part = _of_device(event)
        found.left_out["what others did on a device"] += part != event
    elif share == "address":
        part = circle.of_address(event)
        found.left_out["what others told of themselves"] += part != event
    found.events.append(Taken(at, part))


def _of_device(event: Event) -> Event:
    """That somebody used a device, and nothing else."""
    return event._replace(
        type="identify",
        name="",
        details=Details({}, {}),
        traits={},
        addresses=(),
        opt_ins=(),
        named={},
        previous_id=None,
    )


@dataclass(slots=True)
class _Circle:
    """Who belongs together. `joined` are devices whose users are the person, not guests."""

    rulebook: Rulebook
    users: set[str]
    devices: set[str]
    joined: set[str]
    addresses: set[str]
    asked: set[str]
    keys: set[tuple[str, str]] = field(default_factory=set)
    sharers: set[str] = field(default_factory=set)

    @classmethod
    def around(cls, id_: str, rulebook: Rulebook, region: str) -> "_Circle":
        asked = {a for a in (read_phone(id_, region), read_email(id_)) if a is not None}
        return cls(rulebook, {id_}, {id_}, {id_}, set(asked), asked)

    def size(self) -> int:
        ids = len(self.users) + len(self.devices) + len(self.joined) + len(self.sharers)
        return ids + len(self.addresses) + len(self.keys)

    def sieve(self) -> Sieve:
        """Lets through what may belong to them; more than that does no harm."""
        ids = self.users | self.devices | self.sharers
        return Sieve(ids | {key for _, key in self.keys}, addresses=bool(self.addresses))

    def share(self, event: Event) -> Share | None:
        """As what an event belongs here; the circle grows by what it tells."""
        user, device = self._usable(event.user_id), self._usable(event.anonymous_id)
        if self._is_own(event, user, device):
            self._learn(event, user, device)
            return "own"
        if any(key in self.keys for key in _keys(self.rulebook, event)):
            return "key"
        ids = (user, device, event.previous_id)
        others = {id_ for id_ in ids if id_ is not None} - self.devices
        shared = self._shared(event, others)
        if user is not None and device in self.devices:
            return shared or "device"
        return shared

    def _is_own(self, event: Event, user: str | None, device: str | None) -> bool:
        if event.type == "alias" and event.previous_id in self.users | self.devices:
            return True
        if user is not None:
            return user in self.users or device in self.joined or self._is_asked(event)
        return device in self.devices or self._is_asked(event)

    def _is_asked(self, event: Event) -> bool:
        """Who was asked for by phone or email is whoever stated it of themselves."""
        return bool(self.asked) and any(fact.value in self.asked for fact in event.addresses)

    def _learn(self, event: Event, user: str | None, device: str | None) -> None:
        if user is not None:
            self.users.add(user)
        if device is not None:
            self.devices.add(device)
        if event.type == "alias" and event.previous_id is not None:
            self.users.add(event.previous_id)
            self.devices.add(event.previous_id)
            self.joined.add(event.previous_id)
        self.addresses |= {fact.value for fact in event.addresses if fact.value is not None}
        self.keys |= _keys(self.rulebook, event, starts_only=True)

    def _shared(self, event: Event, ids: set[str]) -> Share | None:
        """Of who shares an address, under any of the ids that a device or an alias joined."""
        consents = bool(self.rulebook.consent_rules(event))
        stated = {fact.value for fact in event.addresses}
        named = set(event.named.values()) if consents else set()
        if stated & self.addresses or ids & self.sharers:
            self.sharers |= ids if len(self.sharers) < SHARERS_MAX else set()
        if not ids & self.sharers:
            return "address" if named & self.addresses else None
        if consents or stated or event.opt_ins or self._counts_all():
            return "address"
        return "device" if len(ids) > 1 else None

    def _counts_all(self) -> bool:
        """Whether anything that went to an address closes it for others."""
        steps = (step for journey in self.rulebook.journeys for step in journey.steps)
        calling = self.rulebook.calling
        return any(step.cooldown for step in steps) or bool(calling and calling.limits)

    def of_address(self, event: Event) -> Event:
        """What it says of addresses and consent; all of it where that is counted."""
        if self._counts_all() or event.type != "identify":
            return event
        traits: dict[str, object] = {
            kind: event.traits[kind] for kind in KINDS if kind in event.traits
        }
        return event._replace(traits=traits, details=Details(event.properties, _ip_of(event)))

    def starts(self, event: Event) -> bool:
        """Whether it opens waits, conditions left aside."""
        journeys = self.rulebook.journeys_of(event)
        return any(pattern.names(event) for each in journeys for pattern in each.start)

    def _usable(self, id_: str | None) -> str | None:
        return None if id_ is None else usable_id(id_, self.rulebook.refused)


def _ip_of(event: Event) -> dict[str, object]:
    return {"ip": event.context["ip"]} if "ip" in event.context else {}


def _keys(rulebook: Rulebook, event: Event, *, starts_only: bool = False) -> set[tuple[str, str]]:
    """Under which keys it counts for `match: key` journeys, conditions left aside."""
    found = set()
    for journey in rulebook.journeys_of(event):
        patterns = journey.start if starts_only else journey.start + journey.unless
        if journey.match == "key" and any(pattern.names(event) for pattern in patterns):
            key = _key(journey, event)
            if key is not None:
                found.add((journey.name, key))
    return found


def _key(journey: Journey, event: Event) -> str | None:
    roots = {"properties": event.properties, "context": event.context}
    return key_text(at_path(roots, journey.key))
