"""Events within records and state: a tuple, with properties and context as bytes of their own.

These are decoded when a rule reads them, and else passed on as they are. What is read and written
again keeps its bytes, so that it makes no difference whether somebody read them.
"""

from typing import Any, Final

import msgspec

from pipeline.domain.events import Details, Event

_Content = tuple[dict[str, object], dict[str, object]]
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Content)


class Undecoded(Details):
    """Details that are bytes until somebody asks."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        """As `to_wire` gave them."""
        self.raw = raw

    def __getattr__(self, name: str) -> Any:
        """Asked for what is not there yet."""
        if name not in Details.__slots__:
            raise AttributeError(name)
        self.properties, self.context = _decoder.decode(self.raw)
        return getattr(self, name)


def to_wire(value: object) -> bytes:
    """An encoder's hook for what msgspec does not know."""
    if type(value) is Undecoded:
        return value.raw
    assert isinstance(value, Details)
    return _encoder.encode((value.properties, value.context))


def from_wire(wanted: type, value: Any) -> object:
    """A decoder's hook: details, or any `object`, which is as it is."""
    return Undecoded(value) if wanted is Details else value


def as_tuple(event: dict[str, object]) -> list[object]:
    """An event of version 1, which was a map, as `Event` is read now."""
    event["details"] = _encoder.encode((event["properties"], event["context"]))
    return [event[name] for name in Event._fields]
