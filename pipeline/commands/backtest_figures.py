"""The figures of a backtest as rows, for the terminal and the page alike."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.commands.backtest_study import Side, Study
from pipeline.domain.times import DAY
from pipeline.process.comparison import Sum
from pipeline.process.tally import FIRED, RETRACTED, Ended, Tally, Went

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BUCKETS_MAX: Final = 62
_WIDTHS: Final = (1, 7, 30, 90, 365, 3650, 36500)


class Days(NamedTuple):
    """Triggers by equally many days: `begins` are instants (ms, UTC), `width` is in days."""

    width: int
    begins: list[int]
    counts: list[list[int]]
    """By what was counted apart, each as many as `begins`."""


class Result(NamedTuple):
    """How steps of a journey ended; `counts` by side."""

    journey: str
    outcome: str
    reason: str
    counts: list[int]


class Between(NamedTuple):
    """A comparison of the first side with another: how many triggers of a journey, by who fired."""

    journey: str
    both: int
    one: int
    other: int


def results(sides: Sequence[Side]) -> list[Result]:
    """By journey: fired first, then retracted, then the rest by name."""
    keys = {
        (each.journey, each.outcome, each.reason) for side in sides for each in side.tally.ended
    }
    counts = [_by_reason(side.tally) for side in sides]
    ordered = sorted(keys, key=lambda key: (key[0], key[1] != FIRED, key[1] != RETRACTED, key))
    return [Result(*key, [count[key] for count in counts]) for key in ordered]


def _by_reason(tally: Tally) -> Counter[tuple[str, str, str]]:
    """Of all versions: a version of one rulebook stands beside another version of the other."""
    found: Counter[tuple[str, str, str]] = Counter()
    for each, count in tally.ended.items():
        found[each.journey, each.outcome, each.reason] += count
    return found


def journeys(sides: Sequence[Side]) -> list[str]:
    """Every journey that any side has or decided by."""
    named = {name for side in sides for name in side.names or ()}
    return sorted(named | {each.journey for side in sides for each in side.tally.ended})


def versions(side: Side, journey: str) -> str:
    """Of a journey: its rulebook's, and those that decided; empty where there is none."""
    made = side.document["journeys"] if side.document else ()
    found = {each["version"] for each in made if each["journey"] == journey}
    found |= {each.version for each in side.tally.ended if each.journey == journey}
    return ", ".join(str(version) for version in sorted(found))


def fired(side: Side, journey: str) -> int:
    """Triggers of a journey, of all its versions."""
    return sum(
        count
        for each, count in side.tally.ended.items()
        if each.journey == journey and each.outcome == FIRED
    )


def channels(sides: Sequence[Side]) -> list[tuple[Went, list[int]]]:
    """Triggers by journey, version, channel and variant."""
    found = [side.tally.went() for side in sides]
    return [(key, [went[key] for went in found]) for key in sorted({k for w in found for k in w})]


def variants(sides: Sequence[Side]) -> list[tuple[Ended, list[int]]]:
    """How steps of experiments ended, by variant."""
    keys = sorted({each for side in sides for each in side.tally.ended if each.variant})
    return [(key, [side.tally.ended[key] for side in sides]) for key in keys]


def days(tallies: Sequence[Counter[int]]) -> Days:
    """By day, or by as many days as make a plot that can be read; empty ones count 0."""
    seen = {day for counts in tallies for day in counts}
    if not seen:
        return Days(1, [], [[] for _ in tallies])
    first, last = min(seen), max(seen)
    width = next((w for w in _WIDTHS if (last - first) // w < BUCKETS_MAX), _WIDTHS[-1])
    begins = list(range(first, last + 1, width))
    made = [[0] * len(begins) for _ in tallies]
    for counts, by_day in zip(made, tallies, strict=True):
        for day, count in by_day.items():
            counts[(day - first) // width] += count
    return Days(width, [day * DAY for day in begins], made)


def by_day(tally: Tally) -> Counter[int]:
    """Triggers by days since 1970, in UTC."""
    found: Counter[int] = Counter()
    for (_, begin), count in tally.hours.items():
        found[begin // DAY] += count
    return found


def days_of_journeys(side: Side) -> tuple[list[str], Days]:
    """Triggers of one side: the journeys with their versions, and each one's days."""
    found: dict[tuple[str, int], Counter[int]] = {}
    for (went, begin), count in side.tally.hours.items():
        found.setdefault((went.journey, went.version), Counter())[begin // DAY] += count
    keys = sorted(found)
    return [f"{name} {version}" for name, version in keys], days([found[key] for key in keys])


def hours(tally: Tally) -> tuple[list[int], list[int]]:
    """Triggers by hour of the day, UTC and local; 24 of each."""
    utc, local = [0] * 24, [0] * 24
    for hour, count in tally.utc().items():
        utc[hour.hour] += count
    for at, count in tally.called().items():
        if at is not None:
            local[at.hour] += count
    return utc, local


def between(made: Study, number: int) -> tuple[list[Between], Counter[Sum]]:
    """What the first side and another one fired: by journey, and by what the other says."""
    if made.comparison is None:
        return [], Counter()
    sums = made.comparison.sums(0, number)
    by_side: dict[str, Counter[str]] = {}
    for each, count in sums.items():
        by_side.setdefault(each.journey, Counter())[each.side] += count
    rows = [Between(j, s["both"], s["one"], s["other"]) for j, s in sorted(by_side.items())]
    return rows, sums
