"""Two topics of three partitions on a real broker, and what tests do with them."""

import uuid
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

T = TypeVar("T")


class Log:
    """Two topics of three partitions and a group of their own."""

    partitions = 3

    def __init__(self, servers: str) -> None:
        name = uuid.uuid4().hex[:8]
        self.servers = servers
        self.raw, self.events, self.group = f"raw-{name}", f"events-{name}", f"group-{name}"

    async def create(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            topics = [NewTopic(t, self.partitions, 1) for t in (self.raw, self.events)]
            await admin.create_topics(topics)
        finally:
            await admin.close()

    async def write(self, topic: str, count: int, first: int = 0, codec: str | None = None) -> None:
        """Numbers, dealt to the partitions in turn."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.servers, linger_ms=5, compression_type=codec
        )
        await producer.start()
        try:
            for i in range(first, first + count):
                await producer.send(topic, b"%d" % i, partition=i % self.partitions)
        finally:
            await producer.stop()

    async def write_transaction(self, topic: str, count: int, abort: bool = False) -> None:
        """Into partition 0, which then ends with a marker."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.servers, transactional_id=uuid.uuid4().hex
        )
        await producer.start()
        try:
            await producer.begin_transaction()
            for i in range(count):
                await producer.send(topic, b"%d" % i, partition=0)
            await (producer.abort_transaction() if abort else producer.commit_transaction())
        finally:
            await producer.stop()

    async def committed(self, topic: str) -> list[int | None]:
        return await self._ask(lambda c: self._committed(c, topic))

    async def commit(self, topic: str, partition: int, offset: int) -> None:
        tp = TopicPartition(topic, partition)

        async def do(consumer: AIOKafkaConsumer) -> None:
            consumer.assign([tp])
            await consumer.commit({tp: offset})

        await self._ask(do)

    async def ends(self, topic: str) -> list[int]:
        async def do(consumer: AIOKafkaConsumer) -> list[int]:
            tps = [TopicPartition(topic, p) for p in range(self.partitions)]
            return [(await consumer.end_offsets([tp]))[tp] for tp in tps]

        return await self._ask(do)

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            tp = TopicPartition(topic, partition)
            await admin.delete_records({tp: RecordsToDelete(before_offset=offset)})
        finally:
            await admin.close()

    async def topics(self) -> set[str]:
        return await self._ask(lambda c: c.topics())

    async def _committed(self, consumer: AIOKafkaConsumer, topic: str) -> list[int | None]:
        tps = [TopicPartition(topic, p) for p in range(self.partitions)]
        return [await consumer.committed(tp) for tp in tps]

    async def _ask(self, question: Callable[[AIOKafkaConsumer], Awaitable[T]]) -> T:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.servers, group_id=self.group, enable_auto_commit=False
        )
        await consumer.start()
        try:
            return await question(consumer)
        finally:
            await consumer.stop()
