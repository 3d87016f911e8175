"""Messages between entities as bytes, each under a name of its own."""

from typing import Any, Final

import msgspec

from pipeline.domain import messages
from pipeline.domain.entities import Queued
from pipeline.domain.messages import Message
from pipeline.wire import events

MESSAGES: Final[dict[str, type[Message]]] = {
    "did": messages.Did,
    "offered": messages.Offered,
    "accepted": messages.Accepted,
    "inquired": messages.Inquired,
    "answered": messages.Answered,
    "returned": messages.Returned,
    "previous": messages.Previous,
    "aliased": messages.Aliased,
    "merge": messages.Merge,
    "handover": messages.Handover,
    "noted": messages.Noted,
    "ask": messages.Ask,
    "decided": messages.Decided,
    "recall": messages.Recall,
    "attempted": messages.Attempted,
    "recalled": messages.Recalled,
    "postponed": messages.Postponed,
    "ended": messages.Ended,
    "in_line": messages.InLine,
    "judged": messages.Judged,
    "let_go": messages.LetGo,
    "claimed": messages.Claimed,
    "held": messages.Held,
    "wipe": messages.Wipe,
    "erase": messages.Erase,
    "suppress": messages.Suppress,
    "erase_case": messages.EraseCase,
}
NAMES: Final = {cls: name for name, cls in MESSAGES.items()}


def to_wire(value: object) -> object:
    """An encoder's hook for what msgspec does not know."""
    if type(value) is Queued:
        message = value.message
        return value.at, NAMES[type(message)], _encoder.encode(message)
    return events.to_wire(value)


def from_wire(wanted: type, value: Any) -> object:
    """A decoder's hook: what waits, details, or any `object`, which is as it is."""
    if wanted is Queued:
        at, name, message = value
        return Queued(at, DECODERS[name].decode(message))
    return events.from_wire(wanted, value)


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=to_wire)
DECODERS: Final[dict[str, msgspec.msgpack.Decoder[Message]]] = {
    name: msgspec.msgpack.Decoder(cls, dec_hook=from_wire) for name, cls in MESSAGES.items()
}
