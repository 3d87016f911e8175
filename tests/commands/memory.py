"""A pipeline that commands reach without a broker: a memory store, kept up to date by a replay."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest

from pipeline.adapters.kafka_reader import Kept
from pipeline.commands import reach as reach_module
from pipeline.process.rulebook_change import InForce, in_force
from pipeline.settings import Settings
from tests.process.changing import Changing

ENVIRON = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "REDIS_URL": "redis://127.0.0.1:1"}


class MemoryReach:
    """What commands ask of `Reach`, of a log and of a reader; time is the replay's."""

    topics: ClassVar[bool] = True

    def __init__(self, world: Changing) -> None:
        self.store = world.store
        self.settings = Settings(partitions=len(world.replay._partitions))
        self.clock = self
        self.reader = self
        self._world = world

    async def in_force(self, *, whole: bool = False) -> InForce:
        return await in_force(self.store, self.settings.partitions)

    async def log(self) -> "MemoryReach":
        return self

    async def has_topic(self, _: str) -> bool:
        return self.topics

    async def read(
        self, topic: str, *, wanted: Callable[[Kept], bool]
    ) -> AsyncGenerator[Kept, None]:
        for entry in self._world.replay.outputs:
            kept = Kept(topic, 0, 0, 0, entry.key, entry.value, entry.headers)
            if entry.topic == topic and wanted(kept):
                yield kept

    async def append(self, partition: int, value: bytes) -> None:
        self._world.replay._partitions[partition].append(value, self.now())
        await self._world.replay._settle()

    async def event_ends(self) -> Mapping[int, int]:
        return {n: each.end for n, each in enumerate(self._world.replay._partitions)}

    def now(self) -> int:
        return self._world.replay.now

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def reachable_world(monkeypatch: pytest.MonkeyPatch, world: Changing) -> None:
    """Let commands reach this world."""

    @asynccontextmanager
    async def reach(_: Settings) -> AsyncIterator[MemoryReach]:
        yield MemoryReach(world)

    monkeypatch.setattr(reach_module, "reach", reach)
