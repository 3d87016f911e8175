"""What differs between two canonical forms, value by value, in words.

A form is flattened to lines of a name and a text; two of them are laid side by side. A key that is
left out means its default, so a new key needs no word here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

NONE: Final = "none"
"""What is said of a value that is not there, or empty."""
_PATTERNS: Final = ("start", "unless")
_DEFAULTS: Final = {"status": "active"}
"""Of keys that are left out of a canonical form at their default."""


class Difference(NamedTuple):
    """One value that changes; `what` says where it stands: `step 2, after`."""

    what: str
    old: str
    new: str


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], *, apart: tuple[str, ...] = ()
) -> list[Difference]:
    """Of two maps of one kind; the keys `apart` are left aside."""
    found: list[Difference] = []
    for key in sorted(old.keys() | new.keys()):
        if key not in apart and old.get(key) != new.get(key):
            found += _value(key, old.get(key), new.get(key))
    return found


def _value(name: str, old: Any, new: Any) -> Iterator[Difference]:
    if old == new:
        return
    if name in _PATTERNS:
        yield Difference(name, _events(old), _events(new))
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys(), key=str):
            yield from _value(f"{name}, {key}", old.get(key), new.get(key))
    elif _has_maps(old) or _has_maps(new):
        yield from _listed(name, old or [], new or [])
    else:
        default = _DEFAULTS.get(name)
        before, after = (said(default if each is None else each) for each in (old, new))
        if before != NONE or after != NONE:
            yield Difference(name, before, after)


def _has_maps(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, Mapping) for each in value)


def _listed(name: str, old: list[Any], new: list[Any]) -> Iterator[Difference]:
    """Entries by number: `steps` becomes `step 1`."""
    one = name.removesuffix("s")
    for nth in range(max(len(old), len(new))):
        before = old[nth] if nth < len(old) else None
        after = new[nth] if nth < len(new) else None
        yield from _value(f"{one} {nth + 1}", before, after)


def said(value: Any) -> str:
    """A value as one text."""
    if value is None or value in ("", [], {}):
        return NONE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        pairs = ((key, said(each)) for key, each in value.items())
        return ", ".join(f"{key} {text}" for key, text in pairs if text not in {NONE, "0s"})
    if isinstance(value, list):
        return "; ".join(map(said, value)) if _has_maps(value) else ", ".join(map(said, value))
    return str(value)


def _events(patterns: Any) -> str:
    """`Loan Signed; page Pricing where ...`."""
    return "; ".join(map(_event, patterns or [])) or NONE


def _event(pattern: Mapping[str, Any]) -> str:
    name = pattern.get("event", pattern.get("name"))
    kind = pattern["type"]
    text = f"any {kind}" if name is None else name if kind == "track" else f"{kind} {name}"
    return f"{text} where {pattern['where']}" if "where" in pattern else text


def consent_words(document: Mapping[str, Any]) -> dict[str, str]:
    """By event of consent.yaml what it means."""
    meanings: dict[str, list[str]] = {}
    for rule in document.get("consent", {}).get("events", []):
        way = "opts in to" if rule["subscribed"] else "opts out of"
        meanings.setdefault(rule["event"], []).append(f"{way} {', '.join(rule['channels'])}")
    return {event: ", ".join(each) for event, each in meanings.items()}
