"""Durations as a rulebook writes them: `90s`, `15m`, `24h`, `7d`; offsets with a sign: `-2d`."""

import re
from typing import Final

from pipeline.domain.times import DAY, HOUR, MINUTE, SECOND

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"(\d{1,10})([smhd])", re.ASCII)

LONGEST: Final = 3650 * DAY


def parse_duration(text: object) -> int | None:
    """Read a duration as milliseconds; None for what is none, or is above ten years."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    length = int(match[1]) * _UNITS[match[2]]
    return length if length <= LONGEST else None


def parse_offset(text: object) -> int | None:
    """Read a duration with or without a sign as milliseconds; None for what is none."""
    if not isinstance(text, str):
        return None
    length = parse_duration(text[1:] if text[:1] in {"-", "+"} else text)
    return -length if length is not None and text.startswith("-") else length


def format_offset(length: int) -> str:
    """Write it as `parse_offset` reads it, without a `+`."""
    return f"-{format_duration(-length)}" if length < 0 else format_duration(length)


def format_duration(length: int) -> str:
    """Write whole seconds in the largest unit that divides them."""
    for unit in ("d", "h", "m"):
        if length and length % _UNITS[unit] == 0:
            return f"{length // _UNITS[unit]}{unit}"
    return f"{length // SECOND}s"
