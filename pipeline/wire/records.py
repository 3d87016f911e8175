"""`segment.events` as bytes: messages between entities, and the control records beside them.

msgpack; each record starts with the format's version and the kind of its message, so that older
code refuses what it cannot read instead of guessing.
"""

from dataclasses import dataclass, field
from types import GenericAlias
from typing import Any, Final, TypeAlias

import msgspec

from pipeline.domain.messages import HOPS, Message, Position, Record
from pipeline.domain.refs import Ref
from pipeline.domain.versions import Ruling
from pipeline.wire.events import as_tuple
from pipeline.wire.messages import DECODERS, MESSAGES, from_wire, to_wire

VERSION: Final = 2
OLDEST: Final = 1
"""What it still reads: fields that came later have defaults."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Everything written to the raw topic up to `time` (ms) has been taken into account.

    `most`: so many entities are decided at it, those that are due longest; the others stay due for
    the next tick, which comes behind what has come in meanwhile. 0: all.
    """

    time: int
    most: int = 0


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

CONTROLS: Final = {"tick": Tick, "announce": Announce, "enforce": Enforce}

_NAMES: Final[dict[type, str]] = {cls: name for name, cls in (MESSAGES | CONTROLS).items()}
_Head: TypeAlias = tuple[Ref, Position | None, int | None]
_encoder: Final = msgspec.msgpack.Encoder(enc_hook=to_wire)
_envelope: Final = msgspec.msgpack.Decoder(tuple[int, str, msgspec.Raw, _Head | None])
_fields: Final = msgspec.msgpack.Decoder(dict[str, Any])
_controls: Final[dict[str, msgspec.msgpack.Decoder[Control]]] = {
    name: msgspec.msgpack.Decoder(cls) for name, cls in CONTROLS.items()
}

_LENGTH: Final = 0x1F
"""Of a kind's name, the third byte: with it a record tells by its first bytes what it is."""
_whole: Final = {
    _encoder.encode((VERSION, name, 0, 0))[:-2]: msgspec.msgpack.Decoder(
        GenericAlias(tuple, (int, str, cls, _Head)), dec_hook=from_wire
    )
    for name, cls in MESSAGES.items()
}


class UnreadableRecord(ValueError):
    """Not a record of ours, or one of a newer version."""


def encode(record: Record) -> bytes:
    """A message to an entity."""
    return encode_message(*record)


def encode_message(
    to: Ref, position: tuple[str, int, int, int] | None, at: int | None, message: Message
) -> bytes:
    """As `encode`, of the fields of a record."""
    return _encoder.encode((VERSION, _NAMES[type(message)], message, (to, position, at)))


def encode_control(control: Control) -> bytes:
    """A record for a whole partition."""
    return _encoder.encode((VERSION, _NAMES[type(control)], control, None))


def decode(value: bytes) -> Record | Control:
    """Read either. Raises `UnreadableRecord`."""
    try:
        if (whole := _whole.get(value[: 3 + (value[2] & _LENGTH)])) is not None:
            _, _, message, (to, position, at) = whole.decode(value)
            return Record(to, position, at, message)
        return _decode_other(value)
    except (msgspec.MsgspecError, LookupError) as error:
        raise UnreadableRecord("not a record of segment.events") from error


def _decode_other(value: bytes) -> Record | Control:
    """A control record, or what is not of this version."""
    version, name, body, head = _envelope.decode(value)
    if not OLDEST <= version <= VERSION:
        raise UnreadableRecord(f"record version {version}, this code reads {OLDEST} to {VERSION}")
    if head is None:
        return _controls[name].decode(body)
    message = _fields.decode(body)
    if isinstance(event := message.get("event"), dict):
        message["event"] = as_tuple(event)
    to, position, at = head
    if position is not None and position.log.startswith("events/"):
        position = position._replace(depth=HOPS)  # version 1 did not tell
    return Record(to, position, at, DECODERS[name].decode(_encoder.encode(message)))
