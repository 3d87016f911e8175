"""What a history shows a rulebook: every record decoded as in production, in whatever order."""

from collections.abc import AsyncIterable

from pipeline.domain.events import Source
from pipeline.process.history import Happened
from pipeline.rulebook.checks.observed import Observed, Observer
from pipeline.rulebook.compile import compile_rulebook
from pipeline.rulebook.load import Document
from pipeline.wire.segment import decode


async def observe(
    records: AsyncIterable[Happened], document: Document, region: str = "US"
) -> Observed:
    """Take in a history; records that can't be used are counted and say nothing."""
    observer = Observer(compile_rulebook(document))
    async for record in records:
        observer.observed.records += 1
        source = Source(*(record.place or ("history", 0, observer.observed.records)))
        decoded = decode(record.value, source, record.kafka_time or record.at, region)
        for event in decoded.events:
            observer.take(event)
    return observer.observed
