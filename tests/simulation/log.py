"""What the barrier asks of the simulated Kafka."""

import asyncio
from collections.abc import Callable
from typing import Any

from pipeline.adapters.kafka_publishers import KafkaPublisher
from pipeline.ports import Entry, LogUnavailable, Mark
from tests.simulation.group import GROUP
from tests.simulation.loop import HERE
from tests.simulation.network import Lost
from tests.simulation.system import NAMES, System


class SimLog:
    """Fulfils `Log` as `KafkaLog` does; gives up where the brokers are away."""

    def __init__(self, system: System, publisher: KafkaPublisher) -> None:
        self._system = system
        self._publisher = publisher

    async def _ask(self, effect: Callable[[], Any]) -> Any:
        system = self._system
        try:
            async with asyncio.timeout(5.0):
                return await system.network.request(system.kafka.service, effect)
        except (Lost, TimeoutError) as error:
            raise LogUnavailable("Kafka: no answer") from error

    async def raw_ends(self) -> dict[tuple[str, int], int]:
        system = self._system
        numbers = range(system.raw_partitions)
        ends: dict[tuple[str, int], int] = await self._ask(
            lambda: {(NAMES.raw, p): system.kafka.end(NAMES.raw, p) for p in numbers}
        )
        return ends

    async def normalized(self) -> dict[tuple[str, int], int]:
        system = self._system

        def look() -> dict[tuple[str, int], int]:
            found = {
                (NAMES.raw, p): system.kafka.committed(GROUP, NAMES.raw, p)
                for p in range(system.raw_partitions)
            }
            return {place: 0 if at is None else at.offset for place, at in found.items()}

        places: dict[tuple[str, int], int] = await self._ask(look)
        return places

    async def event_ends(self) -> dict[int, int]:
        kafka, numbers = self._system.kafka, range(self._system.partitions)
        ends: dict[int, int] = await self._ask(
            lambda: {p: kafka.end(NAMES.events, p) for p in numbers}
        )
        return ends

    async def append(self, partition: int, value: bytes) -> None:
        if self._system.before_tick is not None:
            self._system.before_tick(HERE.get())
            await asyncio.sleep(0)
        entry = Entry(Mark(0, 0), NAMES.events, None, value, partition=partition)
        await self._publisher.publish([entry])
