"""Histories whose outcome does not depend on how late anything is taken, from a seed.

Time is a lattice: what arrives does so in *bursts*, twenty minutes apart; deadlines lie half way
between two bursts. As long as no disturbance lasts ten minutes, what is decided at a deadline is
decided on the bursts before it. A burst of the *last moment* comes just before the deadlines: it is
in the raw topic, so that it counts, however late it is taken. Within a burst raw partitions are
taken in any order, so that a burst holds only what commutes: no two journey events of one key, no
link or alias beside what journeys see, one change of consent an address; see also `talk.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from pipeline.domain.times import MINUTE, SECOND, format_instant
from tests.simulation.books import BOOKS, JOURNEY_EVENTS, book
from tests.simulation.talk import Talk

Json = dict[str, Any]
BEGIN = 1_772_550_000_000
"""2026-03-03T15:00:00Z"""
BURST = 20 * MINUTE
HALF = BURST // 2
RACING = 0.15
"""Share of the histories in which most is cancelled at the last moment, by way of devices."""
EARLIEST = 5 * SECOND
"""Deadlines are at most so long before their lattice instant."""
PHONES = tuple(f"+1212555010{n}" for n in range(6))
MIXED = ("Approved", "Approved", "Signed", "Withdrawn")


@dataclass
class Arrival:
    """One raw record: which partition, how long after its lattice instant (ms), what it says.

    `call`: what the oracle is told of it; None where it is no event. `erase`: no raw record but
    the erasure of this id.
    """

    after: int
    partition: int
    value: bytes | None
    call: Json | None = None
    erase: str | None = None


@dataclass
class History:
    rulebook: Json
    halves: dict[int, list[Arrival]] = field(default_factory=dict)
    """What arrives, by half lattice step."""
    length: int = 0
    """Half lattice steps until everything is decided."""
    begin: int = BEGIN
    """The instant of the first step."""
    exact: bool = True
    """Whether the outcome is one that the oracle can say."""
    racing: bool = False


def make(seed: int, raw_partitions: int) -> History:
    rulebook = book(seed % BOOKS)
    talk = Talk(seed, PHONES)
    return _Maker(Random(f"history:{seed}"), talk, rulebook, raw_partitions).make()


# the events


class _Maker:
    def __init__(self, rng: Random, talk: Talk, rulebook: Json, raw_partitions: int) -> None:
        self.rng = rng
        self.talk = talk
        self.history = History(rulebook, racing=rng.random() < RACING)
        self._cools = any("cooldown" in step for j in rulebook["journeys"] for step in j["steps"])
        self.raw_partitions = raw_partitions
        self.users = [f"u{n}" for n in range(1, rng.choice([1, 2, 2, 3]) + 1)]
        racing = self.history.racing
        self.devices = [f"a{n}" for n in range(1, rng.choice([0, 1, 1, 2]) + 1 + racing)]
        self.phones = list(PHONES[: len(self.users)])
        if rng.random() < 0.25 and not self._cools:
            self.phones[-1] = self.phones[0]
        self.keys = ["L1", "L2", 7][: rng.choice([1, 2, 2, 3])]
        starts = {journey["start"]["event"] for journey in rulebook["journeys"]}
        self.harmless = [name for name in JOURNEY_EVENTS if name not in starts]
        """What starts nothing, so that it may come at any time."""
        self.count = self.number = self.after = 0
        self.sent: list[Json] = []
        self.due: dict[int, dict[Any, list[str]]] = {}
        afters = [int(j["steps"][0]["after"][:-1]) for j in rulebook["journeys"]]
        self.latest = max(0, (min(afters) * MINUTE - HALF) // BURST)
        """So many bursts a start may be late without being due when it arrives."""

    def make(self) -> History:
        rng, history = self.rng, self.history
        history.halves[0] = self._burst(self._people())
        last = rng.choice([2, 3, 4, 5])
        for number in range(1, last + 4):
            if number <= last:
                kind = rng.choice(
                    ["journey"] * 5 + ["graph"] * (2 if self.devices else 1) + ["opt"]
                )
                calls = self._calls(self.talk.instead(kind), number, 0)
                history.halves[2 * number] = self._burst(calls)
            if rng.random() < (0.9 if history.racing else 0.4):
                kind = rng.choice(["cancel", "cancel", "graph", "opt"])
                kind = "cancel" if history.racing else kind
                moment = rng.choice([1, 5, 20, 50, 200])
                calls = self._calls(self.talk.instead(kind), number, HALF - EARLIEST)
                history.halves[2 * number + 1] = self._burst(calls, -EARLIEST - moment)
        if self.talk.erases:
            self._end_by_erasure(2 * (last + rng.choice([1, 2])))
        history.length = 2 * last + 13  # seventy minutes, lateness, and some more
        # who of several at one number is called first is nobody's to say
        history.exact = not (self._cools and self.talk.talks)
        return history

    def _end_by_erasure(self, half: int) -> None:
        """Of somebody; nothing comes behind, since what still may is open in places."""
        halves = self.history.halves
        self.history.halves = {number: halves[number] for number in halves if number < half}
        self.history.halves[half] = [Arrival(0, 0, None, erase=self.rng.choice(self.users))]

    def _burst(self, calls: list[Json], last: int = 0) -> list[Arrival]:
        """`last`: where it comes at the last moment, so long (ms) after the lattice instant."""
        rng = self.rng
        again = [call for call in calls if rng.random() < 0.12]  # retries
        if self.sent and rng.random() < 0.15:
            again.append(rng.choice(self.sent))
        self.sent += calls
        bodies = [*calls, *again]
        if len(bodies) > 1 and rng.random() < 0.12:
            bodies = [{"batch": bodies[:3]}, *bodies[3:]]
        arrivals = [self._arrival(last, orjson.dumps(body), body) for body in bodies]
        if rng.random() < 0.12:
            garbage = rng.choice([b"{", b"[]", b'{"type":"track","userId":"u1"}', b"\xff", None])
            arrivals.append(self._arrival(last, garbage))
        return arrivals

    def _arrival(self, last: int, value: bytes | None, call: Json | None = None) -> Arrival:
        after = last or self.rng.randint(0, self.rng.choice([0, 0, 100, 2000, 20_000]))
        return Arrival(after, self.rng.randrange(self.raw_partitions), value, call)

    def _calls(self, kind: str, number: int, after: int) -> list[Json]:
        """A burst's, with event times shortly before `after` (ms) of the burst's instant."""
        self.number, self.after = number, after
        return list(
            {
                "journey": self._journey_events,
                "cancel": self._last_cancels,
                "graph": self._graph,
                "opt": self._opt,
                "talk": self._talk,
            }[kind]()
        )

    def _call(self, who: Json, late: int = 0, **call: Any) -> Json:
        self.count += 1
        ago = self.rng.choice([0, 1, 5, 5]) * SECOND + bool(self.after) * SECOND
        time = BEGIN + (self.number - late) * BURST + self.after - ago
        return {
            **who,
            "messageId": f"m{self.count:03d}",
            "timestamp": format_instant(time),
            **call,
        }

    def _people(self) -> list[Json]:
        calls = [
            self._call({"userId": user}, type="identify", traits=self._traits(phone))
            for user, phone in zip(self.users, self.phones, strict=True)
            if self.rng.random() < 0.95
        ]
        for device in self.devices:
            draw = self.rng.random()
            if draw < 0.4 or self.history.racing:
                who = {"userId": self.rng.choice(self.users), "anonymousId": device}
                calls.append(self._call(who, type="page", name="Home"))
            elif draw < 0.6:
                traits = self._traits(PHONES[3 + self.devices.index(device)])
                calls.append(self._call({"anonymousId": device}, type="identify", traits=traits))
        return calls

    def _traits(self, phone: str) -> Json:
        rng = self.rng
        entries = [
            {
                "channel": channel,
                "subscribed": rng.random() < 0.95,
                "timestamp": format_instant(BEGIN - 600 * MINUTE),
                "ip": "10.0.0.1",
            }
            for channel in ("voice", "sms")
            if rng.random() < self.talk.opting
        ]
        return {"phone": phone, "state": rng.choice(["NY", "NY", "TX"]), "optIn": entries}

    def _journey_events(self, names: Sequence[str] = MIXED) -> Iterator[Json]:
        """Starts and cancels, one of a key; and what nobody waits for."""
        rng = self.rng
        for key in rng.sample(self.keys, rng.randint(1, len(self.keys))):
            if not names:
                break
            name = rng.choice(names)
            late = rng.randint(0, min(self.number, self.latest)) if rng.random() < 0.3 else 0
            properties: Json = {"loanId": key, "amount": rng.choice([1, 9])}
            if rng.random() < 0.3:
                properties["reason"] = "duplicate"
            self._note_due(name, key, late)
            yield self._call(self._who(), late, type="track", event=name, properties=properties)
        if rng.random() < 0.2:
            yield self._call(self._who(), type="page", name="Home")

    def _last_cancels(self) -> Iterator[Json]:
        """Of what is due at this very instant, mostly."""
        due = self.due.get(2 * self.number + 1, {})
        if not due or self.rng.random() < 0.2:
            yield from self._journey_events(self.harmless)
        for key, names in due.items():
            if names:
                properties: Json = {"loanId": key}
                name = self.rng.choice(names)
                yield self._call(self._who(), type="track", event=name, properties=properties)

    def _note_due(self, name: str, key: Any, late: int) -> None:
        """When the steps that this starts are due, and what harmless event cancels them."""
        for journey in self.history.rulebook["journeys"]:
            if journey["start"]["event"] == name:
                cancels = [each["event"] for each in journey["unless"] if "where" not in each]
                for step in journey["steps"]:
                    half = 2 * (self.number - late) + int(step["after"][:-1]) // 10
                    names = self.due.setdefault(half, {}).setdefault(key, [])
                    names += [each for each in cancels if each in self.harmless]

    def _graph(self) -> Iterator[Json]:
        """Links and aliases, each of ids that nothing else in the burst has."""
        rng = self.rng
        devices, users = list(self.devices), list(self.users)
        rng.shuffle(devices)
        if len(users) > 1 and rng.random() < 0.5:
            previous, user = rng.sample(users, 2)
            yield self._call({"userId": user}, type="alias", previousId=previous)
        elif len(users) > 1 and devices and rng.random() < 0.3:
            user = rng.choice(users)
            yield self._call({"userId": user}, type="alias", previousId=devices[0])
        elif devices:
            who = {"userId": rng.choice(users), "anonymousId": devices[0]}
            yield self._call(who, type="page", name="Home")

    def _opt(self) -> Iterator[Json]:
        """Opt-ins and opt-outs, each of one address."""
        rng = self.rng
        for phone, user in dict(zip(self.phones, self.users, strict=True)).items():
            if rng.random() < 0.7:
                entry = {
                    "channel": rng.choice(["voice", "sms"]),
                    "subscribed": rng.random() < 0.35,
                    "timestamp": format_instant(
                        BEGIN + self.number * BURST + self.after - 7 * SECOND
                    ),
                    "ip": "10.0.0.1",
                }
                traits = {"phone": phone, "optIn": [entry]}
                yield self._call({"userId": user}, type="identify", traits=traits)

    def _talk(self) -> Iterator[Json]:
        for who, late, call in self.talk.calls(self.number, self._who, self._traits):
            yield self._call(who, late, **call)

    def _who(self) -> Json:
        rng = self.rng
        # at the last moment by long ways
        if self.devices and rng.random() < (0.6 if self.after else 0.35):
            return {"anonymousId": rng.choice(self.devices)}
        return {"userId": rng.choice(self.users)}
