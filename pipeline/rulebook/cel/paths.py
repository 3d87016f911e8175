"""The names and fields that a condition can read, and how messages write them."""

from collections.abc import Iterable
from typing import Final, TypeAlias

from pipeline.rulebook.findings import nearest

Path: TypeAlias = tuple[str, ...]

ALL_NAMES: Final = frozenset(
    {"properties", "context", "type", "event", "start", "traits", "events"}
)
START_FIELDS: Final = ("properties", "context", "type", "event", "timestamp")
EVENT_FIELDS: Final = ("count", "first", "last")
_NAME_MAX: Final = 60
"""Of a name that somebody mistyped, in a message."""


def fields_of(path: Path) -> tuple[str, ...]:
    """The fields that there can be, where that is known."""
    match path:
        case ("start",):
            return START_FIELDS
        case ("events", _):
            return EVENT_FIELDS
        case _:
            return ()


def may_miss(path: Path) -> bool:
    """Whether reading it can fail because nothing stands there."""
    match path:
        case (_,) | ("start", _) | ("events", _) | ("events", _, "count"):
            return False
        case _:
            return True


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A message for a name that isn't known, with the nearest that is."""
    near = nearest(name, known)
    short = name if len(name) <= _NAME_MAX else f"{name[:_NAME_MAX]}…"
    return f"unknown {kind} `{short}`" + (f": did you mean `{near}`?" if near else "")


def shown(path: Path) -> str:
    """A path as one writes it."""
    steps = (f".{name}" if name.isidentifier() else f'["{name}"]' for name in path[1:])
    return path[0] + "".join(steps)
