"""Writes the golden files of the current versions: `python -m tests.golden.make`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pipeline.domain.entities import Device, Queued
from pipeline.domain.events import Event
from pipeline.domain.messages import (
    Answered,
    Did,
    Inquired,
    Offered,
    Position,
    Record,
    Returned,
)
from pipeline.domain.refs import Ref
from pipeline.wire import records, state
from pipeline.wire.messages import MESSAGES
from tests.golden.fill import fill

HERE = Path(__file__).parent


class Sample(NamedTuple):
    """A value, and its bytes by the current code."""

    folder: str
    name: str
    value: Any
    encoded: bytes


def samples() -> Iterator[Sample]:
    """One of every kind there is."""
    folder = f"records-{records.VERSION}"
    for name, message in MESSAGES.items():
        record = Record(
            Ref("person", "u1"), Position("events/7", 41, 3), 1_772_000_000_000, fill(message)
        )
        yield Sample(folder, name, record, records.encode(record))
    for name, cls in records.CONTROLS.items():
        control = fill(cls)
        yield Sample(folder, name, control, records.encode_control(control))
    folder = f"state-{state.VERSION}"
    for kind, entity_type in state._TYPES.items():
        entity = fill(entity_type)
        encoded = state.encode_entity(Ref(kind, "id"), entity)
        yield Sample(folder, kind, state.decode_entity(encoded), encoded)
    for own in (fill(state.Ledger), fill(state.Shelf)):
        yield Sample(folder, type(own).__name__.lower(), own, state.encode_own(own))
    identity = state.Identity(
        state.VERSION, "a1b2", "x.segment.events", 2, "cluster", "topic", (0, 17), rebuilding=True
    )
    yield Sample(folder, "identity", identity, state.encode_identity(identity))


def told(value: Any) -> bytes:
    """A value as JSON for people."""
    plain = msgspec.to_builtins(_named(value), str_keys=True)
    kind = type(value.message).__name__ if isinstance(value, Record) else type(value).__name__
    return msgspec.json.format(msgspec.json.encode({"is": kind, "value": plain}), indent=1) + b"\n"


def _named(value: Any) -> Any:
    """Records and events by the names of their fields, as version 1 wrote them."""
    match value:
        case Record():
            return value._asdict() | {"message": _named(value.message)}
        case Did() | Offered() | Inquired() | Answered() | Returned():
            return replace(value, event=_named(value.event))
        case (Ref() as ref, Device() as device):
            return ref, replace(device, queue=[_named(queued) for queued in device.queue])
        case Queued(at=at, message=Did(event)):
            return _named(event) | {"at": at}
        case Event():
            names = value._asdict() | {"properties": value.properties, "context": value.context}
            return {name: each for name, each in names.items() if name != "details"}
        case _:
            return value


def main() -> None:
    for sample in samples():
        path = HERE / sample.folder / f"{sample.name}.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(sample.encoded)
        path.with_suffix(".json").write_bytes(told(sample.value))


if __name__ == "__main__":
    main()
