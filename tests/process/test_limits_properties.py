"""Random lives under a limit of scope person: never one too many, never one held back for nothing.

The judge here knows whole histories and counts anew at every decision, by who had been linked to or
merged with whom by then.
"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.times import HOUR, MINUTE, format_instant, parse_instant
from pipeline.process.replay import Replay
from pipeline.rulebook.compile import canonical_document

BEGIN: Final = parse_instant("2026-03-03T15:00:00Z") or 0
PHONES: Final = ("+12125550100", "+12125550101", "+12125550102")
USERS: Final = ("u1", "u2", "u3")
DEVICES: Final = ("a1", "a2")
LIMIT: Final = "and person"


def rulebook(most: int, per: str, *, night: bool, own: bool) -> dict[str, Any]:
    """Three journeys; with `own` limits of the address and a cooldown stand beside the person's."""
    window = {"window": "09:00-20:00"} if night else {}
    cooldown = {"cooldown": "3h"} if own else {}
    journeys = [
        {
            "journey": name,
            "version": 1,
            "priority": priority,
            "key": "properties.id",
            "match": match,
            "start": {"event": name},
            "unless": [{"event": f"not {name}"}],
            "steps": [{"after": "1h", "channel": channel, "expires": "72h"} | window | more],
        }
        for name, priority, match, channel, more in (
            ("loan", 5, "person", "voice", cooldown),
            ("claim", -5, "key", "voice", {}),
            ("visit", 0, "person", "voice", {}),
            ("text", 0, "person", "sms", cooldown),
        )
    ]
    limits = [{"max": most, "per": per, "scope": "person"}]
    if own:
        limits.append({"max": 2, "per": "5h", "scope": "address"})
    unknown = {"zone": {"assume": "America/New_York"}}
    return canonical_document(
        {"journeys": journeys, "calling": {"limits": limits, "unknown": unknown}}
    )


def history(seed: int, calls: int) -> list[dict[str, Any]]:
    """Calls of few people on a grid of ten minutes, so that much is due at one instant."""
    chance = random.Random(seed)
    made: list[dict[str, Any]] = []
    at = BEGIN
    for number in range(calls):
        at += chance.choice((0, 0, 10, 10, 20, 60, 240)) * MINUTE
        user = chance.choice(USERS)
        call: dict[str, Any] = {"type": "track", "userId": user, "properties": {"id": number}}
        kind = chance.randrange(12)
        if kind < 7:
            call["event"] = chance.choice(("loan", "claim", "visit", "text"))
            if chance.random() < 0.3:
                del call["userId"]
                call["anonymousId"] = chance.choice(DEVICES)
        elif kind == 7:
            call["event"] = f"not {chance.choice(('loan', 'claim', 'visit'))}"
            call["properties"] = {"id": max(0, number - chance.randrange(1, 8))}
        elif kind == 8:
            call |= {"type": "identify", "traits": {"phone": chance.choice(PHONES)}}
        elif kind == 9:
            call |= {"type": "page", "anonymousId": chance.choice(DEVICES)}
        elif kind == 10:
            call |= {"type": "alias", "previousId": chance.choice(USERS)}
        else:
            call |= opt_in(user, chance.choice(PHONES), at, subscribed=chance.random() < 0.7)
        made.append(call | {"messageId": f"m{number:03d}", "timestamp": format_instant(at)})
    return made


def opt_in(user: str, phone: str, at: int, *, subscribed: bool = True) -> dict[str, Any]:
    entries = [
        {"channel": channel, "subscribed": subscribed, "timestamp": format_instant(at)}
        for channel in ("voice", "sms")
    ]
    traits = {"phone": phone, "optIn": entries}
    return {
        "type": "identify",
        "userId": user,
        "traits": traits,
        "context": {"ip": "192.0.2.1"},
        "messageId": f"o-{user}-{phone}",
        "timestamp": format_instant(at),
    }


async def run(
    document: dict[str, Any], calls: list[dict[str, Any]], partitions: int
) -> list[tuple[str, dict[str, Any]]]:
    """The triggers and decisions in order."""
    replay = Replay(MemoryStore(), partitions)
    for number, user in enumerate(USERS):
        call = opt_in(user, PHONES[number], BEGIN - HOUR)
        await replay.feed(orjson.dumps(call), BEGIN - HOUR)
    for device in DEVICES:
        call = opt_in(device, PHONES[0], BEGIN - HOUR)
        call["anonymousId"] = call.pop("userId")
        await replay.feed(orjson.dumps(call), BEGIN - HOUR)
    await replay.enforce(document, "d" * 32)
    for call in calls:
        await replay.feed(orjson.dumps(call), parse_instant(call["timestamp"]) or 0)
    await replay.advance(replay.now + 200 * HOUR)
    assert not replay.counts["fold_failed"]
    topics = {"journey.triggers": "trigger", "journey.decisions": "decision"}
    return [
        (topics[entry.topic], orjson.loads(entry.value or b""))
        for entry in replay.outputs
        if entry.topic in topics
    ]


@dataclass(slots=True)
class People:
    """Who goes on for whom, told of links and merges in order of time."""

    into: dict[str, str] = field(default_factory=dict)

    def of(self, own: str) -> str:
        while own in self.into:
            own = self.into[own]
        return own

    def hear(self, call: dict[str, Any]) -> None:
        user: str = call.get("userId", "")
        device: str = call.get("anonymousId", "")
        if user and device and device not in self.into:
            self.into[device] = user
        if call["type"] == "alias" and self.of(call["previousId"]) != self.of(user):
            self.into[self.of(call["previousId"])] = self.of(user)


@dataclass(slots=True)
class Judge:
    """Counts by itself what a limit of `most` in `per` ms leaves room for."""

    most: int
    per: int
    people: People = field(default_factory=People)
    fired: list[tuple[str, str, int]] = field(default_factory=list)

    def count(self, own: str, channel: str, now: int) -> int:
        """How many triggers of that channel the person has had within the time."""
        who = self.people.of(own)
        return sum(
            self.people.of(other) == who and by == channel and at > now - self.per
            for other, by, at in self.fired
        )

    def take(self, kind: str, record: dict[str, Any]) -> None:
        own = record["userId"] or record["anonymousId"]
        if kind == "trigger" and record["type"] == "trigger":
            at = parse_instant(record["firedAt"]) or 0
            assert self.count(own, record["channel"], at) < self.most, record
            self.fired.append((own, record["channel"], at))
        elif kind == "decision" and record["reason"] == "limits":
            gate = record["gates"][-1]
            if LIMIT in gate["detail"]:
                at, until = (parse_instant(t) or 0 for t in (record["decidedAt"], gate["until"]))
                assert self.count(own, record["channel"], at) >= self.most, record
                assert self.count(own, record["channel"], until - 1) >= self.most
                assert self.count(own, record["channel"], until) < self.most


def instant(kind: str, record: dict[str, Any]) -> int:
    name = {"trigger": "firedAt", "retraction": "at"}.get(record.get("type", ""), "decidedAt")
    return parse_instant(record[name]) or 0


@pytest.mark.parametrize("partitions", [1, 3])
@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    calls=st.integers(5, 60),
    most=st.sampled_from([1, 2, 3]),
    per=st.sampled_from(["2h", "24h"]),
    night=st.booleans(),
    own=st.booleans(),
)
def test_what_is_let_out_is_what_there_is_room_for(
    partitions: int, seed: int, calls: int, most: int, per: str, *, night: bool, own: bool
) -> None:
    made = history(seed, calls)
    outputs = asyncio.run(run(rulebook(most, per, night=night, own=own), made, partitions))
    judge = Judge(most, int(per[:-1]) * HOUR)
    heard = 0
    for kind, record in outputs:
        while heard < len(made) and made[heard]["timestamp"] <= format_instant(
            instant(kind, record)
        ):
            judge.people.hear(made[heard])
            heard += 1
        judge.take(kind, record)

    final = {"fired", "suppressed", "cancelled", "expired"}
    decided = [r["id"] for kind, r in outputs if kind == "decision" and r["outcome"] in final]
    starts = [call for call in made if call.get("event") in {"loan", "claim", "visit", "text"}]
    assert len(decided) == len(set(decided)) == len(starts), "each step is decided once"
