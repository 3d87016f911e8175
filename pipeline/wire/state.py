"""Entities as bytes in the store, under keys that no raw input can shape.

A value holds a version, the kind, the id and the entity. Ids of erased people are not kept: the
key, a digest, is enough to know them again.
"""

import hashlib
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, TypeVar, get_args

import msgspec

from pipeline.domain.entities import Address, Case, Device, Entity, Node, Person
from pipeline.domain.messages import HOPS
from pipeline.domain.refs import EntityKind, Ref
from pipeline.domain.versions import Pause, Ruling
from pipeline.wire.events import as_tuple
from pipeline.wire.messages import from_wire, to_wire

T = TypeVar("T")

VERSION: Final = 2
OLDEST: Final = 1
"""What it still reads: fields that came later have defaults."""

_TYPES: Final[dict[EntityKind, type[Entity]]] = {
    "person": Person,
    "device": Device,
    "case": Case,
    "address": Address,
    "directory": Node,
}
_DIRECTORY: Final = Ref("directory", "")
_KIND_SUMS: Final = {kind: zlib.crc32(kind.encode()) for kind in get_args(EntityKind)}
_encoder: Final = msgspec.msgpack.Encoder(enc_hook=to_wire)
_envelope: Final = msgspec.msgpack.Decoder(tuple[int, EntityKind, str, msgspec.Raw])
_bodies: Final = {
    kind: msgspec.msgpack.Decoder(cls, dec_hook=from_wire) for kind, cls in _TYPES.items()
}


class UnreadableState(Exception):
    """Stored bytes that this code must not overwrite: corrupt, or of a newer version."""


@lru_cache(maxsize=100_000)
def entity_key(ref: Ref) -> bytes:
    """The store key of an entity: kind and digest."""
    digest = hashlib.blake2b(ref.id.encode(), digest_size=16, person=ref.kind.encode())
    return ref.kind[:2].encode() + b":" + digest.digest()


def partition_of(ref: Ref, partitions: int) -> int:
    """Where an entity lives; the directory of merges is one entity in many pieces."""
    if ref.kind == "directory":
        ref = _DIRECTORY
    return zlib.crc32(ref.id.encode(), _KIND_SUMS[ref.kind]) % partitions


def encode_entity(ref: Ref, entity: Entity) -> bytes:
    """As the store keeps it."""
    return _encoder.encode((VERSION, ref.kind, "" if _forgotten(entity) else ref.id, entity))


def _forgotten(entity: Entity) -> bool:
    match entity:
        case Person() | Device():
            return entity.erased
        case Address():
            subscribed = any(consent.subscribed for consent in entity.consents.values())
            return not (subscribed or entity.user_ids or entity.open or entity.queue or entity.held)
        case _:
            return False


def decode_entity(value: bytes) -> tuple[Ref, Entity]:
    """Read an entity. Raises `UnreadableState`."""
    try:
        version, kind, id_, body = _envelope.decode(value)
        _check(version)
        if version == 1 and kind == "device":
            device = msgspec.msgpack.decode(body)
            events = [{"event": as_tuple(event)} for event in device["queue"]]
            device["queue"] = [(0, "did", _encoder.encode(event)) for event in events]
            body = msgspec.Raw(_encoder.encode(device))
        return Ref(kind, id_), _bodies[kind].decode(body)
    except (msgspec.MsgspecError, KeyError) as error:
        raise UnreadableState("stored state is not readable") from error


@dataclass(slots=True)
class Ledger:
    """What a partition knows of itself.

    `log_time` never goes back; `clock` is the latest tick's. `taken` holds, for every log that
    records come from, the last position taken: what is not newer is a repetition. `last` is the
    offset and the digest of the last record taken: it tells this log from another one. `poison`
    counts the records up to it, in a row, that were put aside. `causes` is what `Progress` says of
    them.
    """

    log_time: int = 0
    clock: int = 0
    taken: dict[str, tuple[int, int]] = field(default_factory=dict)
    last: tuple[int, bytes] | None = None
    poison: int = 0
    causes: list[int] = field(default_factory=list)

    def note_cause(self, depth: int, offset: int) -> None:
        """The record at this offset, of this depth, caused another one."""
        if not self.causes:  # what was before is not known
            self.causes = [offset] * HOPS
        for each in range(min(depth + 1, HOPS)):
            self.causes[each] = offset


@dataclass(slots=True)
class Shelf:
    """The rulebooks a partition knows, as documents by digest, and the one in force.

    By journey: what applies ruled on open waits, and its last pause.
    """

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    current: str | None = None
    rulings: dict[str, Ruling] = field(default_factory=dict)
    pauses: dict[str, Pause] = field(default_factory=dict)


LEDGER_KEY: Final = b"ledger"
SHELF_KEY: Final = b"shelf"

_own: Final = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])
_ledger: Final = msgspec.msgpack.Decoder(Ledger)
_shelf: Final = msgspec.msgpack.Decoder(Shelf)


def encode_own(own: Ledger | Shelf) -> bytes:
    """A partition's own state."""
    return _encoder.encode((VERSION, own))


def decode_ledger(value: bytes | None) -> Ledger:
    """The ledger; a new one where there is none. Raises `UnreadableState`."""
    return Ledger() if value is None else _decode_own(value, _ledger)


def decode_shelf(value: bytes | None) -> Shelf:
    """The shelf; an empty one where there is none. Raises `UnreadableState`."""
    return Shelf() if value is None else _decode_own(value, _shelf)


def _decode_own(value: bytes, decoder: msgspec.msgpack.Decoder[T]) -> T:
    try:
        version, body = _own.decode(value)
        _check(version)
        return decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise UnreadableState("stored state is not readable") from error


def _check(version: int) -> None:
    if not OLDEST <= version <= VERSION:
        raise UnreadableState(f"state version {version}, this code reads {OLDEST} to {VERSION}")


class Identity(msgspec.Struct, frozen=True):
    """Whose state a store holds. `begin`: by partition the offset that the fold began at.

    `rebuilding`: the state is being removed; what is still there is worth nothing.
    """

    version: int
    instance: str
    events: str
    partitions: int
    cluster: str
    topic: str
    begin: tuple[int, ...]
    rebuilding: bool = False


def encode_identity(identity: Identity) -> bytes:
    """As JSON, for people too."""
    return msgspec.json.encode(identity)


def decode_identity(value: bytes) -> Identity:
    """Raises `UnreadableState`."""
    try:
        identity = msgspec.json.decode(value, type=Identity)
    except msgspec.MsgspecError as error:
        raise UnreadableState("what the guard wrote down is not readable") from error
    _check(identity.version)
    return identity
