"""The sample data of `schemas/examples/`: its placeholders for times, and how it is sent."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.domain.times import format_instant
from pipeline.ports import Entry, Mark
from pipeline.rulebook.durations import parse_duration

FOLDER: Final = Path(__file__).parents[2] / "schemas" / "examples"
_NOW: Final = re.compile(r"\{now(?:([+-])(\d+[smhd]))?\}")


@dataclass(frozen=True, slots=True)
class Sample:
    """A record to send, after a pause."""

    pause_seconds: float
    key: bytes | None
    template: Any
    raw: bytes | None

    def value(self, now: int) -> bytes:
        """With the times filled in."""
        return orjson.dumps(_filled(self.template, now)) if self.raw is None else self.raw


def read_samples(path: Path = FOLDER / "events.jsonl") -> list[Sample]:
    """All records of the file, in the order of sending."""
    samples = []
    for line in path.read_bytes().splitlines():
        made = orjson.loads(line)
        key, raw = made.get("key"), made.get("raw")
        samples.append(
            Sample(
                pause_seconds=made.get("delayMs", 0) / 1000,
                key=None if key is None else key.encode(),
                template=made.get("value"),
                raw=None if raw is None else raw.encode(),
            )
        )
    return samples


async def due_samples(
    samples: list[Sample], topic: str, now: Callable[[], int]
) -> AsyncIterator[Entry]:
    """Each record when its time has come."""
    for number, sample in enumerate(samples):
        await asyncio.sleep(sample.pause_seconds)
        yield Entry(Mark(number, 1), topic, sample.key, sample.value(now()))


def _filled(value: Any, now: int) -> Any:
    match value:
        case str():
            return _NOW.sub(lambda match: _instant(match, now), value)
        case dict():
            return {name: _filled(each, now) for name, each in value.items()}
        case list():
            return [_filled(each, now) for each in value]
        case _:
            return value


def _instant(match: re.Match[str], now: int) -> str:
    sign, length = match.groups()
    shift = parse_duration(length) or 0 if length else 0
    return format_instant(now - shift if sign == "-" else now + shift)
