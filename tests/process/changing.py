"""A pipeline on the memory store whose rulebook changes while people wait."""

from typing import Any

import orjson

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.times import format_instant, parse_instant
from pipeline.domain.versions import Ruling
from pipeline.ports import Entry
from pipeline.process.replay import Replay
from pipeline.process.rulebook_runner import values
from pipeline.rulebook.compile import canonical_document
from pipeline.rulebook.load import document_digest
from pipeline.wire.records import Announce, Enforce, Tick, encode_control

DAY = "2026-03-03T"
PHONE = "+12125550100"


def at(clock: str) -> int:
    """An instant of the day, by `15:00`."""
    found = parse_instant(f"{DAY}{clock}:00Z")
    assert found is not None
    return found


def journey(version: int = 1, **changed: Any) -> dict[str, Any]:
    """Approved and not signed within two hours."""
    return {
        "journey": "j",
        "version": version,
        "key": "properties.id",
        "start": {"event": "Approved"},
        "unless": ["Signed"],
        "steps": [{"after": "2h", "channel": "voice"}],
    } | changed


def document_of(*journeys: dict[str, Any], calling: Any = None) -> dict[str, Any]:
    """A rulebook of these."""
    return canonical_document(
        {"journeys": list(journeys), **({"calling": calling} if calling else {})}
    )


class Changing:
    """Times are clock times of one day; whoever is `known` has opted in to calls."""

    def __init__(self, partitions: int = 1) -> None:
        self.store = MemoryStore()
        self.replay = Replay(self.store, partitions)
        self._sent = 0

    async def apply(
        self, clock: str, *journeys: dict[str, Any], calling: Any = None, **rulings: Ruling
    ) -> None:
        """Put these in force."""
        await self.until(clock)
        document = document_of(*journeys, calling=calling)
        await self.replay.enforce(document, document_digest(document), rulings)

    async def known(self, *users: str, phone: str = PHONE, clock: str = "09:00") -> None:
        entry = {"channel": "voice", "subscribed": True, "timestamp": "2026-01-01T00:00:00Z"}
        traits = {"phone": phone, "optIn": [{**entry, "ip": "203.0.113.9"}]}
        for user in users:
            await self.send(clock, "identify", user, traits=traits)

    async def track(self, clock: str, user: str, event: str, id_: str = "L1", **more: Any) -> None:
        await self.send(clock, "track", user, event=event, properties={"id": id_}, **more)

    async def send(self, clock: str, type_: str, user: str, **more: Any) -> None:
        self._sent += 1
        call = {
            "type": type_,
            "userId": user,
            "messageId": f"m{self._sent:03}",
            "timestamp": format_instant(at(clock)),
        } | more
        await self.replay.feed(orjson.dumps(call), max(at(clock), self.replay.now))

    async def until(self, clock: str) -> None:
        await self.replay.advance(at(clock))

    def sent(self) -> list[dict[str, Any]]:
        """The triggers and retractions."""
        return list(values(self.replay.outputs, "journey.triggers"))

    def fired(self) -> list[tuple[str, int, str]]:
        """User, version and clock time of the triggers, in order."""
        return [
            (one["userId"], one["version"], one["firedAt"][11:16])
            for one in self.sent()
            if one["type"] == "trigger"
        ]

    def decided(self) -> list[tuple[str, int, str, str | None, str]]:
        """User, step, outcome, reason and clock time of the decisions that did not fire."""
        return [
            (one["userId"], one["step"], one["outcome"], one["reason"], one["decidedAt"][11:16])
            for one in values(self.replay.outputs, "journey.decisions")
            if one["outcome"] != "fired"
        ]

    async def apply_in(self, partition: int, document: dict[str, Any], **rulings: Ruling) -> None:
        """Put one in force in one partition; it was announced in all."""
        value = encode_control(Enforce(document_digest(document), rulings))
        self.replay._partitions[partition].append(value, self.replay.now)
        await self.replay._settle()

    async def announce(self, *journeys: dict[str, Any], calling: Any = None) -> dict[str, Any]:
        """Let every partition know these; returns the document."""
        document = document_of(*journeys, calling=calling)
        value = encode_control(Announce(document_digest(document), document))
        for partition in self.replay._partitions:
            partition.append(value, self.replay.now)
        await self.replay._settle()
        return document

    async def announce_in(self, partition: int, *journeys: dict[str, Any]) -> None:
        """Let one partition know these."""
        document = document_of(*journeys)
        value = encode_control(Announce(document_digest(document), document))
        self.replay._partitions[partition].append(value, self.replay.now)
        await self.replay._settle()

    def refused(self) -> list[Entry]:
        """The dead letters."""
        return [each for each in self.replay.outputs if each.topic == "segment.dead-letter"]

    async def tick_once(self, clock: str) -> None:
        """One tick in every partition; what follows from it is taken, but no further tick."""
        self.replay.now = at(clock)
        for partition in self.replay._partitions:
            partition.append(encode_control(Tick(self.replay.now)), self.replay.now)
        await self.replay._settle()

    async def apply_now(self, *journeys: dict[str, Any]) -> None:
        """Put these in force before anything else that is due."""
        document = document_of(*journeys)
        await self.replay.enforce(document, document_digest(document))
