"""A pipeline in memory with a past: raw events go through the production fold, topics are lists."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

import orjson

from pipeline.adapters.kafka_reader import Kept
from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.times import parse_instant
from pipeline.names import Names
from pipeline.process.replay import RAW_TOPIC, Replay
from pipeline.process.rulebook_change import InForce, in_force
from pipeline.rulebook.compile import canonical_document
from pipeline.rulebook.load import document_digest
from pipeline.settings import KafkaSettings, Settings

PARTITIONS = 2


def instant(text: str) -> int:
    at = parse_instant(text)
    assert at is not None
    return at


class Remembered:
    """Fulfils `Past`: an archive, a store and a clock that stands where the replay is."""

    def __init__(self) -> None:
        self.settings = Settings(
            kafka=KafkaSettings("memory:9092"),
            redis_url="redis://memory",
            partitions=PARTITIONS,
            names=Names(""),
        )
        self.store = MemoryStore()
        self.replay = Replay(self.store, partitions=PARTITIONS)
        self.raw: list[Kept] = []
        self.gone_before = 0
        """Raw offsets below it have been removed by retention."""
        self.reader = self
        self.clock = self

    async def enforce(self, document: dict[str, Any], at: str) -> None:
        self.replay.now = instant(at)
        made = canonical_document(document)
        await self.replay.enforce(made, document_digest(made))

    async def send(self, event: Mapping[str, Any], arrives: str | None = None) -> None:
        """An event arrives at a time, else at its own."""
        at = instant(arrives or event["timestamp"])
        value = orjson.dumps(event)
        self.raw.append(Kept(RAW_TOPIC, 0, len(self.raw), at, None, value, ()))
        await self.replay.feed(value, at)

    async def until(self, at: str) -> None:
        await self.replay.advance(instant(at))

    # Past

    async def in_force(self) -> InForce:
        return await in_force(self.store, PARTITIONS)

    def now(self) -> int:
        return self.replay.now

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)

    # Archive

    def _records(self, topic: str) -> list[Kept]:
        if topic == RAW_TOPIC:
            return self.raw[self.gone_before :]
        entries = [entry for entry in self.replay.outputs if entry.topic == topic]
        return [
            Kept(topic, 0, n, 0, entry.key, entry.value, entry.headers)
            for n, entry in enumerate(entries)
        ]

    async def read(
        self,
        topic: str,
        *,
        wanted: Callable[[Kept], bool] = lambda _: True,
        begin: Mapping[int, int] | None = None,
        seen: Callable[[int], None] = lambda _: None,
    ) -> AsyncGenerator[Kept, None]:
        first = (begin or {}).get(0, 0)
        for nth, kept in enumerate(self._records(topic), 1):
            seen(nth)
            if kept.offset >= first and wanted(kept):
                yield kept

    async def ends(self, topic: str) -> dict[int, int]:
        records = self._records(topic)
        return {0: records[-1].offset + 1 if records else 0}

    async def starts(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, self.gone_before if topic == RAW_TOPIC else 0)

    async def at(self, topic: str, partition: int, offset: int) -> Kept | None:
        found = (kept for kept in self._records(topic) if kept.offset == offset)
        return next(found, None)


def identify(user: str, at: str, phone: str | None = None, **more: Any) -> dict[str, Any]:
    """With an opt-in to voice and sms of that time, where there is a phone."""
    entry = {"subscribed": True, "timestamp": at, "ip": "203.0.113.9", "source": "booking_flow"}
    entry["text"] = "I agree to calls"
    traits: dict[str, Any] = {"firstName": "Rebecca", **more.pop("traits", {})}
    if phone is not None:
        traits["phone"] = phone
        traits["optIn"] = [{"channel": channel, **entry} for channel in ("voice", "sms")]
    message = f"i-{user}-{at}"
    call = {"type": "identify", "userId": user, "timestamp": at, "messageId": message}
    return {**call, "traits": traits, **more}


def track(user: str, event: str, at: str, **more: Any) -> dict[str, Any]:
    message = f"{event}-{user}-{at}"
    call = {"type": "track", "userId": user, "event": event, "timestamp": at, "messageId": message}
    return call | more
