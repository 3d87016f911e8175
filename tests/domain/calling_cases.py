"""Calling rules and instants for tests, with the world's real clocks."""

from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.domain.calling_rules import CallingRules, Place
from pipeline.domain.times import MINUTE
from pipeline.rulebook.calling import read_calling
from pipeline.rulebook.calling_compile import compile_calling
from pipeline.rulebook.findings import Finding
from pipeline.rulebook.shape import Node

NEW_YORK, CHICAGO = "America/New_York", "America/Chicago"


def rules(**content: Any) -> CallingRules:
    findings: list[Finding] = []
    made = read_calling(Node(content, "calling.yaml", findings))
    assert findings == []
    return compile_calling(made)


@cache
def zone_info(name: str) -> ZoneInfo:
    """From the package: the machine's own data may be older."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    """An instant by the wall clock of a zone."""
    moment = datetime.fromisoformat(text).replace(tzinfo=zone_info(zone), fold=fold)
    return int(moment.timestamp() * 1000)


def place(*zones: str, regions: tuple[str, ...] = ("US-NY",), **more: Any) -> Place:
    return Place(zones=zones, regions=regions, **more)


def _date(moment: datetime) -> tuple[int | None, int, int]:
    return moment.year, moment.month, moment.day


def open_by_hand(calling: CallingRules, instant: int, zones: tuple[str, ...]) -> bool:
    """Whether every window is open at the minute of an instant, from what wall clocks show.

    Holidays are dates of one year.
    """
    windows = [each.window for each in calling.own] + [each.window for each in calling.rules]
    for zone in zones:
        local = datetime.fromtimestamp(instant // MINUTE * 60, zone_info(zone))
        now = local.hour * 60 + local.minute
        today, before = local.weekday(), (local.weekday() - 1) % 7
        for window in windows:
            closed = {(day.year, day.month, day.day) for day in window.holidays}
            begun = any(start <= now < end for start, end in window.week[today])
            left = any(now < end - 1440 for _, end in window.week[before])
            left = left and _date(local - timedelta(days=1)) not in closed
            if _date(local) in closed or not (begun or left):
                return False
    return True
