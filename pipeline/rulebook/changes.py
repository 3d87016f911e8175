"""What a new document changes about an old one."""

from dataclasses import dataclass
from typing import Any, Final

from pipeline.rulebook.load import Document

_SAYS_NOTHING: Final = ("description", "version")


@dataclass(frozen=True, slots=True)
class Changes:
    """By name of journey, sorted. `changed` tells which keys differ."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: dict[str, tuple[str, ...]]
    consent: bool
    identity: bool

    def __bool__(self) -> bool:
        """Whether anything changes at all."""
        return bool(self.added or self.removed or self.changed or self.consent or self.identity)


def compare(old: Document, new: Document) -> Changes:
    """Compare two canonical documents."""
    before, after = _journeys(old), _journeys(new)
    both = sorted(before.keys() & after.keys())
    differing = {name: _differing(before[name], after[name]) for name in both}
    return Changes(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed={name: keys for name, keys in differing.items() if keys},
        consent=old.get("consent") != new.get("consent"),
        identity=old.get("identity") != new.get("identity"),
    )


def needs_version_bump(old: Document, new: Document) -> list[str]:
    """The journeys that decide differently without a higher version.

    Waits are pinned to a version, so two contents under one version would be told apart by nothing.
    """
    before, after = _journeys(old), _journeys(new)
    return [
        name
        for name, keys in compare(old, new).changed.items()
        if set(keys) - set(_SAYS_NOTHING) and after[name]["version"] <= before[name]["version"]
    ]


def _journeys(document: Document) -> dict[str, dict[str, Any]]:
    return {made["journey"]: made for made in document.get("journeys", [])}


def _differing(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    return tuple(key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key))
