"""Outward records as they are published: topic, key, bytes, CloudEvents headers."""

from typing import Final, NamedTuple

import orjson

from pipeline.domain.outputs import Decision, Output, Refused, Retraction, Trigger
from pipeline.domain.shadow import is_shadow, outside
from pipeline.domain.times import format_instant
from pipeline.wire.outputs import Json, describe

_SPECVERSION: Final = ("ce_specversion", b"1.0")
_CONTENT_TYPE: Final = ("content-type", b"application/json")


class Rendered(NamedTuple):
    """A record before its topic gets the pipeline's prefix."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def render(output: Output, *, partition: int, offset: int, nth: int, at: int) -> Rendered:
    """The record of an output that the log position given caused, at a log time."""
    if isinstance(output, Refused):
        return _dead_letter(output)
    topic, key, value, kind = describe(output)
    if isinstance(output, Trigger | Retraction | Decision) and value is not None:
        topic = _apart(topic, value)
    position = b"%d:%d:%d" % (partition, offset, nth)
    headers = (
        _SPECVERSION,
        ("ce_id", position),
        ("ce_type", b"pipeline." + kind.encode()),
        ("ce_source", b"/segment.events/%d" % partition),
        ("ce_time", format_instant(at).encode()),
        _CONTENT_TYPE,
        ("position", position),
    )
    return Rendered(
        topic=topic,
        key=key.encode() if key else None,
        value=None if value is None else orjson.dumps(value),
        headers=headers,
    )


def _apart(topic: str, value: Json) -> str:
    """What a shadow says goes to a topic of its own, under the names it would have live."""
    journey, id_ = str(value["journey"]), str(value["id"])
    if not is_shadow(journey):
        return topic
    value["journey"], value["id"] = outside(journey), outside(id_)
    return "journey.shadow"


def _dead_letter(output: Refused) -> Rendered:
    """The fold has no original bytes: the event as it was decoded, and where it stood."""
    event = output.event
    value: Json = {
        "type": event.type,
        "event": event.name,
        "messageId": event.message_id,
        "userId": event.user_id,
        "anonymousId": event.anonymous_id,
        "timestamp": format_instant(event.time),
        "properties": event.properties,
        "traits": event.traits,
        "context": event.context,
    }
    headers = {
        "reason": output.reason,
        "detail": "the rulebook refuses its ids",
        "source-topic": event.source.topic,
        "source-partition": str(event.source.partition),
        "source-offset": str(event.source.offset),
    }
    encoded = tuple((name, text.encode()) for name, text in headers.items())
    return Rendered("segment.dead-letter", None, orjson.dumps(value), encoded)
