"""One bare client of a process, for what consumers and producers don't offer; log ends by it."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from pipeline.adapters.kafka_client import client_args, translated
from pipeline.ports import LogUnavailable
from pipeline.settings import KafkaSettings

_READ_COMMITTED: Final = 1
_LATEST: Final = -1
_EARLIEST: Final = -2
_SECONDS: Final = 10.0
_MISSING_SECONDS: Final = 2.0
"""So long a topic that is not in the metadata is asked for again."""
_PAUSE: Final = 0.05

Place = tuple[str, int]


class _Missing(UnknownTopicOrPartitionError):
    """Not in the metadata: an update that was under way may have been asked for others only."""


class Connection:
    """Connects at first use."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._args = client_args(kafka)
        self._client: Any = None
        self._starting = asyncio.Lock()

    async def client(self) -> Any:
        """The client, connected."""
        async with self._starting:
            if self._client is None:
                client = AIOKafkaClient(**self._args, request_timeout_ms=int(_SECONDS * 1000))
                try:
                    await client.bootstrap()
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


class LogEnds:
    """Reads where logs begin and end, as `read_committed` sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ends(self, topics: Sequence[str]) -> dict[Place, int]:
        """The next offset to be written, of every partition that there is at this moment."""

        async def ask() -> dict[Place, int]:
            client = await self._connection.client()
            for topic in topics:
                client.add_topic(topic)  # `set_topics` would take away those of others
            # partitions may have been added, and no record of theirs may be overlooked
            if not await client.force_metadata_update():
                raise LeaderNotAvailableError("no metadata")
            places = [(t, p) for t in topics for p in self._partitions(client, t)]
            return await self._ask(client, places, _LATEST)

        return await self._until_led(ask, f"reading the end of {', '.join(topics)}")

    async def starts(self, places: Sequence[Place]) -> dict[Place, int]:
        """The first offset that is still there, or the end where nothing is."""

        async def ask() -> dict[Place, int]:
            return await self._ask(await self._connection.client(), places, _EARLIEST)

        return await self._until_led(ask, "reading the start of topics")

    @staticmethod
    async def _until_led(
        ask: Callable[[], Awaitable[dict[Place, int]]], what: str
    ) -> dict[Place, int]:
        """While leaders move or a topic is just being made, ask again."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with translated(what):
            async with asyncio.timeout(_SECONDS):
                while True:
                    try:
                        return await ask()
                    except _Missing as missing:
                        if loop.time() > begun + _MISSING_SECONDS:
                            raise LogUnavailable(missing.args[0]) from None
                    except KafkaError as error:
                        if not error.retriable:
                            raise
                    await asyncio.sleep(_PAUSE)

    @staticmethod
    def _partitions(client: Any, topic: str) -> list[int]:
        found = client.cluster.partitions_for_topic(topic)
        if not found:
            raise _Missing(f"Kafka: topic {topic} is missing: run `pipeline topics create`")
        return sorted(found)

    async def _ask(self, client: Any, places: Sequence[Place], when: int) -> dict[Place, int]:
        by_leader: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for topic, partition in places:
            leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
            if leader is None or leader < 0:
                client.force_metadata_update()
                raise LeaderNotAvailableError(f"{topic} {partition}")
            by_leader[leader][topic].append((partition, when))
        answers = await asyncio.gather(
            *(self._ask_leader(client, leader, asked) for leader, asked in by_leader.items())
        )
        return {place: offset for answer in answers for place, offset in answer.items()}

    @staticmethod
    async def _ask_leader(
        client: Any, leader: int, asked: dict[str, list[tuple[int, int]]]
    ) -> dict[Place, int]:
        if not await client.ready(leader):
            raise NodeNotReadyError(f"broker {leader}")
        answer = await client.send(leader, OffsetRequest(-1, _READ_COMMITTED, list(asked.items())))
        found: dict[Place, int] = {}
        for topic, partitions in answer.topics:
            for partition, code, _, offset in partitions:
                if code:
                    client.force_metadata_update()
                    raise for_code(code)(f"{topic} {partition}")
                found[topic, partition] = offset
        return found
