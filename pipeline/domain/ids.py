"""Ids: which are none, how a correlation key is written, how digests are made."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from pipeline.domain.shadow import like, outside

_REFUSED: Final = frozenset(
    "null none nil nan undefined unknown anonymous guest true false id email userid user_id"
    " anonymousid anonymous_id distinctid distinct_id not_authenticated -1".split()
) | {"[object object]"}
"""Rule 19: what broken clients send where an id should be. Compared in lower case."""

_ZEROS: Final = "0-"
_QUOTES: Final = "\"'"


def usable_id(value: str, refused: frozenset[str] = frozenset()) -> str | None:
    """The id without blanks around it; None for one that stands for nobody (rule 19).

    `refused` are further ones of the rulebook, in lower case.
    """
    trimmed = value.strip()
    bare = trimmed
    while len(bare) >= 2 and bare[0] == bare[-1] and bare[0] in _QUOTES:  # noqa: PLR2004
        bare = bare[1:-1].strip()
    folded = bare.lower()
    if folded in _REFUSED or folded in refused or not folded.strip(_ZEROS):
        return None
    return trimmed


def key_text(value: object) -> str | None:
    """A correlation key (rule 4): text as it is, numbers as decimal text, booleans; else None."""
    match value:
        case str():
            return value if value.strip() else None
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
        case _:
            return None


def at_path(root: Mapping[str, object], path: Sequence[str]) -> object:
    """What stands at a dotted path of nested objects; None where nothing does."""
    here: object = root
    for name in path:
        if not isinstance(here, Mapping):
            return None
        here = here.get(name)
    return here


def digest(*parts: str) -> str:
    """32 hex digits of the parts; each is prefixed by its length, so no two lists collide."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part.encode()
        state.update(len(raw).to_bytes(4, "big"))
        state.update(raw)
    return state.hexdigest()


def fraction(*parts: str) -> float:
    """A number from 0 to 1 made of the parts alone, evenly spread: the same on every replay."""
    state = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(state[:8], "big") / 2**64


def trigger_id(journey: str, own_id: str, message_id: str, step: int) -> str:
    """The id of a trigger and of the decision on it.

    Made of the anchor event alone, never of who the person turned out to be: the same on every
    replay, after every merge and in every backtest.
    """
    return like(journey, digest(outside(journey), own_id, message_id, str(step)))
