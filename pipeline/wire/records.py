"""`segment.events` as bytes: messages between entities, and the control records beside them.

msgpack; each record starts with the format's version and the kind of its message, so that older
code refuses what it cannot read instead of guessing.
"""

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec

from pipeline.domain import messages
from pipeline.domain.messages import Message, Position, Record, Ref
from pipeline.domain.versions import Ruling

VERSION: Final = 2
OLDEST: Final = 1
"""What it still reads: fields that came later have defaults."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Everything written to the raw topic up to `time` (ms) has been taken into account."""

    time: int


@dataclass(frozen=True, slots=True)
class Announce:
    """A rulebook that may come into force: from now on its journeys can be pinned."""

    digest: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Enforce:
    """The announced rulebook of this digest decides from here on.

    `rulings`: by journey what becomes of waits that are open by now.
    """

    digest: str
    rulings: dict[str, Ruling] = field(default_factory=dict)


Control: TypeAlias = Tick | Announce | Enforce

MESSAGES: Final = {
    "did": messages.Did,
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
CONTROLS: Final = {"tick": Tick, "announce": Announce, "enforce": Enforce}

_NAMES: Final[dict[type, str]] = {cls: name for name, cls in (MESSAGES | CONTROLS).items()}
_Raw: TypeAlias = tuple[int, str, msgspec.Raw, tuple[Ref, Position | None, int | None] | None]
_encoder: Final = msgspec.msgpack.Encoder()
_envelope: Final = msgspec.msgpack.Decoder(_Raw)
_messages: Final[dict[str, msgspec.msgpack.Decoder[Message]]] = {
    name: msgspec.msgpack.Decoder(cls) for name, cls in MESSAGES.items()
}
_controls: Final[dict[str, msgspec.msgpack.Decoder[Control]]] = {
    name: msgspec.msgpack.Decoder(cls) for name, cls in CONTROLS.items()
}


class UnreadableRecord(ValueError):
    """Not a record of ours, or one of a newer version."""


def encode(record: Record) -> bytes:
    """A message to an entity."""
    head = (record.to, record.position, record.at)
    return _encoder.encode((VERSION, _NAMES[type(record.message)], record.message, head))


def encode_control(control: Control) -> bytes:
    """A record for a whole partition."""
    return _encoder.encode((VERSION, _NAMES[type(control)], control, None))


def decode(value: bytes) -> Record | Control:
    """Read either. Raises `UnreadableRecord`."""
    try:
        version, name, body, head = _envelope.decode(value)
        if not OLDEST <= version <= VERSION:
            raise UnreadableRecord(
                f"record version {version}, this code reads {OLDEST} to {VERSION}"
            )
        if head is None:
            return _controls[name].decode(body)
        to, position, at = head
        return Record(to, position, at, _messages[name].decode(body))
    except (msgspec.MsgspecError, KeyError) as error:
        raise UnreadableRecord("not a record of segment.events") from error
