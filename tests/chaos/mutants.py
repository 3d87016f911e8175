"""The product broken on purpose, one promise each: what the oracle must find."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.adapters.kafka_publishers import PlainPublisher, TransactionalPublisher
from pipeline.adapters.redis_store import RedisStore
from pipeline.bootstrap import Parts
from pipeline.domain.messages import Record
from pipeline.process.barrier import Barrier
from pipeline.process.portion import Portion
from pipeline.process.state import StateProcess
from pipeline.worker.ledger import Ledger
from pipeline.worker.partitions import Partitions
from pipeline.worker.strays import Strays
from pipeline.worker.thread import BatchThread


def _replace(owner: type, name: str, broken: Callable[..., Any]) -> None:
    """For the rest of the process; what is replaced has to be there, else nothing is broken."""
    if name not in vars(owner):
        raise AttributeError(f"{owner.__name__} has no {name} of its own")
    setattr(owner, name, broken)


def _no_fence() -> None:
    """Outward records go out by a plain producer."""

    def outward(self: Parts, _: int) -> PlainPublisher:
        return PlainPublisher(self.publisher)

    _replace(Parts, "outward", outward)


def _forget_place() -> None:
    """Fenced, but what the predecessor had published is not asked for."""
    inner = TransactionalPublisher.open

    async def opened(self: TransactionalPublisher) -> None:
        await inner(self)
        self._place = None

    _replace(TransactionalPublisher, "open", opened)


def _no_compare() -> None:
    """A commit takes any watermark for the one it expects."""
    inner = RedisStore.commit

    async def commit(self: RedisStore, partition: int, _: Any, change: Any) -> bool:
        return await inner(self, partition, await self.watermark(partition), change)

    _replace(RedisStore, "commit", commit)


def _clock() -> None:
    """Ticks without a barrier."""

    async def normalized(_: Barrier, __: Any) -> None:
        return

    async def settled(self: Barrier) -> Any:
        return await self._store.progress(self._partitions)

    _replace(Barrier, "_normalized", normalized)
    _replace(Barrier, "_settled", settled)


def _committed_offsets() -> None:
    """Reading goes on where Kafka's group stands, and nobody looks for a gap."""

    async def positions(*_: Any) -> Mapping[Any, int]:
        return {}

    def see_gap(_: StateProcess) -> None:
        return

    _replace(Partitions, "positions", positions)
    _replace(StateProcess, "_see_gap", see_gap)


def _no_dedupe() -> None:
    """What another partition has sent twice is taken twice."""

    inner = Portion.take

    def take(self: Portion, record: Record, offset: int, log_time: int) -> None:
        if record.position is not None:
            self.ledger.taken.pop(record.position.log, None)
        inner(self, record, offset, log_time)

    _replace(Portion, "take", take)


def _nothing_read_again() -> None:
    """What Faust drops is taken for handled."""

    def always(*_: Any) -> bool:
        return True

    def nothing(*_: Any) -> dict[Any, int]:
        return {}

    def none(*_: Any) -> list[Any]:
        return []

    _replace(Ledger, "follows", always)
    _replace(Ledger, "in_turn", always)
    _replace(Strays, "look", nothing)
    _replace(BatchThread, "_flowing", always)
    _replace(BatchThread, "_strayed", none)


MUTANTS: Final[Mapping[str, Callable[[], None]]] = {
    "no-fence": _no_fence,
    "forget-place": _forget_place,
    "no-compare": _no_compare,
    "clock": _clock,
    "committed-offsets": _committed_offsets,
    "no-dedupe": _no_dedupe,
    "nothing-read-again": _nothing_read_again,
}
