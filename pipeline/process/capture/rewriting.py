"""Events as a test file writes them: as they were, or with everything personal replaced.

Replaced is what is not known to matter. What stays: event names and times, numbers and booleans,
what the rulebook's conditions compare, what decides where somebody lives. A large number that
nobody reads may be an account, so it goes; a fraction that nobody reads may be a position, so it
is rounded.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from pipeline.domain.events import AddressKind, OptInEntry
from pipeline.domain.ids import key_text
from pipeline.domain.times import format_instant, parse_instant
from pipeline.process.capture.identifiers import is_personal
from pipeline.process.capture.places import place_part
from pipeline.process.capture.pseudonyms import Pseudonyms
from pipeline.rulebook.cel.paths import Path
from pipeline.rulebook.reading import Reading

Json = dict[str, Any]

_NAME: Final = re.compile(r"(?!.*\d{5})[A-Za-z_$][A-Za-z0-9_$.-]{0,49}", re.ASCII)
_LARGE: Final = 1_000_000
_TIMES: Final = frozenset({"timestamp"})


class Rewriter(Protocol):
    """How the parts of an event are written."""

    def id(self, text: str) -> str:
        """A userId or anonymousId."""

    def message(self, text: str) -> str:
        """A messageId."""

    def event(self, name: str) -> str:
        """The name of an event, page or screen."""

    def address(self, kind: AddressKind, value: str | None) -> str:
        """A phone or email; None: one that is none."""

    def entry(self, entry: OptInEntry) -> Json:
        """An opt-in entry without its channel."""

    def properties(self, given: Mapping[str, object]) -> Json:
        """Properties of any call."""

    def traits(self, given: Mapping[str, object]) -> Json:
        """Traits but phones, emails and opt-ins."""

    def context(self, given: Mapping[str, object]) -> Json:
        """A call's context."""


class AsItWas:
    """Changes nothing: to compare with."""

    def id(self, text: str) -> str:
        """See `Rewriter`."""
        return text

    def message(self, text: str) -> str:
        """See `Rewriter`."""
        return text

    def event(self, name: str) -> str:
        """See `Rewriter`."""
        return name

    def address(self, kind: AddressKind, value: str | None) -> str:
        """See `Rewriter`."""
        return _unusable(kind) if value is None else value

    def entry(self, entry: OptInEntry) -> Json:
        """See `Rewriter`."""
        return _entry(entry, entry.ip, entry.source, entry.text)

    def properties(self, given: Mapping[str, object]) -> Json:
        """See `Rewriter`."""
        return dict(given)

    traits = context = properties


class Fiction:
    """Replaces whatever is not known to matter."""

    def __init__(self, names: Pseudonyms, reading: Reading) -> None:
        """`reading` tells what the rulebook reads."""
        self._names = names
        self._reading = reading
        self._words = {part for path in self._all_paths() for part in path}

    def _all_paths(self) -> frozenset[Path]:
        reading = self._reading
        return reading.judged | reading.shown | reading.keys | reading.dates

    def id(self, text: str) -> str:
        """See `Rewriter`."""
        return self._names.id(text)

    def message(self, text: str) -> str:
        """See `Rewriter`."""
        return self._names.message(text)

    def event(self, name: str) -> str:
        """See `Rewriter`."""
        return name if name in self._reading.events else self._names.scrubbed(name)

    def address(self, kind: AddressKind, value: str | None) -> str:
        """See `Rewriter`."""
        if value is None:
            return _unusable(kind)
        return self._names.phone(value) if kind == "phone" else self._names.email(value)

    def entry(self, entry: OptInEntry) -> Json:
        """See `Rewriter`."""
        ip = None if entry.ip is None else self._names.ip(entry.ip)
        source, text = (_word(self._names, t) for t in (entry.source, entry.text))
        return _entry(entry, ip, source, text)

    def properties(self, given: Mapping[str, object]) -> Json:
        """See `Rewriter`."""
        made = self._map(given, ("properties",))
        if isinstance(ip := given.get("ip"), str) and ip.strip():
            made["ip"] = self._names.ip(ip)
        return made

    def traits(self, given: Mapping[str, object]) -> Json:
        """See `Rewriter`."""
        made = self._map(given, ("traits",))
        address = given.get("address")
        holders: list[tuple[Path, Mapping[str, object], Json]] = [((), given, made)]
        if isinstance(address, Mapping) and isinstance(made.get("address"), dict):
            holders.append((("address",), address, made["address"]))
        for path, holder, written in holders:
            for name, value in holder.items():
                part = place_part(name, value)
                if part is not None and not self._reading.judges(("traits", *path, name)):
                    written[name] = part
        return made

    def context(self, given: Mapping[str, object]) -> Json:
        """See `Rewriter`. Only what is read of it, ip and time zone: the rest is about a device."""
        kept = self._read_of(given, ("context",))
        made = self._map(kept, ("context",))
        ip, zone = given.get("ip"), place_part("timezone", given.get("timezone"))
        if isinstance(ip, str) and ip.strip():
            made["ip"] = self._names.ip(ip)
        if zone is not None:
            made["timezone"] = zone
        return made

    def _read_of(self, given: Mapping[str, object], path: Path) -> Json:
        kept: Json = {}
        for name, value in given.items():
            here = (*path, name)
            if self._is_read(here):
                kept[name] = value
            elif isinstance(value, Mapping) and (inner := self._read_of(value, here)):
                kept[name] = inner
        return kept

    def _is_read(self, path: Path) -> bool:
        return any(path[: len(read)] == read for read in self._all_paths())

    def _map(self, given: Mapping[str, object], path: Path) -> Json:
        return {self._key(n): self._value(v, (*path, n)) for n, v in given.items()}

    def _key(self, name: str) -> str:
        """The name of a field; one that looks like data is replaced."""
        plain = _NAME.fullmatch(name) and self._names.scrubbed(name) == name
        return name if name in self._words or plain else self._names.word(name, "field")

    def _value(self, value: object, path: Path) -> Any:
        match value:
            case Mapping():
                return self._map(value, path)
            case list():
                return [self._value(each, path) for each in value]
            case bool() | None:
                return value
            case int() | float():
                return self._number(value, path)
            case str():
                return self._text(value, path)
        raise TypeError(type(value))

    def _text(self, text: str, path: Path) -> str:
        reading, names = self._reading, self._names
        if not text.strip() or text in reading.literals:
            return text
        if path in reading.keys and not reading.judges(path):
            return text if text in {"true", "false"} else names.key(text)
        is_time = path[-1] in _TIMES or path in reading.dates
        if is_time and names.known(text) is None and parse_instant(text) is not None:
            return text
        if is_personal(path[-1]):
            return names.word(text, "name")
        if reading.judges(path) or reading.shows(path):
            return names.scrubbed(text)
        return names.word(text)

    def _number(self, value: int | float, path: Path) -> int | float | str:
        reading, names = self._reading, self._names
        text = key_text(value)
        if path in reading.keys and not reading.judges(path) and text is not None:
            return names.key(text)
        known = names.number(value)
        read = path[-1] in _TIMES or path in reading.dates or self._is_read(path)
        if known is not None and not (read and abs(value) < _LARGE):
            return known
        if read:
            return value
        if abs(value) >= _LARGE or is_personal(path[-1]):
            return _LARGE
        return value if isinstance(value, int) else float(round(value))


def _word(names: Pseudonyms, text: str | None) -> str | None:
    return text if text is None or not text.strip() else names.word(text)


def _entry(entry: OptInEntry, ip: str | None, source: str | None, text: str | None) -> Json:
    at = None if entry.timestamp is None else format_instant(entry.timestamp)
    subscribed = "unclear" if entry.subscribed is None else entry.subscribed
    made = {"subscribed": subscribed, "timestamp": at, "ip": ip, "source": source, "text": text}
    return {name: value for name, value in made.items() if value is not None}


def _unusable(kind: AddressKind) -> str:
    """What is no possible one."""
    return f"no {kind}"
