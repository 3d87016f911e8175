"""A point in time as commands are given it."""

from typing import Any

import click

from pipeline.domain.times import parse_instant


class Instant(click.ParamType):
    """RFC 3339, a day, or epoch seconds or milliseconds; becomes milliseconds."""

    name = "T"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Read it; what is no time ends the command with what to write."""
        instant = parse_instant(str(value))
        if instant is None:
            self.fail(f"{value!r} is no time: write 2026-03-03T15:00:00Z or 2026-03-03")
        return instant
