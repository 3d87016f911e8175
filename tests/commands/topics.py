"""Topics as lists, read as the Kafka reader reads them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.adapters.kafka_reader import Kept


@dataclass
class Topics:
    """By topic and partition: Kafka time and value of its records. `held` counts open readers."""

    records: Mapping[str, Mapping[int, Sequence[tuple[int, bytes | None]]]]
    start: int = 0
    held: int = field(default=0, init=False)

    async def ends(self, topic: str) -> dict[int, int]:
        """See `Reader`."""
        return {number: self.start + len(found) for number, found in self.records[topic].items()}

    async def starts(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """See `Reader`."""
        return dict.fromkeys(partitions, self.start)

    async def read(
        self, topic: str, *, begin: Mapping[int, int] | None = None
    ) -> AsyncGenerator[Kept, None]:
        """See `Reader`."""
        self.held += 1
        try:
            for number, records in self.records[topic].items():
                if begin is not None and number not in begin:
                    continue
                first = (begin or {}).get(number, self.start)
                for offset, (at, value) in enumerate(records, self.start):
                    if offset >= first:
                        yield Kept(topic, number, offset, at, None, value, ())
        finally:
            self.held -= 1
