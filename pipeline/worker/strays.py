"""Finds what Faust lost on the way from the fetch to its lane: it has to be read again."""

from typing import Final

from faust.types import TP

from pipeline.worker.lanes import Lanes
from pipeline.worker.ledger import Batch, Ledger

PATIENCE: Final = 5.0
"""Seconds after which a batch whose lane has nothing to do is not on its way any more."""


class Strays:
    """What comes behind a lost batch tells of it at once; where nothing comes, time does."""

    def __init__(self, ledger: Ledger, lanes: Lanes) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._waiting: dict[TP, tuple[Batch, float]] = {}

    def look(self, now: float) -> dict[TP, int]:
        """Where to read on, of each partition of which something is lost."""
        waiting: dict[TP, tuple[Batch, float]] = {}
        for tp, batch in self._ledger.oldest().items():
            if self._lanes.busy(tp):
                continue
            before, since = self._waiting.get(tp, (None, now))
            if before is not batch:
                since = now
            elif now - since > PATIENCE:
                self._ledger.lose(tp)
            waiting[tp] = batch, since
        self._waiting = waiting
        return self._ledger.lost()
