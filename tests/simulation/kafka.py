"""The brokers: logs, transactions with fencing, committed offsets. Each method is one instant."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka.errors import ProducerFenced

from pipeline.adapters.kafka_offsets import Committed
from tests.simulation.loop import SimLoop
from tests.simulation.network import Service

TIMEOUT = 10.0
Headers = tuple[tuple[str, bytes], ...]


class Written(NamedTuple):
    """What a producer writes."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Record(NamedTuple):
    """As a consumer gets it; the timestamp is its append time, never going back."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass
class Transaction:
    """Of one transactional id; `records` and `places` are what its open transaction holds."""

    epoch: int = 0
    number: int = 0
    records: list[tuple[str, int, Written]] = field(default_factory=list)
    places: dict[tuple[str, str, int], Committed] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        return bool(self.records or self.places)

    def abort(self) -> None:
        self.number += 1
        self.records, self.places = [], {}


class Kafka:
    """State of the cluster. `read_committed` is the only view that is kept."""

    def __init__(self, loop: SimLoop, wall: Callable[[], int]) -> None:
        self.service = Service("kafka")
        self.logs: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        self.offsets: dict[tuple[str, str, int], Committed] = {}
        self.transactions: defaultdict[str, Transaction] = defaultdict(Transaction)
        self.on_append: Callable[[str, int], None] = lambda *_: None
        self.on_visible: Callable[[str, list[tuple[str, Record]]], None] = lambda *_: None
        """Told of the records of each transaction, with the id that wrote it."""
        self._loop = loop
        self._wall = wall

    def append(self, topic: str, partition: int, records: Sequence[Written]) -> list[Record]:
        log = self.logs[topic, partition]
        last = log[-1].timestamp if log else 0
        now = max(last, self._wall())
        start = len(log)
        added = [Record(start + n, now, *record) for n, record in enumerate(records)]
        log += added
        self.on_append(topic, partition)
        return added

    def end(self, topic: str, partition: int) -> int:
        return len(self.logs[topic, partition])

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Record]:
        return self.logs[topic, partition][offset : offset + limit]

    # transactions

    def start(self, name: str) -> int:
        """A new producer under this id: the one before is fenced, what it left open aborted."""
        transaction = self.transactions[name]
        transaction.epoch += 1
        transaction.abort()
        return transaction.epoch

    def add(self, name: str, epoch: int, topic: str, partition: int, some: list[Written]) -> None:
        transaction = self._of(name, epoch)
        self._begin(name, transaction)
        transaction.records += [(topic, partition, record) for record in some]

    def add_place(self, name: str, epoch: int, place: tuple[str, str, int], at: Committed) -> None:
        transaction = self._of(name, epoch)
        self._begin(name, transaction)
        transaction.places[place] = at

    def commit(self, name: str, epoch: int) -> None:
        """Records and places become visible together."""
        transaction = self._of(name, epoch)
        records, places = transaction.records, transaction.places
        transaction.abort()
        self.offsets |= places
        self.on_visible(
            name,
            [
                (topic, written)
                for topic, partition, record in records
                for written in self.append(topic, partition, [record])
            ],
        )

    def _of(self, name: str, epoch: int) -> Transaction:
        transaction = self.transactions[name]
        if transaction.epoch != epoch:
            raise ProducerFenced
        return transaction

    def _begin(self, name: str, transaction: Transaction) -> None:
        if not transaction.open:
            transaction.number += 1
            self._loop.outside(TIMEOUT, self._expire, name, transaction.number)

    def _expire(self, name: str, number: int) -> None:
        """Nobody ended it: the broker aborts it, and its producer may not go on."""
        transaction = self.transactions[name]
        if transaction.open and transaction.number == number:
            transaction.epoch += 1
            transaction.abort()

    # committed offsets

    def committed(self, group: str, topic: str, partition: int) -> Committed | None:
        return self.offsets.get((group, topic, partition))

    def unstable(self, place: tuple[str, str, int]) -> bool:
        """Whether an open transaction holds a newer one."""
        return any(place in each.places for each in self.transactions.values())
