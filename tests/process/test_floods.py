"""One id or key that is flooded: what it costs is bounded, and others are unharmed."""

from typing import Any

import orjson

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.facts import CANCELS_MAX, STARTS_MAX
from pipeline.domain.times import HOUR
from pipeline.process.replay import Replay
from pipeline.process.rulebook_runner import values
from pipeline.rulebook.compile import canonical_document

BEGIN = 1_772_500_000_000
JOURNEY = {
    "journey": "loan",
    "version": 1,
    "key": "properties.loanId",
    "start": {"event": "Approved"},
    "unless": [{"event": "Signed"}],
    "steps": [{"after": "1h", "channel": "voice"}],
}
ENTRY = {"channel": "voice", "subscribed": True, "timestamp": "2026-01-01T00:00:00Z", "ip": "::1"}


class World:
    """Three partitions; calls arrive a millisecond apart."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.replay = Replay(self.store, partitions=3)
        self.replay.now = BEGIN
        self._calls = 0

    async def begin(self, **more: object) -> None:
        await self.replay.enforce(canonical_document({"journeys": [JOURNEY | more]}), "d")

    async def call(self, **call: Any) -> None:
        self._calls += 1
        value = orjson.dumps({"messageId": f"m{self._calls}", **call})
        await self.replay.feed(value, BEGIN + self._calls)

    async def known(self, user: str, phone: str) -> None:
        await self.call(type="identify", userId=user, traits={"phone": phone, "optIn": [ENTRY]})

    async def approved(self, user: str, loan: str) -> None:
        await self.call(type="track", userId=user, event="Approved", properties={"loanId": loan})

    async def triggers(self) -> list[tuple[str, str]]:
        await self.replay.advance(BEGIN + 3 * HOUR)
        found = values(self.replay.outputs, "journey.triggers")
        return sorted((each["userId"], each["key"]) for each in found)

    def largest(self) -> int:
        """Bytes of the largest entity."""
        states = self.store._partitions.values()
        return max(len(value) for state in states for value in state.entities.values())


async def test_a_chain_of_a_thousand_aliases_is_one_person_and_others_are_unharmed() -> None:
    world = World()
    await world.begin()
    await world.known("u0", "+12125550100")
    await world.approved("u0", "L1")
    for number in range(1_000):
        await world.call(type="alias", userId=f"u{number + 1}", previousId=f"u{number}")
    await world.known("other", "+12125550101")
    await world.approved("other", "L2")
    await world.call(type="track", userId="u7", event="Signed", properties={"loanId": "L3"})
    await world.approved("u500", "L4")
    assert await world.triggers() == [("other", "L2"), ("u1000", "L1"), ("u1000", "L4")]
    assert world.largest() < 256 * 1024


async def test_a_key_with_thousands_of_events_keeps_a_bounded_number_of_them() -> None:
    world = World()
    await world.begin(match="key")
    await world.known("bot", "+12125550100")
    await world.known("other", "+12125550101")
    for _ in range(800):
        await world.approved("bot", "L1")
        await world.call(type="track", userId="bot", event="Signed", properties={"loanId": "L1"})
    await world.approved("other", "L2")
    assert await world.triggers() == [("other", "L2")]
    assert world.replay.counts["too_many_starts"] >= 800 - STARTS_MAX
    assert world.largest() < 1_000 * (STARTS_MAX + CANCELS_MAX)


async def test_a_profile_of_megabytes_stays_within_what_a_record_may_hold() -> None:
    world = World()
    await world.begin()
    await world.known("huge", "+12125550100")
    await world.known("other", "+12125550101")
    for number in range(200):
        traits = {f"t{number}": "x" * 30_000}
        await world.call(type="identify", userId="huge", anonymousId="a1", traits=traits)
    await world.approved("huge", "L1")
    await world.approved("other", "L2")
    assert await world.triggers() == [("huge", "L1"), ("other", "L2")]
    assert world.largest() < 512 * 1024
