"""A state process on the memory store, fed by hand; or on another store."""

from typing import Any, NamedTuple

import orjson

from pipeline.adapters.memory_store import MemoryStore
from pipeline.names import Names
from pipeline.ports import Entry
from pipeline.process.normalize import Normalizer
from pipeline.process.portion import Place
from pipeline.process.state import Committed, StateProcess
from pipeline.rulebook.compile import canonical_document
from pipeline.wire.records import Announce, Enforce, Tick, encode_control

NAMES = Names()
BEGIN = 1_772_000_000_000
HOUR = 3_600_000
PHONE = "+12125550100"
JOURNEY = {
    "journey": "j",
    "version": 1,
    "key": "properties.loanId",
    "start": {"event": "Approved"},
    "unless": [{"event": "Signed"}],
    "steps": [{"after": "1h", "channel": "voice"}],
}
RULEBOOK = canonical_document({"journeys": [JOURNEY]})
RULES = (encode_control(Announce("d", RULEBOOK)), encode_control(Enforce("d")))


class Logged(NamedTuple):
    """A record of a log that is a list."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Folding:
    """One partition, its log and its process; `again` is a process that starts anew."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.log: list[Logged] = []
        self.outputs: list[Entry] = []
        self.counts: dict[str, int] = {}
        self._raw = 0
        self._normalizer = Normalizer(1, "US", NAMES.events, NAMES.dead_letters)
        self.again()

    def again(self) -> None:
        self.process = StateProcess(Place(0, 1, "", NAMES.events), self.store, self._committed)

    def _committed(self, change: Committed) -> None:
        self.outputs += change.outward
        for reason, count in change.counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count
        for entry in change.internal:
            self.write(entry.value)

    def write(self, *values: bytes | None) -> None:
        for value in values:
            self.log.append(Logged(len(self.log), BEGIN + len(self.log), None, value))

    def call(self, user: str, type_: str = "track", **more: Any) -> None:
        """A raw call, as normalize hands it on."""
        call = {"type": type_, "userId": user, "messageId": f"m{self._raw}"} | more
        raw = Logged(self._raw, BEGIN, None, orjson.dumps(call))
        self._raw += 1
        self.write(*(e.value for e in self._normalizer.normalize(NAMES.raw, 0, [raw]).events))

    def known(self, user: str) -> None:
        """Somebody who has opted in and whose loan was approved."""
        entry = {"channel": "voice", "subscribed": True, "timestamp": "2026-01-01T00:00:00Z"}
        traits = {"phone": PHONE, "optIn": [entry]}
        self.call(user, "identify", traits=traits, context={"ip": "203.0.113.9"})
        self.call(user, event="Approved", properties={"loanId": user})

    async def take(self) -> None:
        """All that was not taken yet, and what it causes."""
        while (begin := (await self.process.open()).offset) < len(self.log):
            await self.process.apply(self.log[begin:])

    def tick(self, hours: int, most: int = 0) -> None:
        time = BEGIN + hours * HOUR
        self.log.append(Logged(len(self.log), time, None, encode_control(Tick(time, most))))

    def published(self, topic: str) -> list[Entry]:
        return [entry for entry in self.outputs if entry.topic == topic]

    def letters(self) -> list[dict[str, str]]:
        return [
            {name: value.decode() for name, value in entry.headers}
            for entry in self.published(NAMES.dead_letters)
        ]

    def entities(self) -> dict[bytes, bytes]:
        return dict(self.store._of(0).entities)
