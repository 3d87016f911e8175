"""Instants are whole milliseconds since 1970 UTC, durations whole milliseconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SKEW = 5 * MINUTE  # how far in the future a time may be (rules 1, 13, 14)

_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")
_NUMBER = re.compile(r"\d+(\.\d+)?")


def duration(value: str) -> int:
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", value)
    if not found:
        raise ValueError(f"not a duration: {value!r}")
    return int(found[1]) * _UNITS[found[2]]


def instant(value: Any) -> int | None:
    """RFC 3339 text, a YAML time, epoch seconds or milliseconds; None for anything else."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, str):
        text = value.strip()
        if _RFC3339.fullmatch(text):
            try:
                return instant(datetime.fromisoformat(text.upper()))
            except ValueError:
                return None
        return _epoch(float(text)) if _NUMBER.fullmatch(text) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _epoch(float(value))
    return None


def date(value: Any) -> int | None:
    """As `instant`; a day is its midnight in UTC."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip()):
        return instant(f"{value.strip()}T00:00:00Z")
    return instant(value)


def _epoch(number: float) -> int | None:
    if not math.isfinite(number) or number <= 0:
        return None
    return round(number if number >= 1e11 else number * 1000)


def text(at: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=at)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"
