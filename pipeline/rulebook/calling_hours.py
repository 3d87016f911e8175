"""Hours, days and holidays as a rulebook writes them, in their canonical form.

Canonical is a map of all seven days to lists of spans (`{mon: ["09:00-20:00"], ..., sun: []}`) and
a list of names of holiday sets; reading it gives itself.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from pipeline.domain.calling_hours import Holiday, Observed
from pipeline.domain.times import parse_instant
from pipeline.rulebook.shape import Node

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WINDOW_KEYS: Final = ("hours", "days", "holidays")
HOURS: Final = "00:00-24:00"
"""The default: a window that names only days is open all day."""

_CLOCK: Final = r"([01]\d|2[0-4]):([0-5]\d)"
_SPAN: Final = re.compile(rf"{_CLOCK}-{_CLOCK}", re.ASCII)
_DAY_RANGE: Final = re.compile(rf"({'|'.join(DAYS)})(?:(?:\.\.|-)({'|'.join(DAYS)}))?")
_NTH: Final = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": -1}
_MONTH_DAY: Final = r"(?:(?P<year>\d{4})-)?(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])"
_HOLIDAY: Final = re.compile(
    rf"(?:{_MONTH_DAY}|(?P<nth>{'|'.join(_NTH)}) (?P<weekday>{'|'.join(DAYS)}) of"
    r" (?P<nth_month>0[1-9]|1[0-2])|easter)(?: (?P<shift>[+-]\d{1,2}))?"
    r"(?: (?P<observed>observed)(?P<monday> monday)?)?",
    re.ASCII,
)
_MONTH_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

Hours = dict[str, Any]


def read_window(node: Node) -> Hours | None:
    """`hours`, `days` and `holidays`, or hours alone as a text or a list."""
    if not isinstance(node.value, Mapping):
        return {"hours": _each_day(_spans(node), DAYS), "holidays": []}
    return read_hours(node) if node.map(WINDOW_KEYS) else None


def read_hours(node: Node) -> Hours:
    """The same of a map that may have other keys, too."""
    none: list[str] = []
    before = len(node.findings)
    days = node.optional("days", list(DAYS), _days)
    hours = node.optional("hours", _each_day([HOURS], DAYS), _hours)
    if node.has("hours") and isinstance(node.value["hours"], Mapping) and node.has("days"):
        node.at("days").error("`days` stands beside hours that name their days", "remove `days`")
    if not node.has("hours") and not node.has("days") and not node.has("holidays"):
        node.error("this says nothing", 'write `hours: "09:00-20:00"` or `days: [mon..fri]`')
    week = {day: hours[day] if day in days else [] for day in DAYS}
    if not any(week.values()) and len(node.findings) == before:
        node.error("this never opens", "name hours on at least one day")
    return {"hours": week, "holidays": node.optional("holidays", none, _names)}


def _hours(node: Node) -> dict[str, list[str]]:
    if not isinstance(node.value, Mapping):
        return _each_day(_spans(node), DAYS)
    week: dict[str, list[str]] = {}
    for key in node.value:
        days, part = _range(key), node.at(key)
        if not days:
            part.error(f"`{key}` is no day", "write mon, tue, ... or mon..fri")
        spans = _spans(part, empty=True)
        for day in days:
            if day in week:
                part.error(f"{day} stands twice", "name every day once")
            week[day] = spans
    return _each_day([], DAYS) | week


def _each_day(spans: list[str], days: tuple[str, ...]) -> dict[str, list[str]]:
    return {day: list(spans) for day in days}


def _spans(node: Node, *, empty: bool = False) -> list[str]:
    found = []
    for each in node.list(empty=empty, single=True):
        match = _SPAN.fullmatch(each.value) if isinstance(each.value, str) else None
        if match is None or match[1] == "24" or (match[3] == "24" and match[4] != "00"):
            each.wrong("a span of hours as 09:00-20:00, up to 24:00")
        elif match[1] == match[3] and match[2] == match[4]:
            each.error(f"{each.name} is empty", f"write {HOURS} for a whole day")
        else:
            found.append(match[0])
    return sorted(set(found))


def _days(node: Node) -> list[str]:
    found: set[str] = set()
    for each in node.list(empty=False, single=True):
        days = _range(each.value)
        if not days:
            each.wrong("a day as mon, or days as mon..fri")
        found.update(days)
    return [day for day in DAYS if day in found]


def _range(text: object) -> tuple[str, ...]:
    match = _DAY_RANGE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return ()
    first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
    return tuple(DAYS[(first + ahead) % 7] for ahead in range((last - first) % 7 + 1))


def _names(node: Node) -> list[str]:
    return [name for each in node.list(single=True) if (name := each.text()) is not None]


def read_holidays(node: Node) -> list[str]:
    """A set of holidays: a text each."""
    found = []
    for each in node.list(empty=False):
        if parse_holiday(each.value) is None:
            each.wrong("a holiday as 12-25, 12-25 observed, 2026-11-27, last mon of 05, easter -2")
        else:
            found.append(each.value)
    return sorted(set(found))


def parse_holiday(text: object) -> Holiday | None:
    """One holiday; None for what is none, also for a date that never is."""
    match = _HOLIDAY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    shift, observed = int(match["shift"] or 0), _observed(match)
    if match["nth"]:
        nth, weekday = _NTH[match["nth"]], DAYS.index(match["weekday"])
        return Holiday(int(match["nth_month"]), 0, nth, weekday, shift, None, observed)
    if not match["month"]:
        return Holiday(0, shift=shift, observed=observed)
    month, day = int(match["month"]), int(match["day"])
    if day > _MONTH_DAYS[month - 1]:
        return None
    if match["year"] and parse_instant(match[0][:10]) is None:
        return None
    year = int(match["year"]) if match["year"] else None
    return Holiday(month, day, shift=shift, year=year, observed=observed)


def _observed(match: re.Match[str]) -> Observed:
    return "monday" if match["monday"] else "weekend" if match["observed"] else "never"
