"""Where a backtest's history comes from: the raw topic, or a file of JSON lines."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from heapq import heapify, heappop, heapreplace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pipeline.commands.history_file import opened, read_file
from pipeline.process.history import Happened

if TYPE_CHECKING:
    from pipeline.adapters.kafka_reader import Kept
    from pipeline.settings import Settings

Expect: TypeAlias = Callable[[int], None]
"""Told once, before the first record, how many there are about."""


class Reader(Protocol):
    """What of the Kafka reader is used."""

    async def ends(self, topic: str) -> dict[int, int]:
        """The next offset to be written, by partition."""

    async def starts(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """The first offset that is still there, by partition."""

    def read(
        self, topic: str, *, begin: Mapping[int, int] | None = None
    ) -> "AsyncGenerator[Kept, None]":
        """The records of these partitions from these offsets to the current end."""


def _nobody(_: int) -> None:
    pass


async def from_file(path: Path, *, expect: Expect = _nobody) -> AsyncGenerator[Happened, None]:
    """The lines in order of log time; of one instant in the order of the file.

    Raises `Failure` for the first line that is no record, before any is given.
    """
    with opened(path) as file:
        count, records = read_file(path, file)
        expect(count)
        for record in records:
            yield record


async def from_topic(
    settings: "Settings", *, expect: Expect = _nobody
) -> AsyncGenerator[Happened, None]:
    """The raw topic in order of Kafka time; the order within each partition is kept."""
    from pipeline.commands.reach import reach

    async with reach(settings) as pipeline:
        found = in_log_order(pipeline.reader, settings.names.raw, expect=expect)
        async with aclosing(found) as records:
            async for record in records:
                yield record


async def in_log_order(
    reader: Reader, topic: str, *, expect: Expect = _nobody
) -> AsyncGenerator[Happened, None]:
    """A topic's partitions merged by Kafka time. Holds one batch a partition, not the topic."""
    ends = await reader.ends(topic)
    starts = await reader.starts(topic, list(ends))
    expect(sum(ends[n] - starts[n] for n in ends))
    async with AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(aclosing(_partition(reader, topic, number, start)))
            for number, start in starts.items()
        ]
        async for record in _merged(streams):
            yield record


async def _partition(
    reader: Reader, topic: str, number: int, start: int
) -> AsyncGenerator[Happened, None]:
    """One partition; its log time never goes back, as the fold's does not."""
    at = 1
    async with aclosing(reader.read(topic, begin={number: start})) as records:
        async for kept in records:
            at = max(at, kept.timestamp)
            place = (kept.topic, kept.partition, kept.offset)
            yield Happened(at, kept.value, kept.timestamp, place)


async def _merged(
    streams: Sequence[AsyncGenerator[Happened, None]],
) -> AsyncIterator[Happened]:
    """Ordered streams as one, by log time and place."""
    # all at once, so that all of them end at the same moment's end of the topic
    firsts = await asyncio.gather(*(anext(stream, None) for stream in streams))
    heap = [
        (first.at, first.place, number, first)
        for number, first in enumerate(firsts)
        if first is not None
    ]
    heapify(heap)
    while heap:
        _, _, number, record = heap[0]
        yield record
        following = await anext(streams[number], None)
        if following is None:
            heappop(heap)
        else:
            heapreplace(heap, (following.at, following.place, number, following))
