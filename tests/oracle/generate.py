"""Small, nasty histories from a seed: `generate(seed, profile)` gives a rulebook and a case.

Few ids, keys, phones and instants, so that ties, collisions and late arrivals are frequent. A
profile leaves features out, so that a difference can be placed: "waits" (one person a phone, no
links), "consent" (addresses and opt-ins, no links), "identity" (devices, links, aliases),
"everything" (also erasures). What the contract leaves open (AMBIGUITIES.md) is mostly avoided.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import Any

from tests.oracle.generate_steps import StepKeys
from tests.oracle.times import MINUTE, instant, text

Record = dict[str, Any]
PROFILES = ("waits", "consent", "identity", "everything")

_BASE = instant("2026-03-03T15:00:00Z") or 0
_GRID = 10 * MINUTE
_PHONES = ["+12125550100", "+12125550101", "+12125550102", "+12125550103"]
_EMAILS = ["a@example.com", "B@example.com", "c@example.com"]
_USERS = ["u1", "u2", "u3"]
_DEVICES = ["a1", "a2", "a3"]
_KEYS: list[Any] = ["L1", "L1", "L1", "L2", "L2", 7, "7", 7.0, None, " ", True]


def generate(seed: int, profile: str = "everything") -> tuple[Record, Record]:
    steps = StepKeys(random.Random(f"{profile}:{seed}:steps"), _BASE, _GRID)
    return _Generator(random.Random(f"{profile}:{seed}"), profile, seed, steps).make()


@dataclass
class _Generator:
    rng: random.Random
    profile: str
    seed: int
    steps: StepKeys

    def make(self) -> tuple[Record, Record]:
        rng = self.rng
        self.links = self.profile in ("identity", "everything")
        self.talks = self.profile in (
            "consent",
            "everything",
        )  # of phones and opt-ins in the course of events
        self.shared = self.talks and rng.random() < 0.5
        self.cooldown = not self.shared and rng.random() < 0.4
        self.users = _USERS[: rng.choice([1, 2, 2, 3])]
        self.devices = _DEVICES[: rng.choice([1, 2, 2, 3])] if self.links else []
        book: Record = {
            "journeys": [self._journey(n) for n in range(1, rng.choice([1, 1, 2, 3]) + 1)]
        }
        book["consent"] = {
            "events": [
                {
                    "event": "Opted In",
                    "channels": rng.choice([["voice"], ["voice", "sms"]]),
                    "subscribed": True,
                },
                {
                    "event": "Unsubscribed",
                    "channels": rng.choice([["voice"], ["sms", "voice"], ["voice", "email"]]),
                    "subscribed": False,
                },
            ]
        }
        if self.links and rng.random() < 0.15:
            book["identity"] = {"alias": "ignore"}
        case: Record = {
            "name": f"{self.profile} {self.seed}",
            "events": self._events(),
            "until": text(_BASE + 60 * 60 * MINUTE),
        }
        if not self.links and rng.random() < 0.8:
            case["given"] = {
                user: {
                    "phone": rng.choice(_PHONES) if self.shared else _PHONES[_USERS.index(user)],
                    "email": _EMAILS[_USERS.index(user)],
                    "traits": {"state": rng.choice(["NY", "TX"])},
                    "optIn": {
                        channel: "2026-01-01T00:00:00.000Z"
                        for channel in ("voice", "sms", "email")
                        if rng.random() < 0.85
                    },
                }
                for user in self.users
                if rng.random() < 0.85
            }
        return book, case

    # -- journeys

    def _journey(self, number: int) -> Record:
        rng = self.rng
        journey: Record = {"journey": f"j{number}", "version": 1}
        if rng.random() < 0.7:
            journey["key"] = "properties.loanId"
            journey["match"] = rng.choice(["person", "key"])
        first, second, third = rng.sample(["Approved", "Signed", "Withdrawn"], 3)
        start: Record = {
            "event": rng.choice([first, first, [first, third], {"type": "page", "name": "Pricing"}])
        }
        if rng.random() < 0.25:
            start["where"] = rng.choice(
                [
                    "properties.amount >= 5",
                    'properties.reason != "duplicate"',
                    "has(properties.amount)",
                ]
            )
        journey["start"] = start
        unless: list[Record] = [{"event": second}]
        if rng.random() < 0.3:
            unless[0]["where"] = rng.choice(
                [
                    'properties.reason != "duplicate"',
                    "properties.amount >= start.properties.amount",
                    "properties.amount < 5",
                ]
            )
        if rng.random() < 0.2:
            unless.append({"event": {"type": "screen", "name": "Done"}})
        if rng.random() < 0.9:
            journey["unless"] = unless
        self._options(journey)
        return journey

    def _options(self, journey: Record) -> None:
        rng = self.rng
        if rng.random() < 0.3:
            journey["lookback"] = rng.choice(["10m", "30m"])
        if rng.random() < 0.3:
            journey["lateness"] = rng.choice(["10m", "20m"])
        if rng.random() < 0.4:
            journey["repeat"] = "restart"
        if rng.random() < 0.2:
            journey["once"] = True
        if rng.random() < 0.3:
            journey["audience"] = rng.choice(
                [
                    'traits.state != "TX"',
                    'events["Signed"].count == 0',
                    "traits.score >= 3",
                    'start.properties.amount > 5 || traits.state == "NY"',
                ]
            )
        if rng.random() < 0.1:
            journey["holdout"] = {"percent": 50, "salt": "s"}
        afters = sorted(rng.sample(["20m", "30m", "40m", "90m"], rng.choice([1, 1, 2, 3])))
        journey["steps"] = [
            {
                "after": after,
                "channel": rng.choice(["voice", "voice", "sms", "email"]),
                "expires": rng.choice(["30m", "30m", "2h", "24h"]),
            }
            for after in afters
        ]
        for step in journey["steps"]:
            if self.cooldown and rng.random() < 0.6:
                step["cooldown"] = rng.choice(["10m", "30m", "2h"])
        self.steps.add(journey)

    # -- events

    def _events(self) -> list[Record]:
        rng = self.rng
        events = self._known_early() if self.links or rng.random() < 0.5 else []
        for _ in range(rng.randint(4, 18)):
            events.append(self._timed(self._happening()))
        ids = rng.sample(range(10, 99), len(events))
        for event, number in zip(events, ids, strict=True):
            event["messageId"] = f"m{number}"
        for event in list(events):
            if rng.random() < 0.06:
                events.append(self._again(event))
        events.sort(key=lambda event: str(event["arrives"]))
        if self.profile == "everything" and rng.random() < 0.4:
            self._erasure(events)
        return events

    def _known_early(self) -> list[Record]:
        found = []
        for name in [*self.users, *(self.devices if self.rng.random() < 0.5 else [])]:
            if self.rng.random() < 0.85:
                at = text(_BASE - self.rng.choice([1, 2, 3]) * _GRID)
                who = {"user": name} if name in self.users else {"anonymous": name}
                found.append({"at": at, "arrives": at, **who, "identify": self._profile(name)})
        return found

    def _profile(self, name: str) -> Record:
        rng = self.rng
        if name not in self.users and self.cooldown:
            return {"state": "NY"}
        at = text(_BASE - 10 * _GRID)
        own = _PHONES[_USERS.index(name) if name in _USERS else 3]
        return {
            "phone": rng.choice(_PHONES) if self.shared else own,
            "email": rng.choice(_EMAILS) if self.shared else f"{name}@example.com",
            "state": rng.choice(["NY", "NY", "TX"]),
            "score": rng.choice([1, 5]),
            "optIn": [
                {
                    "channel": channel,
                    "subscribed": rng.random() < 0.95,
                    "timestamp": at,
                    "ip": "10.0.0.1",
                }
                for channel in ("voice", "SMS", "email")
                if rng.random() < 0.9
            ],
        }

    def _timed(self, event: Record) -> Record:
        rng = self.rng
        at = _BASE + rng.randint(0, 10) * _GRID
        delay = rng.choice([0, 0, 0, 0, 1, 2, 3, 6, 9, 12]) * _GRID
        return {"at": text(at), "arrives": text(at + delay), **event}

    def _who(self) -> Record:
        rng = self.rng
        if self.devices and rng.random() < 0.5:
            if rng.random() < 0.45:
                return {"user": rng.choice(self.users), "anonymous": rng.choice(self.devices)}
            return {"anonymous": rng.choice(self.devices)}
        if rng.random() < 0.04:
            return {"user": rng.choice(["null", " NaN ", "0-0", '"guest"'])}
        return {"user": rng.choice(self.users)}

    def _happening(self) -> Record:
        rng = self.rng
        kinds = ["journey"] * 12 + ["traits"] + ["other"]
        kinds += ["phone"] * 4 + ["opt"] * 6 if self.talks else []
        kinds += ["link"] * 2 + ["alias"] * 2 if self.links else []
        kind = rng.choice(kinds)
        who = self._who()
        if kind == "journey":
            properties: Record = {"loanId": rng.choice(_KEYS)}
            if rng.random() < 0.7:
                properties["amount"] = rng.choice([1, 5, 5.0, 9, "9"])
            if rng.random() < 0.3:
                properties["reason"] = rng.choice(["duplicate", "other"])
            what = rng.choice(
                [
                    {"track": name}
                    for name in (
                        "Approved",
                        "Approved",
                        "Approved",
                        "Signed",
                        "Signed",
                        "Withdrawn",
                        "Withdrawn",
                    )
                ]
                + [{"page": "Pricing"}, {"screen": "Done"}]
            )
            event = {**who, **what, "properties": properties}
            self.steps.of_start(event)
            return event
        if kind == "traits":
            return {
                **who,
                "identify": {
                    "state": rng.choice(["NY", "TX", None]),
                    "score": rng.choice([1, 5, "5", None]),
                },
            }
        if kind == "phone":
            return {**who, "identify": self._addresses()}
        if kind == "opt":
            return {**who, **self._opt()}
        if kind == "link":
            return {
                "user": rng.choice(self.users),
                "anonymous": rng.choice(self.devices),
                "page": "Home",
            }
        if kind == "alias":
            return {"user": rng.choice(self.users), "alias": rng.choice(self.users + self.devices)}
        return {**who, "group": "g1"}

    def _phone(self) -> str:
        return self.rng.choice(_PHONES if self.shared else _PHONES[:2])

    def _addresses(self) -> Record:
        rng = self.rng
        if not self.shared and self.cooldown:
            return {"phone": None} if rng.random() < 0.3 else {"state": "NY"}
        form = rng.random()
        if form < 0.4:
            return {"phone": rng.choice([self._phone(), self._phone(), None, "12"])}
        if form < 0.85:
            return {
                "phones": {
                    self._phone(): rng.choice([{"isPrimary": True}, {"isPrimary": False}, {}])
                    for _ in range(rng.choice([1, 2]))
                }
            }
        return {"email": rng.choice([*_EMAILS, None])}

    def _opt(self) -> Record:
        rng = self.rng
        moment = _BASE + rng.randint(-6, 10) * _GRID
        said = rng.random() < 0.5
        if rng.random() < 0.5:
            properties: Record = {}
            if rng.random() < 0.3:
                properties["phone"] = rng.choice(_PHONES)
            if rng.random() < 0.3:
                properties["timestamp"] = text(moment)
            return {"track": "Opted In" if said else "Unsubscribed", "properties": properties}
        entry: Record = {
            "channel": rng.choice(["voice", "Voice", "sms"]),
            "subscribed": rng.choice([said, said, str(said).lower(), "maybe"]),
        }
        if rng.random() < 0.8:
            entry["timestamp"] = rng.choice([text(moment), moment // 1000, moment])
        if rng.random() < 0.85:
            entry["ip"] = "10.0.0.1"
        traits: Record = {"optIn": [entry]}
        if rng.random() < 0.5 and not self.cooldown:
            traits["phone"] = self._phone()
        return {"identify": traits}

    def _again(self, event: Record) -> Record:
        """A producer's retry: the same messageId, at times with other content or another id."""
        again = copy.deepcopy(event)
        later = (instant(event["arrives"]) or 0) + self.rng.choice([0, 1, 3]) * _GRID
        again["arrives"] = text(later)
        if self.rng.random() < 0.3 and "identify" not in again:
            again["user"] = self.rng.choice(self.users)
        elif self.rng.random() < 0.3:
            again["at"] = text(max(instant(event["at"]) or 0, _BASE))
            again.setdefault("properties", {})["amount"] = 7
        return again

    def _erasure(self, events: list[Record]) -> None:
        """Erase somebody; then no alias, no event with two ids or of a shared device."""
        rng = self.rng
        place = rng.randint(len(events) // 2, len(events))
        owners: dict[str, set[str]] = {}
        for event in events:
            if "user" in event and "anonymous" in event:
                owners.setdefault(event["anonymous"], set()).add(event["user"])
        at = events[place - 1]["arrives"] if place else text(_BASE)
        for event in list(events[place:]):
            shared = len(owners.get(event.get("anonymous", ""), ())) > 1
            if "alias" in event or (shared and "user" not in event):
                events.remove(event)
            elif "user" in event:
                event.pop("anonymous", None)
        name = rng.choice(
            self.users + [device for device in self.devices if len(owners.get(device, ())) < 2]
        )
        events.insert(place, {"at": at, "erase": name})
