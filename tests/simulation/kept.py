"""What a store holds of people, devices and the rest: its records, decoded."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.domain.entities import Entity
from pipeline.domain.refs import Ref
from pipeline.wire.state import LEDGER_KEY, SHELF_KEY, decode_entity


class Kept(NamedTuple):
    """One of them."""

    key: bytes
    value: bytes
    ref: Ref
    entity: Entity


def kept(state: Any) -> Iterator[Kept]:
    """Of one partition."""
    for key, value in state.entities.items():
        if key not in (LEDGER_KEY, SHELF_KEY):
            yield Kept(key, value, *decode_entity(value))
