"""How outboxes stand in Redis: streams whose items each hold a few entries of one commit.

One item an entry would cost the server and the client three times as much; the entries of an item
resemble each other, so that LZ4 makes a fraction of them in less time than copying takes. An item's
id is the mark of its last entry, so that trimming by ids takes only items whose entries all may go;
the mark of its first is beside the bytes, for the barrier. Version 1 wrote an item for each entry.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from cramjam import DecompressionError, lz4

from pipeline.ports import TOGETHER, Entry, Mark, StoreUnavailable


class _Version1(msgspec.Struct, array_like=True, frozen=True):
    """An entry without its mark, which is the id of its item."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    partition: int | None


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Entry]).decode
_decode_1: Final = msgspec.msgpack.Decoder(_Version1).decode


def mark_id(mark: Mark) -> bytes:
    """A mark as streams name their items."""
    return b"%d-%d" % mark


def id_mark(name: bytes) -> Mark:
    """The mark that it says."""
    offset, index = name.split(b"-")
    return Mark(int(offset), int(index))


def items(entries: Sequence[Entry]) -> list[Any]:
    """For each item its id, the mark of its first entry, and the bytes of all."""
    found: list[Any] = []
    for first in range(0, len(entries), TOGETHER):
        some = entries[first : first + TOGETHER]
        packed = bytes(lz4.compress_block(_encode(some)))
        found += (mark_id(some[-1].mark), mark_id(some[0].mark), packed)
    return found


def entries_of(name: bytes, fields: Mapping[bytes, bytes]) -> list[Entry]:
    """What an item holds. Raises `StoreUnavailable` where that can't be read."""
    try:
        if b"e" not in fields:
            return _decode(lz4.decompress_block(fields[b"p"]))
        one = _decode_1(fields[b"e"])
    except (KeyError, DecompressionError, msgspec.DecodeError) as error:
        raise StoreUnavailable(
            f"Redis: outbox item {name.decode()} can't be read ({error}):"
            " it was written by another version; run that one until its outbox is empty"
        ) from None
    return [Entry(id_mark(name), one.topic, one.key, one.value, one.headers, one.partition)]
