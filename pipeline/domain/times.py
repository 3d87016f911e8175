"""Instants as integers: milliseconds since 1970-01-01T00:00:00Z.

Producers write times in many ways (RFC 3339 with any precision and offset, a blank before the
offset, one-digit months, epoch seconds or milliseconds, as numbers or as text); `parse_instant`
reads those and nothing else, so that a guess never becomes a time.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

FUTURE_TOLERANCE: Final = 5 * MINUTE
"""How far a producer's clock may run ahead of the broker's (rules 1, 13 and 14)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_LOCAL: Final = _EPOCH.replace(tzinfo=None)
_MS: Final = timedelta(milliseconds=1)
# Digits up to here are seconds (year 5138), above it milliseconds: no real instant is both.
_SECONDS_MAX: Final = 100_000_000_000
_MILLIS_MAX: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z

_ISO: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[Tt ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r" ?(?:([Zz])|([+-])(\d{2}):?(\d{2}))?)?",
    re.ASCII,
)
_COMMON: Final = (24, 20)
"""Lengths of what most SDKs write: UTC with a Z, with milliseconds or without."""
_NUMBER: Final = re.compile(r"\d{9,14}(?:\.\d+)?", re.ASCII)


def parse_instant(value: object) -> int | None:
    """Read an instant as a producer wrote it; None where it is not one.

    Text without an offset is UTC. Numbers, also as text, are epoch seconds up to 1e11 and
    milliseconds above.
    """
    if isinstance(value, str):
        text = value.strip()
        if len(text) in _COMMON and text[-1] == "Z":
            try:
                return _since_epoch(datetime.fromisoformat(text))
            except ValueError:
                pass  # not of the form that it looks like
        return _parse_text(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _from_number(value)


def _parse_text(text: str) -> int | None:
    if _NUMBER.fullmatch(text):
        return _from_number(float(text) if "." in text else int(text))
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, off_h, off_m = match.groups()
    # a leap second is the instant before the next minute, as POSIX clocks show it
    leap = second == "60"
    try:
        offset = timedelta(hours=int(off_h), minutes=int(off_m)) if sign else timedelta(0)
        zone = timezone(-offset if sign == "-" else offset)
        parsed = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0),
            59 if leap else int(second or 0), int((fraction or "0")[:6].ljust(6, "0")), zone,
        )  # fmt: skip
    except ValueError:
        return None
    return _since_epoch(parsed)


def _since_epoch(moment: datetime) -> int | None:
    passed = moment - _EPOCH
    instant = (passed.days * 86_400 + passed.seconds) * SECOND + passed.microseconds // 1_000
    return instant if 0 < instant <= _MILLIS_MAX else None


def _from_number(value: float) -> int | None:
    if not 0 < value <= _MILLIS_MAX:
        return None
    instant = int(value * SECOND) if value <= _SECONDS_MAX else int(value)
    return instant or None  # less than a millisecond after the epoch is no time either


@lru_cache(maxsize=4096)  # what happens at once carries the same times
def format_instant(instant: int) -> str:
    """RFC 3339 in UTC with milliseconds, as every record carries it."""
    moment = _EPOCH_LOCAL + timedelta(milliseconds=instant)
    return moment.isoformat(timespec="milliseconds") + "Z"


def to_datetime(instant: int) -> datetime:
    """As a timestamp of a condition's language."""
    return _EPOCH + instant * _MS
