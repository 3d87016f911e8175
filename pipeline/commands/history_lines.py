"""One line of a history file: a Segment call or batch, or one with its Kafka time and place."""

from typing import Any, Final, NamedTuple, TypeGuard

import orjson

from pipeline.domain.times import parse_instant

Place = tuple[str, int, int]
_WHOLE_MAX: Final = 2**63 - 1


class BadLine(ValueError):
    """A line that is no record; the message says what it is and what to write."""


class Line(NamedTuple):
    """A record. `at` is its log time (ms); `place` is topic, partition and offset, where given."""

    at: int
    value: bytes
    place: Place | None


def read_line(line: bytes) -> Line:
    """A line of JSON lines. Raises `BadLine`."""
    try:
        call = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadLine(f"not JSON ({error}): write one event a line") from None
    if not isinstance(call, dict):
        raise BadLine("not an object: write one Segment event a line")
    if "value" not in call or "type" in call or "batch" in call:
        return Line(_known(_log_time(call)), line, None)
    given, inner = call.get("timestamp"), call["value"]
    at = _log_time(inner) if given is None else parse_instant(given)
    try:
        value = orjson.dumps(inner)
    except orjson.JSONEncodeError:
        raise BadLine("its value is nested too deep: leave the line out") from None
    return Line(_known(at), value, _place(call))


def _known(at: int | None) -> int:
    if at is None:
        raise BadLine(
            "no receivedAt or timestamp, so no log time: add one, or write"
            ' {"timestamp": ms, "value": {...}}'
        )
    return at


def _place(call: dict[str, Any]) -> Place | None:
    """Where a record stood in its topic: the id of an event without a messageId hangs on it."""
    partition, offset = call.get("partition"), call.get("offset")
    topic = call.get("topic", "segment.raw")
    if partition is None and offset is None:
        return None
    if _whole(partition) and _whole(offset) and isinstance(topic, str):
        return topic, partition, offset
    raise BadLine(
        "`partition` and `offset` are whole numbers and go together, `topic` is text:"
        " write them as Kafka has them, or none of them"
    )


def _whole(number: object) -> TypeGuard[int]:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _WHOLE_MAX


def _log_time(call: Any) -> int | None:
    """When a record of a file is taken: receivedAt, else timestamp; a batch by its own or last."""
    if not isinstance(call, dict):
        return None
    for name in ("receivedAt", "received_at", "timestamp"):
        if (at := parse_instant(call.get(name))) is not None:
            return at
    batch = call.get("batch")
    times = [at for each in batch if (at := _log_time(each))] if isinstance(batch, list) else []
    return max(times, default=None)
