"""Load whose results are known by construction, with margins larger than any lag.

Each person starts a loan (match: key) and an application (match: person) under one of a few
stories; what ends a wait is sent at most a second after what began it, long before the deadline.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from pipeline.domain.ids import trigger_id
from pipeline.domain.times import format_instant

Json = dict[str, Any]

LOAN: Final = "approved-not-signed"
APP: Final = "started-not-finished"
CANARIES: Final = (
    "Zebulonia",
    "Quetzalcoat",
    "@canary.example",
    "+1212",
    "1212200",
    "203.0.113.77",
)
"""First name, last name, email, phone and ip of everybody begin, end or go so."""
LONG_AGO: Final = 30 * 86_400_000


def rulebook(after: str) -> dict[str, str]:
    """The files of a rulebook whose deadlines are `after`."""
    steps = "{after: %s, channel: %s, expires: 1h, include: [traits.firstName]}"
    return {
        "consent.yaml": "events:\n"
        "  - {event: Unsubscribed, channels: [sms, voice], subscribed: false}\n",
        f"journeys/{LOAN}.yaml": f"journey: {LOAN}\nversion: 1\nkey: properties.loanId\n"
        "match: key\nstart: {event: Approved, where: properties.amount >= 5000}\n"
        "unless: [{event: Signed}]\nlookback: 1h\n"
        f"steps:\n  - {steps % (after, 'voice')}\n",
        f"journeys/{APP}.yaml": f"journey: {APP}\nversion: 1\nkey: properties.appId\n"
        "start: {event: Started}\nunless: [{event: Finished}]\nlookback: 1h\n"
        f"steps:\n  - {steps % (after, 'sms')}\n",
    }


class Wait(NamedTuple):
    """What must become of one wait."""

    outcome: str
    reason: str | None = None
    trigger: str | None = None
    to: str | None = None
    user: str | None = None


class Sending(NamedTuple):
    """A record to write, so many seconds after the begin. `at` is its place in event time."""

    due: float
    key: bytes | None
    calls: list[Json]
    at: list[float]

    def value(self, begin: int) -> bytes:
        made = [
            call | {"timestamp": format_instant(begin + int(at * 1000))}
            for call, at in zip(self.calls, self.at, strict=True)
        ]
        for call in made:
            _fill(call, begin)
        return orjson.dumps(made[0] if len(made) == 1 else {"batch": made})


def _fill(call: Json, begin: int) -> None:
    traits = call.get("traits")
    if traits and "optIn" in traits:
        given = format_instant(begin - LONG_AGO)
        entries = [entry | {"timestamp": given} for entry in traits["optIn"]]
        call["traits"] = traits | {"optIn": entries}


@dataclass
class Load:
    """Records in order of sending, and what must come of them."""

    sendings: list[Sending] = field(default_factory=list)
    waits: dict[tuple[str, str], Wait] = field(default_factory=dict)

    @property
    def fired(self) -> set[str]:
        return {wait.trigger for wait in self.waits.values() if wait.trigger}

    def calls(self) -> int:
        return sum(len(sending.calls) for sending in self.sendings)


def make(people: int, seconds: float, seed: int = 1, name: str = "u") -> Load:
    """So many people, the last of whom begins `seconds` after the first."""
    rng = random.Random(seed)
    load = Load()
    for number in range(people):
        story = _Story(f"{name}{number}", number, number * seconds / people, rng, load)
        STORIES[number % len(STORIES)](story)
    load.sendings.sort(key=lambda sending: sending.due)
    return load


class _Story:
    """One person. Times are seconds after the person's own begin."""

    def __init__(self, user: str, number: int, begin: float, rng: random.Random, load: Load):
        self.user, self.device, self.number = user, f"device-{user}", number
        self.phone = f"+1212{2_000_000 + number}"
        self.loan, self.app = f"L-{user}", f"A-{user}"
        self._begin, self._rng, self._load, self._count = begin, rng, load, 0

    def send(self, at: float, *calls: Json) -> None:
        due = self._begin + at
        who = str(calls[0].get("userId") or calls[0].get("anonymousId"))
        key = self._rng.choice([None, None, who.encode(), b"fixed"])
        self._load.sendings.append(Sending(due, key, list(calls), [due] * len(calls)))

    def again(self, later: float) -> None:
        """All that was sent so far once more: a producer's retry."""
        own = [
            s for s in self._load.sendings if s.calls[0]["messageId"].startswith(self.user + ".")
        ]
        self._load.sendings += [s._replace(due=s.due + later, key=None) for s in own]

    def _message(self) -> str:
        self._count += 1
        return f"{self.user}.{self._count}"

    def identify(self, user: str = "", *, anonymous: bool = False, opted: bool = True) -> Json:
        entry = {"subscribed": True, "ip": "203.0.113.77", "source": "form"}
        traits: Json = {
            "phone": self.phone,
            "email": f"{self.user}@canary.example",
            "firstName": f"Zebulonia{self.number}",
            "lastName": f"Quetzalcoat{self.number}",
        }
        if opted:
            traits["optIn"] = [{"channel": channel, **entry} for channel in ("voice", "sms")]
        ids = {"anonymousId": self.device} if anonymous else {}
        return self._call("identify", user or self.user, traits=traits, **ids)

    def track(self, event: str, user: str = "", **properties: Any) -> Json:
        return self._call("track", user or self.user, event=event, properties=properties)

    def alone(self, event: str, **properties: Any) -> Json:
        """Of the device, without the person."""
        call = self.track(event, **properties)
        del call["userId"]
        return call | {"anonymousId": self.device}

    def _call(self, kind: str, user: str, **more: Any) -> Json:
        return {"type": kind, "userId": user, "messageId": self._message(), **more}

    def starts(self, at: float, user: str = "") -> tuple[Json, Json]:
        loan = self.track("Approved", user, loanId=self.loan, amount=30000)
        app = self.track("Started", user, appId=self.app)
        self.send(at, loan)
        self.send(at, app)
        return loan, app

    def ends(self, at: float, user: str = "", signer: str = "") -> None:
        self.send(at, self.track("Signed", signer or user, loanId=self.loan))
        self.send(at, self.track("Finished", user, appId=self.app))

    def gives(self, outcome: str, reason: str | None = None) -> None:
        for journey, key in ((LOAN, self.loan), (APP, self.app)):
            self._load.waits[journey, key] = Wait(outcome, reason)

    def fires(self, loan: Json, app: Json, user: str = "") -> None:
        for journey, key, start in ((LOAN, self.loan, loan), (APP, self.app, app)):
            own = start.get("userId") or start["anonymousId"]
            trigger = trigger_id(journey, own, start["messageId"], 1)
            self._load.waits[journey, key] = Wait(
                "fired", None, trigger, self.phone, user or self.user
            )


def _plain(story: _Story) -> None:
    story.send(0, story.identify())
    story.fires(*story.starts(0.2))


def _signed(story: _Story) -> None:
    story.send(0, story.identify())
    story.starts(0.2)
    story.ends(0.9)
    story.gives("cancelled", "cancelled")


def _anonymous(story: _Story) -> None:
    """Known only after the start."""
    loan = story.alone("Approved", loanId=story.loan, amount=30000)
    app = story.alone("Started", appId=story.app)
    story.send(0, loan)
    story.send(0.1, app)
    story.send(0.8, story.identify(anonymous=True))
    story.fires(loan, app)


def _back_office(story: _Story) -> None:
    story.send(0, story.identify())
    story.starts(0.2)
    story.ends(0.7, signer=f"office-{story.number % 7}")
    story.gives("cancelled", "cancelled")


def _twice(story: _Story) -> None:
    story.send(0, story.identify())
    story.fires(*story.starts(0.2))
    story.again(0.5)


def _anonymous_signed(story: _Story) -> None:
    story.send(0, story.alone("Approved", loanId=story.loan, amount=30000))
    story.send(0.1, story.alone("Started", appId=story.app))
    story.send(0.5, story.identify(anonymous=True))
    story.send(0.9, story.alone("Signed", loanId=story.loan))
    story.send(0.9, story.track("Finished", appId=story.app))
    story.gives("cancelled", "cancelled")


def _opted_out(story: _Story) -> None:
    story.send(0, story.identify())
    story.starts(0.2)
    story.send(0.8, story.track("Unsubscribed"))
    story.gives("suppressed", "opted_out")


def _signed_twice(story: _Story) -> None:
    _signed(story)
    story.again(0.4)


def _never_opted_in(story: _Story) -> None:
    story.send(0, story.identify(opted=False))
    story.starts(0.2)
    story.gives("suppressed", "no_consent")


def _alias(story: _Story) -> None:
    old = f"old-{story.user}"
    story.send(0, story.identify(old))
    loan, app = story.starts(0.2, old)
    story.send(0.6, story._call("alias", story.user, previousId=old))
    story.fires(loan, app)


def _alias_signed(story: _Story) -> None:
    _alias(story)
    story.ends(1.0)
    story.gives("cancelled", "cancelled")


def _batch(story: _Story) -> None:
    loan = story.track("Approved", loanId=story.loan, amount=30000)
    app = story.track("Started", appId=story.app)
    story.send(0, story.identify(), loan, app)
    story.fires(loan, app)


STORIES: Final = (
    _plain, _signed, _anonymous, _back_office, _twice, _anonymous_signed,
    _opted_out, _signed_twice, _never_opted_in, _alias_signed, _batch, _signed, _alias,
)  # fmt: skip


def signatures(load: Load) -> Iterator[tuple[str, Json]]:
    """Of every loan that fired: its trigger, and a signature that comes after it."""
    for (journey, key), wait in load.waits.items():
        if journey == LOAN and wait.trigger:
            call = {"type": "track", "userId": wait.user, "event": "Signed"}
            yield wait.trigger, call | {"messageId": f"late-{key}", "properties": {"loanId": key}}
