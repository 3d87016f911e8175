"""The history that `pipeline check --history` compares a rulebook with."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.commands.common import CHECK_FAILED, Failure, run, settings
from pipeline.process.history import Happened
from pipeline.process.observing import observe
from pipeline.rulebook.checks.observed import Observed
from pipeline.rulebook.load import Document

if TYPE_CHECKING:
    from pipeline.commands.histories import Reader
    from pipeline.settings import Settings

TOPIC: Final = "topic"
SAMPLE: Final = 100_000
"""The newest records of the raw topic that are looked at, of all partitions together."""


def read_history(history: str, document: Document) -> Observed:
    """Look through a file of JSON lines, or for `topic` through the newest of the raw topic."""
    from pipeline.commands.histories import from_file

    found = settings()
    if history == TOPIC:
        if not found.kafka.servers:
            raise Failure("KAFKA_BOOTSTRAP_SERVERS not set: give the address that `up` prints")
        records = _from_topic(found)
    else:
        records = from_file(Path(history))
    observed = run(observe(records, document, found.region))
    if not observed.calls:
        raise Failure(f"{history}: there is no event in it: name another history", CHECK_FAILED)
    return observed


async def _from_topic(found: "Settings") -> AsyncIterator[Happened]:
    from pipeline.adapters.kafka_connection import Connection
    from pipeline.adapters.kafka_reader import KafkaReader

    connection = Connection(found.kafka)
    try:
        async for record in newest(KafkaReader(found.kafka, connection), found.names.raw):
            yield record
    finally:
        await connection.close()


async def newest(reader: "Reader", topic: str, sample: int = SAMPLE) -> AsyncIterator[Happened]:
    """The last records of each partition, as many of each, in no order between them."""
    ends = await reader.ends(topic)
    each = sample // max(1, len(ends))
    begin = {number: max(0, end - each) for number, end in ends.items()}
    async for kept in reader.read(topic, begin=begin):
        place = (kept.topic, kept.partition, kept.offset)
        yield Happened(max(1, kept.timestamp), kept.value, kept.timestamp, place)
