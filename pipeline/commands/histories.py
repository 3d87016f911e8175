"""Where a backtest's history comes from: the raw topic, or a file of JSON lines."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.commands.common import Failure
from pipeline.domain.times import parse_instant
from pipeline.process.history import Happened

if TYPE_CHECKING:
    from pipeline.settings import Settings


async def from_file(path: Path) -> AsyncIterator[Happened]:
    """The lines in order of log time; of one instant in the order of the file."""
    for happened in sorted(_lines(path, _read(path)), key=lambda each: each.at):
        yield happened


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failure(f"{path}: can't be read ({error.strerror}): name a file") from None


def _lines(path: Path, data: bytes) -> Iterator[Happened]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            call = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise Failure(f"{path}:{number}: not JSON ({error}): write one event a line") from None
        if not isinstance(call, dict):
            raise Failure(f"{path}:{number}: not an object: write one Segment event a line")
        value, call_, given = line, call, None
        if "value" in call and "type" not in call and "batch" not in call:
            given, call_ = call.get("timestamp"), call["value"]
            value = orjson.dumps(call_)
        at = parse_instant(given) if given is not None else _log_time(call_)
        if at is None:
            raise Failure(
                f"{path}:{number}: no receivedAt or timestamp, so no log time: add one, or write"
                ' {"timestamp": ms, "value": {...}}'
            )
        yield Happened(at, value)


def _log_time(call: Any) -> int | None:
    """When a record of a file is taken: receivedAt, else timestamp; a batch by its own or first."""
    if not isinstance(call, dict):
        return None
    for name in ("receivedAt", "received_at", "timestamp"):
        if (at := parse_instant(call.get(name))) is not None:
            return at
    batch = call.get("batch")
    times = [at for each in batch if (at := _log_time(each))] if isinstance(batch, list) else []
    return max(times, default=None)


async def from_topic(settings: "Settings") -> AsyncIterator[Happened]:
    """The raw topic in order of Kafka time; the order within each partition is kept."""
    from pipeline.commands.reach import reach

    found: list[Happened] = []
    latest: dict[int, int] = {}
    async with reach(settings) as pipeline:
        topic = settings.names.raw
        async for kept in pipeline.reader.read(topic):
            at = latest[kept.partition] = max(latest.get(kept.partition, 1), kept.timestamp)
            place = (kept.topic, kept.partition, kept.offset)
            found.append(Happened(at, kept.value, kept.timestamp, place))
    for happened in sorted(found, key=lambda each: (each.at, each.place)):
        yield happened
