"""The fields that every Segment call has: ids, messageId, times, switches, in either spelling.

Spellings and meanings are those of Segment's "Spec: Common Fields"; SDKs in snake_case languages
write `user_id`, and some send `"userId": null` beside it, so null counts as absent.
"""

from collections.abc import Mapping
from typing import Final, cast

from pipeline.domain.events import CallType, Source
from pipeline.domain.ids import digest, key_text, usable_id
from pipeline.domain.times import FUTURE_TOLERANCE, parse_instant

MAX_MESSAGE_ID: Final = 100
"""Segment's limit; a longer one is not usable (rule 3)."""

OUR_NAMES: Final = ("Regal Voice", "Regal.io", "Regal", "pipeline")
"""Under which `integrations` switches us; case-sensitive, as Segment's names are."""

NUL: Final = "\0"
"""In an id it makes the id unusable: no two systems agree on what such a text is."""

_TYPES: Final = frozenset({"identify", "track", "page", "screen", "group", "alias"})
_INVISIBLE: Final = "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff" + "".join(
    map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
)
_BLANKS: Final = "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + _INVISIBLE


def pick(call: Mapping[str, object], camel: str, snake: str) -> object:
    """A field under its camelCase name, else under its snake_case one."""
    value = call.get(camel)
    return call.get(snake) if value is None else value


def call_type(value: object) -> CallType | None:
    """One of the six calls; capitals are tolerated, kinds of internal records are not known."""
    if not isinstance(value, str):
        return None
    name = value if value in _TYPES else value.lower()
    return cast(CallType, name) if name in _TYPES else None


def trim(text: str) -> str:
    """Without blanks, zero-width and direction characters around it."""
    return text.strip() if text.isascii() else text.strip(_BLANKS)


def read_flag(value: object) -> bool | None:
    """A boolean or exactly the text "true" or "false" (rule 12); None for anything else."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def read_id(value: object) -> str | None:
    """A userId, anonymousId, groupId or previousId; None for one that stands for nobody (rule 19).

    Numbers are their decimal text (SDKs send some ids as numbers). Case, inner blanks and Unicode
    form are the id's own: two spellings never become one person.
    """
    if value is None:
        return None
    text = value if isinstance(value, str) else _number_text(value)
    if text is None or NUL in text:
        return None
    return usable_id(text if text.isascii() else trim(text))


def read_message_id(value: object, source: Source, index: int) -> str:
    """The messageId as it is, or one derived from where the call stands in Kafka (rule 3)."""
    text = value if isinstance(value, str) else _number_text(value)
    if text is not None and len(text) <= MAX_MESSAGE_ID and trim(text):
        return text
    return digest(source.topic, str(source.partition), str(source.offset), str(index))


def _number_text(value: object) -> str | None:
    return None if isinstance(value, bool) else key_text(value)


def read_time(call: Mapping[str, object], kafka_time: int) -> int:
    """The event time of rule 1.

    An `originalTimestamp` that no server and no sentAt stands beside was never meant to be
    corrected: some SDKs (RudderStack's) name `timestamp` so, and it is taken as such.
    """
    instant = parse_instant(call.get("timestamp"))
    if instant is None:
        instant = _without_timestamp(call, kafka_time)
    return min(instant, kafka_time + FUTURE_TOLERANCE)


def _without_timestamp(call: Mapping[str, object], kafka_time: int) -> int:
    received = parse_instant(pick(call, "receivedAt", "received_at"))
    sent = parse_instant(pick(call, "sentAt", "sent_at"))
    original = parse_instant(pick(call, "originalTimestamp", "original_timestamp"))
    if received is None:
        return original if original is not None and sent is None else kafka_time
    if sent is not None and original is not None:
        corrected = received - (sent - original)
        return corrected if corrected > 0 else received
    return received


def switched_off(integrations: object) -> bool:
    """Whether the sender told Segment not to deliver this to us, opt-outs in it included.

    `All` is true unless given, a name wins over it, and settings (an object) count as on.
    """
    if not isinstance(integrations, dict) or False not in integrations.values():
        return False
    ours = [integrations.get(name) for name in OUR_NAMES]
    if any(switch is False for switch in ours):
        return True
    named_on = any(switch is True or isinstance(switch, dict) for switch in ours)
    return integrations.get("All") is False and not named_on
