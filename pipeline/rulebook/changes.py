"""What a new document changes about an old one."""

from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.rulebook.load import Document
from pipeline.rulebook.slots import slot_of
from pipeline.rulebook.words import Difference, consent_words, differences

DECIDES_NOTHING: Final = ("description", "version", "status")
"""Keys of a journey that are no part of what a version decides."""


@dataclass(frozen=True, slots=True)
class Changes:
    """By name of journey, sorted. `changed` tells which values differ; so do the three files."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: dict[str, tuple[Difference, ...]] = field(default_factory=dict)
    consent: tuple[Difference, ...] = ()
    identity: tuple[Difference, ...] = ()
    calling: tuple[Difference, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changes at all."""
        journeys = self.added or self.removed or self.changed
        return bool(journeys or self.consent or self.identity or self.calling)


def compare(old: Document, new: Document) -> Changes:
    """Compare two canonical documents."""
    before, after = journeys_of(old), journeys_of(new)
    both = sorted(before.keys() & after.keys())
    differing = {name: tuple(differences(before[name], after[name])) for name in both}
    return Changes(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed={name: values for name, values in differing.items() if values},
        consent=tuple(differences(consent_words(old), consent_words(new))),
        identity=tuple(differences(old.get("identity", {}), new.get("identity", {}))),
        calling=tuple(differences(old.get("calling", {}), new.get("calling", {}))),
    )


def needs_version_bump(old: Document, new: Document) -> list[str]:
    """The journeys that decide differently without a higher version.

    Waits are pinned to a version, so two contents under one version would be told apart by nothing.
    """
    before, after = journeys_of(old), journeys_of(new)
    return [
        name
        for name in sorted(before.keys() & after.keys())
        if decides(before[name]) != decides(after[name])
        and after[name]["version"] <= before[name]["version"]
    ]


def journeys_of(document: Document) -> dict[str, dict[str, Any]]:
    """The journeys of a document by their names inside."""
    return {slot_of(made): made for made in document.get("journeys", [])}


def decides(journey: dict[str, Any]) -> dict[str, Any]:
    """What a version decides by."""
    return {key: value for key, value in journey.items() if key not in DECIDES_NOTHING}
