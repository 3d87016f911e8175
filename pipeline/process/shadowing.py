"""A journey in shadow beside the live one: what both fired, and what only one of them did.

Both give a step of an anchor the same id, so records of their topics go together by it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pipeline.domain.times import parse_instant

Json = dict[str, Any]
Kind: TypeAlias = Literal["both", "onlyLive", "onlyShadow"]
KINDS: Final[tuple[Kind, ...]] = ("both", "onlyLive", "onlyShadow")


@dataclass(slots=True)
class Side:
    """What one of them said, by id: the last decision counts."""

    triggers: dict[str, Json] = field(default_factory=dict)
    retractions: dict[str, Json] = field(default_factory=dict)
    decisions: dict[str, Json] = field(default_factory=dict)
    first: int | None = None
    """The instant of the earliest record, ms."""

    def take(self, record: Json) -> None:
        """Count a value of its topics in."""
        kind = record.get("type")
        if kind == "trigger":
            self.triggers[record["id"]] = record
        elif kind == "retraction":
            self.retractions[record["id"]] = record
        else:
            self.decisions[record["id"]] = record
        at = _instant(record)
        self.first = at if self.first is None else min(self.first, at)

    def why_not(self, id_: str) -> str:
        """Why it did not fire here, as `outcome reason`."""
        decision = self.decisions.get(id_)
        if decision is None:
            return "no decision"
        reason = decision["reason"]
        return f"{decision['outcome']} {reason}" if reason else str(decision["outcome"])


class Row(NamedTuple):
    """One step of an anchor that at least one of them fired.

    `reason`: why the other did not; empty where both did. `retracted`: by whom it was taken back.
    """

    kind: Kind
    trigger: Json
    reason: str
    retracted: str

    def as_json(self) -> Json:
        """As `--json` prints it."""
        shown = ("id", "journey", "version", "step", "key", "userId", "anonymousId", "channel")
        return {
            "type": self.kind,
            **{name: self.trigger[name] for name in shown},
            "firedAt": self.trigger["firedAt"],
            "reason": self.reason or None,
            "retracted": self.retracted or None,
        }


def differences(live: Side, shadow: Side, begin: int | None, end: int | None) -> Iterator[Row]:
    """All that fired from `begin` to `end`, both included, in order of time.

    Without a begin: from the first that is known of the shadow. Where both fired the live record
    stands for both.
    """
    begin = shadow.first if begin is None else begin
    fired = shadow.triggers | live.triggers
    for id_, trigger in sorted(fired.items(), key=lambda item: (item[1]["firedAt"], item[0])):
        at = _instant(trigger)
        if (begin is not None and at < begin) or (end is not None and at > end):
            continue
        sides = (("live", live), ("shadow", shadow))
        retracted = ", ".join(name for name, side in sides if id_ in side.retractions)
        if id_ not in shadow.triggers:
            yield Row("onlyLive", trigger, shadow.why_not(id_), retracted)
        elif id_ not in live.triggers:
            yield Row("onlyShadow", trigger, live.why_not(id_), retracted)
        else:
            yield Row("both", trigger, "", retracted)


def counts(rows: list[Row]) -> Counter[tuple[Kind, str]]:
    """By kind and reason."""
    return Counter((row.kind, row.reason) for row in rows)


def _instant(record: Json) -> int:
    text = record.get("firedAt") or record.get("decidedAt") or record["at"]
    instant = parse_instant(text)
    assert instant is not None
    return instant
