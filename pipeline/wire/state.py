"""Entities as bytes in the store, under keys that no raw input can shape.

A value holds a version, the kind, the id and the entity. Ids of erased people are not kept: the
key, a digest, is enough to know them again.
"""

import hashlib
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import msgspec

from pipeline.domain.entities import Address, Case, Device, Entity, Node, Person
from pipeline.domain.messages import EntityKind, Ref

VERSION: Final = 1

_TYPES: Final[dict[EntityKind, type[Entity]]] = {
    "person": Person,
    "device": Device,
    "case": Case,
    "address": Address,
    "directory": Node,
}
_DIRECTORY: Final = Ref("directory", "")
_encoder: Final = msgspec.msgpack.Encoder()
_envelope: Final = msgspec.msgpack.Decoder(tuple[int, EntityKind, str, msgspec.Raw])
_bodies: Final = {kind: msgspec.msgpack.Decoder(cls) for kind, cls in _TYPES.items()}


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
    return zlib.crc32(ref.id.encode(), zlib.crc32(ref.kind.encode())) % partitions


def encode_entity(ref: Ref, entity: Entity) -> bytes:
    """As the store keeps it."""
    return _encoder.encode((VERSION, ref.kind, "" if _forgotten(entity) else ref.id, entity))


def _forgotten(entity: Entity) -> bool:
    match entity:
        case Person() | Device():
            return entity.erased
        case Address():
            subscribed = any(consent.subscribed for consent in entity.consents.values())
            return not (subscribed or entity.user_ids or entity.open or entity.queue)
        case _:
            return False


def decode_entity(value: bytes) -> tuple[Ref, Entity]:
    """Read an entity. Raises `UnreadableState`."""
    try:
        version, kind, id_, body = _envelope.decode(value)
        if version != VERSION:
            message = f"state version {version}, this code reads {VERSION}"
            raise UnreadableState(message)
        return Ref(kind, id_), _bodies[kind].decode(body)
    except (msgspec.MsgspecError, KeyError) as error:
        raise UnreadableState("stored state is not readable") from error


@dataclass(slots=True)
class Ledger:
    """What a partition knows of itself.

    `log_time` never goes back; `clock` is the latest tick's. `taken` holds, for every log that
    records come from, the last position taken: what is not newer is a repetition.
    """

    log_time: int = 0
    clock: int = 0
    taken: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Shelf:
    """The rulebooks a partition knows, as documents by digest, and the one in force."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    current: str | None = None


LEDGER_KEY: Final = b"ledger"
SHELF_KEY: Final = b"shelf"

_ledger: Final = msgspec.msgpack.Decoder(Ledger)
_shelf: Final = msgspec.msgpack.Decoder(Shelf)


def encode_own(own: Ledger | Shelf) -> bytes:
    """A partition's own state."""
    return _encoder.encode(own)


def decode_ledger(value: bytes | None) -> Ledger:
    """The ledger; a new one where there is none."""
    return Ledger() if value is None else _ledger.decode(value)


def decode_shelf(value: bytes | None) -> Shelf:
    """The shelf; an empty one where there is none."""
    return Shelf() if value is None else _shelf.decode(value)
