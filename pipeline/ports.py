"""What the processes ask of the outside. Adapters fulfil it; memory ones are real adapters too.

A *partition* here is one of `segment.events`; the store keeps a partition's state under its own
name and only the partition's owner writes it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

MAX_RECORD: Final = 4 * 1024 * 1024
"""Bytes, key and value, of one record of ours: a dead letter carries a whole raw record."""

TOGETHER: Final = 32
"""Entries of an outbox that a commit writes as one: an entry by itself costs several times more."""


class Mark(NamedTuple):
    """A place in a partition's log: an offset and an index within what the record caused.

    As a watermark: everything before it is in the state. `Mark(8, 0)` says that offset 7 is done
    and 8 comes next; `Mark(8, 3)` that of a tick at offset 8 three portions are done.
    As the name of an outbox entry: what the record at that offset caused, in order from 1.
    Marks of one partition compare as tuples do, and only grow.
    """

    offset: int
    index: int  # type: ignore[assignment]  # tuples have a method of this name


START = Mark(0, 0)


class Entry(NamedTuple):
    """One record waiting to be published."""

    mark: Mark
    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None
    """Given for internal records; outward ones go where Kafka's own partitioner sends their key."""


@dataclass(slots=True)
class Change:
    """All that one commit writes, together with the new watermark."""

    watermark: Mark
    entities: dict[bytes, bytes | None] = field(default_factory=dict)
    """By entity key; None removes."""
    due: dict[bytes, int | None] = field(default_factory=dict)
    """Next instant (ms) at which the entity wants a tick; None takes it off the index."""
    internal: list[Entry] = field(default_factory=list)
    outward: list[Entry] = field(default_factory=list)
    causes: Sequence[int] = ()
    """See `Progress`."""


class Progress(NamedTuple):
    """How far a partition is, as the barrier sees it."""

    watermark: Mark
    unpublished: Mark | None
    """The first internal entry that was not trimmed: all before it are published. None: all are."""
    due: int | None
    """The earliest instant at which something is due."""
    causes: Sequence[int] = ()
    """By depth (see `Position`) the last offset at which a record of it, or of a larger one, caused
    another record; empty where it is not known."""


class Store(Protocol):
    """State of all partitions. Raises `StoreUnavailable` where it can't be reached."""

    async def watermark(self, partition: int) -> Mark | None:
        """Where this partition's state stands; None where it has none yet."""

    async def load(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """The entities' bytes, in the order of the keys; one round trip."""

    async def load_at(
        self, partition: int, keys: Sequence[bytes]
    ) -> tuple[Mark | None, list[bytes | None]]:
        """As `load`, with the watermark at which they are so.

        What is folded further must be of the watermark that the commit expects: a store that went
        on and then back would accept a change that was made of what it has forgotten.
        """

    async def due_at(
        self, partition: int, until: int, limit: int, skip: int = 0
    ) -> tuple[Mark | None, list[bytes]]:
        """As `due`, with the watermark at which they are."""

    async def due(self, partition: int, until: int, limit: int, skip: int = 0) -> list[bytes]:
        """Keys of entities due at or before `until`, by (instant, key).

        At most `limit`, after the first `skip` of them.
        """

    async def commit(self, partition: int, expected: Mark | None, change: Change) -> bool:
        """Write all of `change` if the watermark still is `expected`, else nothing and False."""

    async def outbox(
        self, partition: int, *, internal: bool, after: Mark | None, limit: int
    ) -> list[Entry]:
        """Entries of one of the two outboxes in order, later than `after`."""

    async def trim(self, partition: int, *, internal: bool, upto: Mark) -> None:
        """Forget entries up to and including `upto`: they were published and acknowledged.

        Entries of one commit go in lots of `TOGETHER`, each once all of it may go.
        """

    async def progress(self, partitions: Iterable[int]) -> Mapping[int, Progress]:
        """Of every partition given, in one round trip."""


class InternalPublisher(Protocol):
    """Publishes to `segment.events`; one for a process. Order is kept within a target partition."""

    async def publish(self, entries: Sequence[Entry]) -> None:
        """Return when all are acknowledged. Any failure is final: the process must end."""


class OutwardPublisher(Protocol):
    """Publishes a partition's outward records exactly once; one for an owned partition."""

    async def open(self) -> Mark | None:
        """Fence the predecessor, settle what it left, and tell how far it had published."""

    async def publish(self, entries: Sequence[Entry]) -> None:
        """Publish all, and the last one's mark as the place reached, or nothing.

        Returns when the place was read back: then the entries may be forgotten.
        Without entries the place is written again: brokers forget one that is not renewed.
        Raises `Fenced` when another owner has taken over and `Unsettled` when it can't be known
        whether it worked; then `open` must come before the next publish.
        """

    async def close(self) -> None:
        """Give the partition up."""


class Log(Protocol):
    """What the barrier needs to know of Kafka, and where it writes ticks."""

    async def raw_ends(self) -> Mapping[tuple[str, int], int]:
        """The raw topic's end offsets (the next to be written), by topic and partition."""

    async def normalized(self) -> Mapping[tuple[str, int], int]:
        """The normalize group's committed offsets: committed once what followed is acknowledged."""

    async def event_ends(self) -> Mapping[int, int]:
        """End offsets of `segment.events`, by partition."""

    async def append(self, partition: int, value: bytes) -> None:
        """Append a control record (a tick, a rulebook, an erasure) and wait for it."""


class Bounds(NamedTuple):
    """Where a partition's log begins, and the next offset to be written."""

    start: int
    end: int


class GuardStore(Protocol):
    """What the guard asks of the store: whose state this is."""

    async def watermark(self, partition: int) -> Mark | None:
        """As `Store` has it."""

    async def outbox(
        self, partition: int, *, internal: bool, after: Mark | None, limit: int
    ) -> list[Entry]:
        """As `Store` has it."""

    async def identity(self) -> bytes | None:
        """What was written down when this state began; None where nothing was."""

    async def identify(self, value: bytes, *, replace: bool = False) -> None:
        """Write it down where nothing is, or anew."""

    async def forget(self, partition: int) -> None:
        """Remove all that is kept of a partition, its watermark first."""


class GuardLog(Protocol):
    """What the guard asks of Kafka. Raises `LogUnavailable`."""

    async def source(self) -> tuple[str, str]:
        """Ids of the cluster and of `segment.events`; "" for what the brokers do not tell."""

    async def bounds(self) -> Mapping[int, Bounds]:
        """Of every partition of `segment.events`."""

    async def first(self, wanted: Callable[[bytes], bool]) -> tuple[int, int] | None:
        """Partition and offset of a record of `segment.events` that is wanted, if there is one."""

    async def places(self) -> Mapping[int, Mark]:
        """By partition, how far the relays have published; those that never did are left out."""

    async def published(self) -> bool:
        """Whether there is any outward record."""

    async def workers(self) -> int:
        """How many are in the workers' group."""


class Clock(Protocol):
    """Wall time; only the leader, the commands and measurements read it."""

    def now(self) -> int:
        """Milliseconds since 1970, UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class StoreUnavailable(Exception):
    """The store can't be reached or refuses (memory, wrong version); the message says which."""


class LogUnavailable(Exception):
    """Kafka can't be reached or refuses; the message says what."""


class Unsettled(Exception):
    """A publish was cut off half way: its outcome is known only after opening again."""


class Fenced(Exception):
    """Another owner took this partition's producer; give the partition up."""
