"""What chance decides by an id alone: hold-outs and experiments. A pseudonym must draw the same."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from pipeline.domain.judging import held_out
from pipeline.domain.rules import Journey
from pipeline.domain.schedule import variant_of

TRIES_MAX: Final = 200_000
"""Pseudonyms that are tried for one id; a share of one in a thousand is found long before."""


class Lots:
    """Draws for the journeys of a rulebook."""

    def __init__(self, journeys: Sequence[Journey]) -> None:
        """Journeys without a hold-out or an experiment draw nothing."""
        self._journeys = [each for each in journeys if each.holdout or each.experiment]

    def of(self, id_: str) -> tuple[object, ...]:
        """What an id draws."""
        return tuple(
            (each.holdout and held_out(each.holdout, each.name, id_), variant_of(each, id_))
            for each in self._journeys
        )

    def alike(self, id_: str, name: Callable[[int], str], taken: Collection[str]) -> str:
        """The first of the names that is free and draws the same; the first free if none does."""
        drawn = self.of(id_)
        free = (made for n in range(TRIES_MAX) if (made := name(n)) not in taken and made != id_)
        first = next(free)
        if self.of(first) == drawn:
            return first
        return next((made for made in free if self.of(made) == drawn), first)
