"""Stands in for `AIOKafkaProducer` under the production publishers, and for their offset reader."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaError, ProducerFenced

from pipeline.adapters.kafka_offsets import Committed
from tests.simulation.kafka import Headers, Kafka, Written
from tests.simulation.network import Lost, Network

UNSTABLE_PAUSE = 0.05


class Batch:
    """A record batch that is being filled."""

    def __init__(self) -> None:
        self.records: list[Written] = []

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: Iterable[tuple[str, bytes]],
    ) -> object:
        del timestamp
        self.records.append(Written(key, value, tuple(headers)))
        return self

    def close(self) -> None:
        """Nothing more is added."""


class Cluster:
    """Where producers connect to; set for the seed that runs."""

    def __init__(self, network: Network, kafka: Kafka) -> None:
        self.network, self.kafka = network, kafka


class Client:
    async def close(self) -> None:
        """As of aiokafka's client."""


class Producer:
    """What the publishers use of `AIOKafkaProducer`."""

    cluster: Cluster

    def __init__(self, *, transactional_id: str | None = None, **_: Any) -> None:
        self._network, self._kafka = self.cluster.network, self.cluster.kafka
        self._id = transactional_id
        self._epoch = 0
        self._closed = False
        self._begun = False
        self._next = 0.0
        self._sender = SimpleNamespace(sender_task=None)
        self._message_accumulator = SimpleNamespace(fail_all=lambda _: None)
        self._txn_manager = None
        self.client = Client()

    async def start(self) -> None:
        if self._id is not None:
            self._epoch = await self._ask(partial(self._kafka.start, self._id))

    async def stop(self) -> None:
        self._closed = True

    async def partitions_for(self, _: str) -> set[int]:
        return {0}

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(
        self, batch: Batch, topic: str, *, partition: int
    ) -> "asyncio.Future[Any]":
        """In order within the producer; a plain one repeats until it is told that it worked."""
        if self._id is None:
            write: Callable[[], Any] = partial(self._kafka.append, topic, partition, batch.records)
        else:
            assert self._begun
            write = partial(self._kafka.add, self._id, self._epoch, topic, partition, batch.records)
        return asyncio.ensure_future(self._ask(write))

    async def begin_transaction(self) -> None:
        assert not self._begun
        self._begun = True

    async def send_offsets_to_transaction(self, offsets: Mapping[Any, Any], group: str) -> None:
        assert self._id is not None
        for where, at in offsets.items():
            place = (group, where.topic, where.partition)
            committed = Committed(at.offset, at.metadata)
            await self._ask(partial(self._kafka.add_place, self._id, self._epoch, place, committed))

    async def commit_transaction(self) -> None:
        assert self._id is not None
        await self._ask(partial(self._kafka.commit, self._id, self._epoch), may_fail=True)
        self._begun = False

    async def _ask(self, effect: Any, *, may_fail: bool = False) -> Any:
        """Retries are the client's: a repeated request is known by its number and done once."""
        once = _Once(effect)
        while True:
            self._next = max(self._next, self._network.loop.now) + 1e-6
            try:
                return await self._network.request(self._kafka.service, once, self._next)
            except Lost as lost:
                if self._closed or (may_fail and self._network.loop.rng.random() < 0.5):
                    raise KafkaError("no answer") from lost


class _Once:
    """A request that the broker knows again."""

    def __init__(self, effect: Any) -> None:
        self._effect = effect
        self._done = False
        self._result: Any = None

    def __call__(self) -> Any:
        if not self._done:
            self._result = self._effect()
            self._done = True
        return self._result


class Offsets:
    """What the publishers use of `GroupOffsets`: waits where a transaction hides newer ones."""

    def __init__(self, cluster: Cluster) -> None:
        self._network, self._kafka = cluster.network, cluster.kafka

    async def committed(
        self, group: str, topic: str, partitions: Iterable[int]
    ) -> dict[int, Committed]:
        places = [(group, topic, partition) for partition in partitions]

        def look() -> dict[int, Committed] | None:
            if any(self._kafka.unstable(place) for place in places):
                return None
            offsets = self._kafka.offsets
            return {place[2]: offsets[place] for place in places if place in offsets}

        while True:
            try:
                found = await self._network.request(self._kafka.service, look)
            except Lost:
                continue
            if found is not None:
                return dict(found)
            await asyncio.sleep(UNSTABLE_PAUSE)


__all__ = ["Batch", "Cluster", "Headers", "Offsets", "Producer", "ProducerFenced"]
