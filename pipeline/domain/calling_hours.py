"""Weekly hours and holidays in local time, as plain arithmetic on days and minutes.

Local time is an integer like an instant: milliseconds since 1970-01-01T00:00 on the wall clock. A
day is the number of its date since then, a window a weekly pattern in minutes of its day.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Literal, TypeAlias

from pipeline.domain.times import DAY, MINUTE

MINUTES: Final = 24 * 60
_EPOCH: Final = date(1970, 1, 1)
_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday; Monday is 0

Observed: TypeAlias = Literal["never", "monday", "weekend"]
Spans: TypeAlias = tuple[tuple[int, int], ...]
"""From and to in minutes of a day, the first in and the second out; beyond 1440: the next day."""


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day of every year, or of one: a date, the nth weekday of a month (-1 the last), or Easter.

    `month` 0 is Easter Sunday. `shift` days are added. `observed`: on a Sunday also the Monday
    after (`monday`), and on a Saturday also the Friday before (`weekend`).
    """

    month: int
    day: int = 0
    nth: int = 0
    weekday: int = 0
    shift: int = 0
    year: int | None = None
    observed: Observed = "never"

    def days(self, year: int) -> list[int]:
        """The days that it closes, by the year in which it falls."""
        found = self._date(year) if self.year in {None, year} else None
        if found is None:
            return []
        day = (found - _EPOCH).days + self.shift
        closed = [day]
        weekday = (day + _EPOCH_WEEKDAY) % 7
        if self.observed != "never" and weekday == 6:  # noqa: PLR2004 - Sunday
            closed.append(day + 1)
        if self.observed == "weekend" and weekday == 5:  # noqa: PLR2004 - Saturday
            closed.append(day - 1)
        return closed

    def _date(self, year: int) -> date | None:
        if self.month == 0:
            return easter(year)
        if self.nth == 0:
            leap = self.month == 2 and self.day == 29 and not _is_leap(year)  # noqa: PLR2004
            return None if leap else date(year, self.month, self.day)
        if self.nth < 0:
            last = date(year + self.month // 12, self.month % 12 + 1, 1) - timedelta(days=1)
            return last - timedelta(days=(last.weekday() - self.weekday) % 7)
        first = date(year, self.month, 1)
        ahead = (self.weekday - first.weekday()) % 7 + 7 * (self.nth - 1)
        found = first + timedelta(days=ahead)
        return found if found.month == self.month else None


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876)."""
    century, rest = divmod(year, 100)
    epact = 19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3
    moon = (epact + 15) % 30
    week = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    late = (year % 19 + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * late + 114, 31)
    return date(year, month, day + 1)


@dataclass(frozen=True, slots=True)
class Window:
    """When it is open: spans of each weekday from Monday, counted to the day on which they begin.

    A holiday is closed from midnight to midnight, also for what began the evening before.
    """

    name: str
    week: tuple[Spans, ...]
    holidays: tuple[Holiday, ...] = ()
    _closed: dict[int, frozenset[int]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def next_open(self, local: int, limit: int) -> int | None:
        """The first local time from `local` on and before `limit` at which it is open."""
        for day in range(local // DAY, (limit - 1) // DAY + 1):
            for start, end in self._spans(day):
                opens = max(local, day * DAY + start * MINUTE)
                if opens < min(limit, day * DAY + end * MINUTE):
                    return opens
        return None

    def _spans(self, day: int) -> list[tuple[int, int]]:
        """Of a date, in order of their beginnings; they may overlap."""
        if self._is_holiday(day):
            return []
        weekday = (day + _EPOCH_WEEKDAY) % 7
        found = list(self.week[weekday])
        before = self.week[weekday - 1]
        if any(end > MINUTES for _, end in before) and not self._is_holiday(day - 1):
            found += [(0, end - MINUTES) for _, end in before if end > MINUTES]
        return sorted((start, min(end, MINUTES)) for start, end in found)

    def _is_holiday(self, day: int) -> bool:
        if not self.holidays:
            return False
        year = (_EPOCH + timedelta(days=day)).year
        closed = self._closed.get(year)
        if closed is None:
            # what is observed may lie in the year before or after
            near = range(max(1, year - 1), min(9998, year + 1) + 1)
            closed = frozenset(
                day for holiday in self.holidays for other in near for day in holiday.days(other)
            )
            self._closed[year] = closed
        return day in closed
