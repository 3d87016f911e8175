"""Committed offsets of a group with their metadata; waits where a transaction hides newer ones."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from aiokafka.client import CoordinationType
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    NotCoordinatorError,
    RequestTimedOutError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from pipeline.adapters.kafka_client import translated
from pipeline.adapters.kafka_connection import Connection

_UNSTABLE: Final = 88
"""UNSTABLE_OFFSET_COMMIT, which aiokafka 0.14 does not know: a transaction is being settled."""
_PASSING: Final = (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaConnectionError,
    NodeNotReadyError,
    NotCoordinatorError,
    RequestTimedOutError,
)


class Committed(NamedTuple):
    """A committed offset."""

    offset: int
    metadata: str


class _Answer(Response):
    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", CompactString("utf-8")),
                        ("error_code", Int16),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("error_code", Int16),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):
    """OffsetFetch v7, the first that can ask for stable offsets; aiokafka ends at v3."""

    API_KEY = 9
    API_VERSION = 7
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("group", CompactString("utf-8")),
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")),
                ("partitions", CompactArray(Int32)),
                ("tags", TaggedFields),
            ),
        ),
        ("require_stable", Boolean),
        ("tags", TaggedFields),
    )


class _Fetch(Request[_Question]):
    API_KEY = 9

    def __init__(self, group: str, topic: str, partitions: list[int]) -> None:
        self._fields: tuple[Any, ...] = (group, [(topic, partitions, {})], True, {})

    def build(self, request_struct_class: type[_Question]) -> _Question:
        return request_struct_class(*self._fields)


class _Unstable(KafkaError):
    pass


class GroupOffsets:
    """Reads committed offsets. Needs Kafka 2.5 or later."""

    def __init__(self, connection: Connection, *, patience: float = 20.0) -> None:
        self._connection = connection
        self._patience = patience
        self._coordinators: dict[str, int] = {}

    async def committed(
        self, group: str, topic: str, partitions: Iterable[int]
    ) -> dict[int, Committed]:
        """By partition, where the group has committed one. Waits for pending transactions.

        Raises:
            LogUnavailable: when there is no stable answer in time.
        """
        request = _Fetch(group, topic, list(partitions))
        with translated(f"reading the offsets of group {group}"):
            async with asyncio.timeout(self._patience):
                return await self._until_stable(group, request)

    async def _until_stable(self, group: str, request: _Fetch) -> dict[int, Committed]:
        pause = 0.005
        while True:
            try:
                return await self._ask(group, request)
            except _Unstable:
                pass
            except _PASSING:
                self._coordinators.pop(group, None)
                pause = max(pause, 0.1)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.5)

    async def _ask(self, group: str, request: _Fetch) -> dict[int, Committed]:
        client = await self._connection.client()
        node = self._coordinators.get(group)
        if node is None:
            node = await client.coordinator_lookup(CoordinationType.GROUP, group)
            self._coordinators[group] = node
        if not await client.ready(node):
            raise NodeNotReadyError
        try:
            answer = await client.send(node, request)
        except NotImplementedError:
            raise IncompatibleBrokerVersion("this needs Kafka 2.5 or later") from None
        _raise(answer.error_code)
        found: dict[int, Committed] = {}
        for _, partitions, _ in answer.topics:
            for partition, offset, _, metadata, code, _ in partitions:
                _raise(code)
                if offset >= 0:
                    found[partition] = Committed(offset, metadata or "")
        return found


def _raise(code: int) -> None:
    if code == _UNSTABLE:
        raise _Unstable
    if code:
        raise for_code(code)
