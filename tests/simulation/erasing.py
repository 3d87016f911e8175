"""What an erasure means for who is named by the id that was erased: triggers end, and stay away."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.domain.times import MINUTE, parse_instant

Json = dict[str, Any]


class Erased:
    """Ids with the log time of their erasure."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}

    def note(self, id_: str, at: int) -> None:
        """An erasure stands in the log."""
        self._at.setdefault(id_, at)

    def forbids(self, trigger: Json) -> bool:
        """Whether it says that it fired afterwards."""
        at = self._of(trigger)
        return at is not None and at < _ms(trigger["firedAt"])

    def kept(self, triggers: Mapping[str, Json], retracted: Mapping[str, Json]) -> Iterator[str]:
        """Triggers that could still be retracted, and were not."""
        for id_, trigger in triggers.items():
            at = self._of(trigger)
            if at is not None and at < _ms(trigger["expiresAt"]) - MINUTE and id_ not in retracted:
                yield f"trigger {id_[:8]} was not retracted by an erasure"

    def _of(self, trigger: Json) -> int | None:
        return self._at.get(trigger["userId"] or trigger["anonymousId"])


def _ms(text: str) -> int:
    instant = parse_instant(text)
    assert instant is not None
    return instant
