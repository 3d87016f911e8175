"""What the transport can be told, and what it asks of the processes it serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from faust.types import TP

from pipeline.settings import KafkaSettings

EARLIEST = -2
"""As an own position: the oldest record that is still there."""


@dataclass(frozen=True, slots=True)
class Options:
    """Times in seconds, sizes in bytes."""

    kafka: KafkaSettings
    group: str
    instance: str | None = None
    """Static membership: a restart within the session time keeps its partitions."""
    session: float = 10.0
    heartbeat: float = 3.0
    rebalance: float = 30.0
    stuck: float = 90.0
    """A handler that takes longer fails the worker; one that reads nothing leaves the group."""
    patience: float = 8.0
    """How long a rebalance or a stop waits for the batches in hand before it cancels them."""
    commit: float = 0.1
    """Seconds between commits: the barrier waits for them."""
    records: int = 2000
    """Of a partition in one batch."""
    together: int = 1000
    """Records up to which batches that wait are handled in one call."""
    depth: int = 2500
    """Records of a partition, queued or in hand, up to which another batch of it is taken: the back
    pressure."""
    linger: float = 0.025
    """Read linger: a fetch waits so long for `linger_bytes` to come together."""
    linger_bytes: int = 1 << 20
    fetch_bytes: int = 1 << 20
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"

    def __post_init__(self) -> None:
        if self.patience + 10 > self.rebalance:
            raise ValueError("patience must leave 10 s of the rebalance timeout for the hooks")


class Hooks(Protocol):
    """Called one at a time, never two at once; an exception in any of them ends the worker."""

    async def on_assigned(self, tps: set[TP]) -> None:
        """Before anything is read from these partitions: fence, open, take over.

        May come twice for the same partitions without `on_revoked` in between.
        """

    async def positions(self, tps: set[TP]) -> Mapping[TP, int]:
        """Where to start: an offset or EARLIEST. What is left out starts where the group
        committed, or at the earliest record if it never did."""

    async def on_revoked(self, tps: set[TP]) -> None:
        """No handler runs for these any more and their offsets are committed; let go of them.

        May come late: after a lost session somebody else may own them already. Not called when
        the worker fails.
        """


class NoHooks:
    """Partitions come and go unnoticed, and all start where the group committed."""

    async def on_assigned(self, tps: set[TP]) -> None:
        """Nothing."""

    async def positions(self, tps: set[TP]) -> Mapping[TP, int]:
        """None of our own."""
        return {}

    async def on_revoked(self, tps: set[TP]) -> None:
        """Nothing."""
