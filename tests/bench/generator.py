"""Segment events as a lender's site and servers send them, and what must come of them.

Each person lives a story of some twenty calls of about 900 bytes: pages and clicks, six in ten from
a browser (anonymousId, before the identify call alone, after it with the userId), the others from a
server (userId alone); one person in two has a loan approved. The same seed gives the same calls.
"""

import random
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

import orjson

from pipeline.domain.times import format_instant
from tests.bench.job import APPROVED, SIGNED, SUPPORT, WAIT, Json

NOISE: Final = 17
"""Pages and clicks of one person."""
CALLS: Final = NOISE + 2.1
"""Calls of one person, on average."""
BUSY: Final = 0.8
"""What a person does is done within this share of the wait: far from the deadline."""
_PAGES: Final = ("Home", "Pricing", "Calculator", "Rates", "Documents", "Help", "Account")
_CLICKS: Final = ("Calculator Used", "Rate Viewed", "Document Opened", "Button Clicked")
_AGENT: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/126.0.0.0 Safari/537.36"
)


class Call(NamedTuple):
    """One raw record, to be sent so many seconds after the begin."""

    due: float
    key: str
    value: bytes


class Ready(NamedTuple):
    """A trigger that must come, and when it can at the earliest, in seconds after the begin."""

    user: str
    phone: str
    at: float
    by: str
    """`deadline`, or `event` where that had passed when the last relevant event was sent."""


@dataclass
class Load:
    """Calls in order of sending, and what must come of them."""

    calls: list[Call] = field(default_factory=list)
    contacts: dict[str, str] = field(default_factory=dict)
    """Phone by userId."""
    optins: dict[str, str] = field(default_factory=dict)
    """Status by `phone|voice`."""
    triggers: dict[str, Ready] = field(default_factory=dict)
    """By loan."""
    identified: dict[str, float] = field(default_factory=dict)
    """When the call was sent that makes a contact of somebody, by userId."""
    forgotten: int = 0
    """Calls that were sent and are not kept."""

    @property
    def count(self) -> int:
        """How many calls it has, or had."""
        return self.forgotten + len(self.calls)

    def forget(self) -> None:
        """Keep no calls: a million of them are a gigabyte."""
        self.forgotten += len(self.calls)
        self.calls.clear()

    def take(self, other: Self) -> None:
        """What must come of another load, too."""
        self.forgotten += other.count
        self.contacts |= other.contacts
        self.optins |= other.optins
        self.triggers |= other.triggers
        self.identified |= other.identified


@dataclass(frozen=True, slots=True)
class Pace:
    """When a load begins (ms), how long people keep coming (s), how long a wait is (s).

    `belated` is the share of approvals that are sent when their deadline has passed.
    """

    begin: int
    span: float
    wait: float = WAIT
    belated: float = 0.0

    @property
    def length(self) -> float:
        """Seconds from the first call to the last."""
        return self.span + 2 * BUSY * self.wait + 1.0


def make(events: int, pace: Pace, seed: int = 1, first: int = 0) -> Load:
    """About so many events, of people who are numbered from `first` on."""
    load = Load()
    chance = random.Random(f"{seed}.{first}")
    people = max(1, round(events / CALLS))
    for number in range(people):
        begin = pace.span * number / people
        Story(load, pace, chance, first + number, begin).tell()
    load.calls.sort(key=lambda call: call.due)
    return load


class Story:
    """One person who is new."""

    def __init__(
        self, load: Load, pace: Pace, chance: random.Random, number: int, begin: float
    ) -> None:
        self.load, self.pace, self.chance, self.begin = load, pace, chance, begin
        self.user = f"u{number:07d}"
        self.loan = f"L-{self.user}"
        self.busy = BUSY * pace.wait
        self.phone = f"+1{201 + number // 10**6}{2_000_000 + number % 10**6:07d}"
        self.web = chance.random() < 0.6
        self.device = f"{chance.getrandbits(128):032x}" if self.web else None

    def tell(self) -> None:
        """Put all their calls into the load, and what must come of them."""
        chance, begin = self.chance, self.begin
        late = self.web and chance.random() < 0.4
        identified = begin + (chance.random() * self.busy if late else 0.0)
        opted = chance.choices(["in", "taken back", "out", "unsaid"], (75, 10, 5, 10))[0]
        self._identify(identified, "out" if opted == "out" else opted != "unsaid" and "in")
        for _ in range(NOISE):
            self.browse(begin + chance.random() * self.busy, identified)
        asked = chance.random() < 0.1
        if asked:
            self._track(begin + chance.random() * self.busy, identified, SUPPORT, {"topic": "loan"})
        if opted == "taken back":
            left = begin + self.busy - identified  # before any deadline: it would fire, and retract
            self._identify(identified + 0.1 + chance.random() * left, "out")
        if opted != "unsaid":
            status = "subscribed" if opted == "in" else "unsubscribed"
            self.load.optins[f"{self.phone}|voice"] = status
        if chance.random() < 0.5:
            self.approved(identified, wanted=opted == "in" and not asked)
        self.load.contacts[self.user] = self.phone
        self.load.identified[self.user] = identified

    def approved(self, identified: float, *, wanted: bool) -> None:
        """A loan; `wanted`: whether its person may be called."""
        chance, loan = self.chance, self.loan
        properties: Json = {"loanId": loan, "amount": chance.randrange(5, 60) * 1_000, "term": 36}
        sent = at = self.begin + chance.random() * self.busy
        signed = chance.random() < 0.6
        if not signed and chance.random() < self.pace.belated:
            sent = self.begin + 2 * self.busy + 1.0  # all else that counts was sent before
            at = sent - self.pace.wait - 1.0
        self._track(sent, identified, APPROVED, properties, at)
        if signed:
            self._track(at + 0.1 + chance.random() * self.busy, identified, SIGNED, properties)
        elif wanted:
            deadline = at + self.pace.wait
            by = "event" if sent > deadline else "deadline"
            ready = max(sent, deadline)
            self.load.triggers[loan] = Ready(self.user, self.phone, ready, by)

    def browse(self, at: float, identified: float) -> None:
        """A page or a click."""
        if self.chance.random() < 0.6:
            page = self.chance.choice(_PAGES)
            self._send(at, identified, {"type": "page", "name": page, "properties": _page(page)})
        else:
            properties = {"label": "apply-now", "position": self.chance.randrange(20)}
            self._track(at, identified, self.chance.choice(_CLICKS), properties)

    def _track(
        self,
        at: float,
        identified: float,
        event: str,
        properties: Json,
        happened: float | None = None,
    ) -> None:
        call = {"type": "track", "event": event, "properties": properties}
        self._send(at, identified, call, happened)

    def _identify(self, at: float, opted: str | bool) -> None:
        traits: Json = {
            "phone": self.phone,
            "email": f"{self.user}@example.com",
            "firstName": "Rebecca",
            "lastName": "Greene",
            "address": {"city": "New York", "state": "NY", "postalCode": "10128"},
        }
        if opted:
            entry = {"channel": "voice", "subscribed": opted == "in", "source": "booking_flow"}
            said = format_instant(self.pace.begin + int(at * 1000))
            traits["optIn"] = [entry | {"timestamp": said, "ip": "203.0.113.7"}]
        self._send(at, at, {"type": "identify", "traits": traits})

    def _send(
        self, at: float, identified: float, call: Json, happened: float | None = None
    ) -> None:
        if at >= identified or not self.web:
            call["userId"] = self.user
        if self.device:
            call["anonymousId"] = self.device
        sent = format_instant(self.pace.begin + int(at * 1000))
        when = self.pace.begin + int((at if happened is None else happened) * 1000)
        page = self.chance.choice(_PAGES)
        call |= {
            "messageId": f"ajs-next-{self.chance.getrandbits(128):032x}",
            "timestamp": format_instant(when),
            "sentAt": sent,
            "receivedAt": sent,
            "context": {
                "ip": "203.0.113.7",
                "locale": "en-US",
                "timezone": "America/New_York",
                "userAgent": _AGENT,
                "library": {"name": "analytics.js", "version": "npm:next-1.70.0"},
                "page": _page(page),
            },
            "integrations": {},
        }
        key = self.device or self.user
        self.load.calls.append(Call(at, key, orjson.dumps(call)))


def _page(name: str) -> Json:
    path = f"/loans/{name.lower()}"
    return {
        "path": path,
        "referrer": "https://www.example.com/",
        "search": "?utm_source=newsletter",
        "title": f"{name} | Example Lending",
        "url": f"https://www.example.com{path}",
    }
