"""What a command that looks back asks of a pipeline; a running one (`reach.py`) fulfils it."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from pipeline.adapters.kafka_reader import Kept
from pipeline.ports import Clock, Store
from pipeline.process.rulebook_change import InForce
from pipeline.settings import Settings


class Archive(Protocol):
    """Topics, from what retention has left up to now."""

    def read(
        self,
        topic: str,
        *,
        wanted: Callable[[Kept], bool] = ...,
        begin: Mapping[int, int] | None = ...,
        seen: Callable[[int], None] = ...,
    ) -> AsyncIterator[Kept]:
        """The wanted records, in order within each partition; `seen` counts those looked at."""

    async def at(self, topic: str, partition: int, offset: int) -> Kept | None:
        """One record; None where there is none (any more)."""


class Past(Protocol):
    """Records, state and rules."""

    @property
    def settings(self) -> Settings:
        """Names of topics, partitions, region."""

    @property
    def store(self) -> Store:
        """The state."""

    @property
    def reader(self) -> Archive:
        """The topics."""

    @property
    def clock(self) -> Clock:
        """Wall time."""

    async def in_force(self) -> InForce:
        """The rulebook in force."""
