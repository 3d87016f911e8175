"""What the guard asks of Kafka: which log this is, where it begins and ends, what was published."""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from io import BytesIO
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from pipeline.adapters.kafka_client import client_args, translated
from pipeline.adapters.kafka_connection import Connection, LogEnds
from pipeline.adapters.kafka_offsets import GroupOffsets
from pipeline.adapters.kafka_reader import KafkaReader
from pipeline.adapters.kafka_transactions import place_of
from pipeline.names import Names
from pipeline.ports import Bounds, Mark
from pipeline.settings import KafkaSettings

_NO_ID = bytes(16)


class _Uuid(AbstractType[bytes]):
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class _Answer(Response):
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):
    """Metadata v10, the first that tells a topic's id; aiokafka ends at v5."""

    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_id", _Uuid), ("topic", CompactString("utf-8")), ("tags", TaggedFields)
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Metadata(Request[_Question]):
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_Question]) -> _Question:
        topics: list[tuple[bytes, str, Any]] = [(_NO_ID, self._topic, {})]
        return request_struct_class(topics, False, False, False, {})  # noqa: FBT003


class KafkaGuardLog:
    """Fulfils `GuardLog`."""

    def __init__(
        self, kafka: KafkaSettings, names: Names, partitions: int, connection: Connection
    ) -> None:
        self._kafka = kafka
        self._names = names
        self._partitions = partitions
        self._connection = connection
        self._ends = LogEnds(connection)

    async def source(self) -> tuple[str, str]:
        """See `GuardLog`. Topics have ids from Kafka 2.8 on."""
        with translated(f"asking for the id of {self._names.events}"):
            client = await self._connection.client()
            try:
                node = client.get_random_node()
                answer = await client.send(node, _Metadata(self._names.events))
            except (NotImplementedError, IncompatibleBrokerVersion):
                return "", ""
            ((code, _, topic, *_),) = answer.topics
            if code:
                raise for_code(code)(self._names.events)
        return answer.cluster_id or "", "" if topic == _NO_ID else topic.hex()

    async def bounds(self) -> Mapping[int, Bounds]:
        """See `GuardLog`."""
        ends = await self._ends.ends([self._names.events])
        starts = await self._ends.starts(list(ends))
        return {
            partition: Bounds(starts[topic, partition], end)
            for (topic, partition), end in ends.items()
        }

    async def first(self, wanted: Callable[[bytes], bool]) -> tuple[int, int] | None:
        """See `GuardLog`."""
        reader = KafkaReader(self._kafka, self._connection)
        records = reader.read(self._names.events, wanted=lambda kept: wanted(kept.value or b""))
        async with aclosing(records) as found:
            async for kept in found:
                return kept.partition, kept.offset
        return None

    async def places(self) -> Mapping[int, Mark]:
        """See `GuardLog`."""
        group = self._names.relay_group
        found = await GroupOffsets(self._connection).committed(
            group, self._names.events, range(self._partitions)
        )
        return {partition: place_of(at, group) for partition, at in found.items()}

    async def published(self) -> bool:
        """See `GuardLog`."""
        names = self._names
        topics = (names.triggers, names.decisions, names.contacts, names.optins, names.evidence)
        return any((await self._ends.ends(topics)).values())

    async def workers(self) -> int:
        """See `GuardLog`."""
        admin = AIOKafkaAdminClient(**client_args(self._kafka))
        with translated(f"asking who is in group {self._names.worker_group}"):
            try:
                await admin.start()
                found: Any = await admin.describe_consumer_groups([self._names.worker_group])
            finally:
                await admin.close()
        return sum(len(group[5]) for answer in found for group in answer.groups)
