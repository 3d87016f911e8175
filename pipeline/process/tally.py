"""Counts of what came of a history: by reason, hour, channel and variant; nothing else is kept.

The called person's hour is that of the phone number's time zone. Where that leaves zones open
whose clocks differ, and for an email, no hour is known: it is counted as such, never guessed.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from pipeline.domain.times import DAY, HOUR, parse_instant
from pipeline.process.history import Came
from pipeline.rulebook.zones import ATLAS

_THURSDAY: Final = 3  # 1970-01-01 was one; weeks begin on Monday, 0
FIRED: Final = "fired"
RETRACTED: Final = "retracted"


class Ended(NamedTuple):
    """How steps ended: `fired`, `retracted`, else a decision's outcome; `reason` may be empty.

    `variant` is empty for journeys without an experiment, and of retractions, which have none.
    """

    journey: str
    version: int
    variant: str
    outcome: str
    reason: str


class Went(NamedTuple):
    """Where triggers went; `variant` as above."""

    journey: str
    version: int
    channel: str
    variant: str


class HourOfWeek(NamedTuple):
    """Monday is 0."""

    weekday: int
    hour: int


@dataclass(slots=True)
class Tally:
    """Of one rulebook. A trigger that was retracted counts as fired and as retracted."""

    ended: Counter[Ended] = field(default_factory=Counter)
    hours: Counter[tuple[Went, int]] = field(default_factory=Counter)
    """Triggers by the instant (ms) at which their hour began in UTC."""
    local: Counter[tuple[Went, HourOfWeek | None]] = field(default_factory=Counter)
    """Triggers by the hour on the called person's clock; None where that is not known."""

    def take(self, came: Came) -> None:
        """Count one in."""
        kind, record = came
        outcome, reason = FIRED, ""
        if kind == "retraction":
            outcome, reason = RETRACTED, record["reason"]
        elif kind == "decision":
            outcome, reason = record["outcome"], record["reason"] or ""
        journey, version, variant = record["journey"], record["version"], record.get("variant")
        self.ended[Ended(journey, version, variant or "", outcome, reason)] += 1
        if kind == "trigger":
            went = Went(journey, version, record["channel"], variant or "")
            at = parse_instant(record["firedAt"]) or 0
            self.hours[went, at - at % HOUR] += 1
            self.local[went, local_hour(record["to"], at)] += 1

    def went(self) -> Counter[Went]:
        """Triggers by where they went."""
        found: Counter[Went] = Counter()
        for (went, _), count in self.hours.items():
            found[went] += count
        return found

    def total(self, outcome: str) -> int:
        """How many ended so, whatever the journey and reason."""
        return sum(count for each, count in self.ended.items() if each.outcome == outcome)

    @property
    def not_fired(self) -> int:
        """How many decisions there are that did not fire."""
        return self.ended.total() - self.total(FIRED) - self.total(RETRACTED)

    def utc(self) -> Counter[HourOfWeek]:
        """Triggers by hour of the week in UTC."""
        found: Counter[HourOfWeek] = Counter()
        for (_, begin), count in self.hours.items():
            found[hour_of_week(begin)] += count
        return found

    def called(self) -> Counter[HourOfWeek | None]:
        """Triggers by hour of the week on the called people's clocks."""
        found: Counter[HourOfWeek | None] = Counter()
        for (_, hour), count in self.local.items():
            found[hour] += count
        return found


def hour_of_week(instant: int) -> HourOfWeek:
    """Of an instant (ms) as a clock without a zone shows it."""
    return HourOfWeek((instant // DAY + _THURSDAY) % 7, instant % DAY // HOUR)


def local_hour(address: str, instant: int) -> HourOfWeek | None:
    """On the clock of whoever has this phone number; None where that is not known."""
    hours = {hour_of_week(instant + ATLAS.clock(zone)(instant)[0]) for zone in _zones_of(address)}
    return hours.pop() if len(hours) == 1 else None


@lru_cache(maxsize=65536)
def _zones_of(address: str) -> tuple[str, ...]:
    return ATLAS.locate({}, address, {}).zones if address.startswith("+") else ()
