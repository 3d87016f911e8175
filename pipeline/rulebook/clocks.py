"""What the wall clocks of the world show, from the IANA data of the `tzdata` package.

Always from the package, never from the machine: two workers, or a replay of last year, must not
disagree about an hour because of what an operating system brought along.
"""

from bisect import bisect_right
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.domain.calling_rules import Clock
from pipeline.domain.times import HOUR, SECOND

_DATA: Final = files("tzdata")
_STEP: Final = 6 * HOUR
"""Two changes of one zone are farther apart."""

_LAST_YEAR: Final = 9998
_FAR: Final = 2**62
_NO_PLACE: Final = ("Etc/", "SystemV/")


@cache
def zone_names() -> dict[str, str]:
    """Every zone that is somewhere, by its name in lower case.

    `UTC`, `Etc/GMT+5` and the like are what servers and careful browsers say; nobody lives there.
    """
    names = (_DATA / "zones").read_text(encoding="utf-8").split()
    return {name.lower(): name for name in names if "/" in name and not name.startswith(_NO_PLACE)}


@cache
def zones_of_countries() -> dict[str, tuple[str, ...]]:
    """By ISO 3166 code, the largest zone first."""
    found: dict[str, list[str]] = {}
    for code, _, zone, *_ in _rows("zone.tab"):
        found.setdefault(code, []).append(zone)
    return {code: tuple(zones) for code, zones in found.items()}


@cache
def country_names() -> dict[str, str]:
    """ISO 3166 codes by the country's English name in lower case."""
    return {name.lower(): code for code, name, *_ in _rows("iso3166.tab")}


def _rows(name: str) -> list[list[str]]:
    text = (_DATA / "zoneinfo" / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


@cache
def clock(zone: str) -> Clock:
    """The clock of a zone that `zone_names` has."""
    return partial(_read, zone)


def _read(zone: str, instant: int) -> tuple[int, int]:
    year = datetime.fromtimestamp(instant // SECOND, UTC).year
    if year > _LAST_YEAR:
        return _ahead(_zone(zone), _new_year(_LAST_YEAR)), _FAR
    starts, aheads = _changes(zone, year)
    place = bisect_right(starts, instant)
    until = starts[place] if place < len(starts) else _new_year(year + 1)
    return aheads[place - 1], until


@lru_cache(maxsize=4096)
def _changes(zone: str, year: int) -> tuple[list[int], list[int]]:
    """The beginnings of what its clock is ahead by within a year of UTC, the year's included."""
    info = _zone(zone)
    start, end = _new_year(year), _new_year(year + 1)
    starts, aheads = [start], [_ahead(info, start)]
    for before in range(start, end, _STEP):
        after = min(before + _STEP, end - SECOND)
        ahead = _ahead(info, after)
        if ahead != aheads[-1]:
            starts.append(_between(info, before, after))
            aheads.append(ahead)
    return starts, aheads


def _between(info: ZoneInfo, before: int, after: int) -> int:
    """The first second that has what `after` has."""
    ahead = _ahead(info, after)
    while after - before > SECOND:
        middle = (before + after) // 2 // SECOND * SECOND
        if _ahead(info, middle) == ahead:
            after = middle
        else:
            before = middle
    return after


def _ahead(info: ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant // SECOND, info).utcoffset()
    return int(offset.total_seconds()) * SECOND if offset else 0


def _new_year(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * SECOND


@cache
def _zone(name: str) -> ZoneInfo:
    with _DATA.joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)
