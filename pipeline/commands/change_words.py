"""The difference between two rulebooks, as `plan` and `apply` show it: a line a value."""

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.commands.tables import shown
from pipeline.domain.shadow import labelled
from pipeline.rulebook.changes import Changes, journeys_of
from pipeline.rulebook.load import Document
from pipeline.rulebook.words import Difference

_TEXT_MAX: Final = 160
"""Of one value; `--json` has all of it."""


def change_lines(changes: Changes, old: Document, new: Document) -> Iterator[str]:
    """What changes from one document to another."""
    before, after = journeys_of(old), journeys_of(new)
    for name in changes.added:
        yield f"+ {_named(name)} (version {after[name]['version']})"
    for name in changes.removed:
        yield f"- {_named(name)}: opens no more waits"
        yield from _unpaused(name, before[name], {"status": "retired"})
    for name, values in changes.changed.items():
        was, now = before[name]["version"], after[name]["version"]
        versions = f"version {now}" if was == now else f"version {was} -> {now}"
        yield f"~ {_named(name)} ({versions})"
        yield from _values(value for value in values if value.what != "version")
        yield from _unpaused(name, before[name], after[name])
    files = (
        ("consent.yaml", changes.consent),
        ("identity.yaml", changes.identity),
        ("calling.yaml", changes.calling),
    )
    for file, values in files:
        if values:
            yield f"~ {file}"
            yield from _values(values)


def _unpaused(name: str, old: Document, new: Document) -> Iterator[str]:
    """Whoever takes a journey away may not think of its pause."""
    if (old.get("status"), new.get("status")) == ("paused", "retired"):
        yield (
            "    ! its pause ends with that: what waits goes on and fires when it is due;"
            f" `--open-waits {_named(name)}=drop` ends it instead"
        )


def _named(journey: str) -> str:
    return shown(labelled(journey))


def _values(values: Iterable[Difference]) -> Iterator[str]:
    for what, old, new in values:
        yield f"    {shown(what)}: {_short(old)} -> {_short(new)}"


def _short(text: str) -> str:
    text = shown(text)
    return text if len(text) <= _TEXT_MAX else f"{text[: _TEXT_MAX - 1]}…"
