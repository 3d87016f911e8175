"""What the barrier asks of Kafka."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from pipeline.adapters.kafka_connection import Connection, LogEnds
from pipeline.adapters.kafka_offsets import GroupOffsets
from pipeline.names import Names
from pipeline.ports import Entry, InternalPublisher, Mark

_NOWHERE: Final = Mark(0, 0)


class KafkaLog:
    """Fulfils `Log`.

    Ends are those of `read_committed`: a record of an open transaction is not written yet.
    """

    def __init__(
        self,
        names: Names,
        connection: Connection,
        publisher: InternalPublisher,
        *,
        raw_topics: Sequence[str] = (),
    ) -> None:
        self._raw = tuple(raw_topics) or (names.raw,)
        self._events = names.events
        self._group = names.worker_group
        self._publisher = publisher
        self._ends = LogEnds(connection)
        self._offsets = GroupOffsets(connection)
        self._known: Collection[tuple[str, int]] = ()

    async def raw_ends(self) -> Mapping[tuple[str, int], int]:
        """See `Log`."""
        ends = await self._ends.ends(self._raw)
        self._known = ends.keys()
        return ends

    async def normalized(self) -> Mapping[tuple[str, int], int]:
        """See `Log`: of the partitions that `raw_ends` has told, with which this is compared.

        Where nothing was ever committed, the group begins at the log's start.
        """
        by_topic: dict[str, list[int]] = defaultdict(list)
        for topic, partition in self._known or await self.raw_ends():
            by_topic[topic].append(partition)
        places: dict[tuple[str, int], int] = {}
        fresh: list[tuple[str, int]] = []
        for topic, partitions in by_topic.items():
            committed = await self._offsets.committed(self._group, topic, partitions)
            for partition in partitions:
                if partition in committed:
                    places[topic, partition] = committed[partition].offset
                else:
                    fresh.append((topic, partition))
        if fresh:
            places |= await self._ends.starts(fresh)
        return places

    async def event_ends(self) -> Mapping[int, int]:
        """See `Log`."""
        ends = await self._ends.ends([self._events])
        return {partition: end for (_, partition), end in ends.items()}

    async def append(self, partition: int, value: bytes) -> None:
        """See `Log`."""
        await self._publisher.publish(
            [Entry(_NOWHERE, self._events, None, value, partition=partition)]
        )
