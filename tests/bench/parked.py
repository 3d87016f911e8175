"""People with an open wait, who fill a state, and their visits, which are the load on it."""

import random
from collections.abc import Iterator
from typing import Final

import orjson

from pipeline.domain.times import format_instant
from tests.bench.generator import Call, Load, Pace, Ready, Story
from tests.bench.job import Json

CHUNK: Final = 50_000
"""People in one go: bounds the memory of the benchmark itself."""
WEEK: Final = 7 * 24 * 3600.0
JOURNEY: Final = """\
journey: parked
version: 1
key: properties.loanId
start: {event: Parked}
steps:
  - {after: %ds, channel: voice, expires: 1h}
"""
"""The wait; its seconds are to be filled in."""
BROWSED: Final = 4
"""Pages and clicks of a visit: few, so that most of a load's people are not in any cache."""
CALLS: Final = BROWSED + 0.5 * 1.6
"""Calls of a visit, on average."""


def name(number: int) -> tuple[str, str]:
    """UserId and phone."""
    return f"parked{number:07d}", f"+1{301 + number // 10**6}{number % 10**6 + 2_000_000:07d}"


def identities(numbers: range, at: int) -> Load:
    """A call of each that says who they are and opts in. `at` in ms."""
    load, said = Load(), format_instant(at)
    opt_in = {"channel": "voice", "subscribed": True, "timestamp": said, "ip": "203.0.113.7"}
    for number in numbers:
        user, phone = name(number)
        traits = {"phone": phone, "firstName": "Rebecca", "optIn": [opt_in]}
        call = {"type": "identify", "messageId": f"i{number}", "traits": traits}
        load.calls.append(_call(user, said, call))
        load.contacts[user] = phone
        load.optins[f"{phone}|voice"] = "subscribed"
    return load


def waits(numbers: range, at: int) -> Load:
    """A call of each that begins a wait; a hundred of them in each millisecond."""
    load = Load()
    for number in numbers:
        properties = {"loanId": f"P{number}", "amount": 20_000}
        call = {"type": "track", "event": "Parked", "messageId": f"s{number}"}
        said = format_instant(at + number // 100)
        load.calls.append(_call(name(number)[0], said, call | {"properties": properties}))
    return load


def deadlines(numbers: range) -> Load:
    """What must come once the waits of these people are over."""
    triggers = {f"P{n}": Ready(*name(n), 0.0, "deadline") for n in numbers}
    return Load(triggers=triggers)


def chunks(people: int) -> Iterator[range]:
    """Numbers of so many people."""
    for first in range(0, people, CHUNK):
        yield range(first, min(first + CHUNK, people))


def visits(people: int, pace: Pace, nth: int) -> Load:
    """Everybody of the first so many comes by: some pages, and a loan for one in two."""
    load, chance = Load(), random.Random(f"visit {nth}")
    for number in range(people):
        _Visit(load, pace, chance, number, pace.span * number / people, nth).tell()
    load.calls.sort(key=lambda call: call.due)
    return load


class _Visit(Story):
    """One person who is known, by calls of a server."""

    def __init__(
        self, load: Load, pace: Pace, chance: random.Random, number: int, begin: float, nth: int
    ) -> None:
        super().__init__(load, pace, chance, number, begin)
        self.user, self.phone = name(number)
        self.loan, self.web, self.device = f"L{nth}-{self.user}", False, None

    def tell(self) -> None:
        for _ in range(BROWSED):
            self.browse(self.begin + self.chance.random() * self.busy, self.begin)
        if self.chance.random() < 0.5:
            self.approved(self.begin, wanted=True)


def probes(numbers: range, at: int, mark: str) -> Load:
    """A call of each that changes their contact, so that an output tells that it was taken."""
    load, said = Load(), format_instant(at)
    for number in numbers:
        call = {"type": "identify", "messageId": f"{mark}-{number}", "traits": {"plan": mark}}
        load.calls.append(_call(name(number)[0], said, call))
    return load


def _call(user: str, said: str, call: Json) -> Call:
    return Call(0.0, user, orjson.dumps({"userId": user, "timestamp": said} | call))
