"""What the app, Faust's consumer and its thread have in common."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.worker.lanes import Lanes
from pipeline.worker.ledger import Ledger
from pipeline.worker.options import Hooks, Options


@dataclass(frozen=True, slots=True)
class Shared:
    """Hangs on the transport, the one object that Faust gives to all of its parts."""

    options: Options
    hooks: Hooks
    topics: frozenset[str]
    ledger: Ledger
    lanes: Lanes
    fail: Callable[[BaseException], None]
