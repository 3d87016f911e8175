"""Journeys that run in the shadow of live ones: they decide everything and nothing comes of it.

Inside, such a journey goes by a name of its own, and so do its triggers: facts, cases, holds,
cooldowns and what can be retracted are apart from the live journey's without a word about it
anywhere. Outside, on its own topic, both have the names that they would have live.
"""

from typing import Final

_MARK: Final = "\x1f"
"""Before a name; no rulebook can write it."""


def slot(journey: str) -> str:
    """The name inside of the shadow of a journey."""
    return _MARK + journey


def is_shadow(name: str) -> bool:
    """Whether a name inside, of a journey or of a trigger, is a shadow's."""
    return name.startswith(_MARK)


def outside(name: str) -> str:
    """The name that the world knows, of a journey or of a trigger."""
    return name.removeprefix(_MARK)


def labelled(journey: str) -> str:
    """A name inside, for people."""
    return f"{outside(journey)} (shadow)" if is_shadow(journey) else journey


def like(name: str, id_: str) -> str:
    """The id inside of what belongs to a journey of this name."""
    return _MARK + id_ if is_shadow(name) else id_
