"""Reading typed values out of plain ones: each returns the value, or notes a finding.

The same readers serve the files (with lines), documents from the log and values made in a program
(without).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, TypeVar

from pipeline.domain.times import parse_instant
from pipeline.rulebook.durations import LONGEST, format_duration, parse_duration
from pipeline.rulebook.findings import Finding, Severity, nearest

T = TypeVar("T")

TEXT_MAX: Final = 1000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def written(value: object) -> str:
    """A value as a message names it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"  # noqa: PLR2004


class Node:
    """A plain value, where it stands, and where findings about it go."""

    __slots__ = ("file", "findings", "line", "name", "value")

    def __init__(
        self, value: Any, file: str, findings: list[Finding], line: int = 1, name: str = "this"
    ) -> None:
        """`name` is what messages call it."""
        self.value = value
        self.file = file
        self.findings = findings
        self.line = line
        self.name = name

    def error(self, message: str, remedy: str, code: str = "invalid") -> None:
        """Note what is wrong here."""
        self.note(message, remedy, "error", code)

    def warn(self, message: str, remedy: str, code: str) -> None:
        """Note what is allowed, and hardly meant; `code` is one of `codes.WARNINGS`."""
        self.note(message, remedy, "warning", code)

    def note(self, message: str, remedy: str, severity: Severity, code: str = "invalid") -> None:
        """Note something here."""
        self.findings.append(Finding(self.file, self.line, message, remedy, severity, code))

    def has(self, key: str) -> bool:
        """Whether a map has the key."""
        return isinstance(self.value, Mapping) and key in self.value

    def has_keys(self) -> bool:
        """Whether it is a map."""
        return isinstance(self.value, Mapping)

    def at(self, key: str) -> "Node":
        """The value of a map's key, None where there is none."""
        line = getattr(self.value, "lines", {}).get(key, self.line)
        return Node(self.value.get(key), self.file, self.findings, line, f"`{key}`")

    def items(self) -> Iterator["Node"]:
        """The elements of a list."""
        lines = getattr(self.value, "lines", None)
        for place, value in enumerate(self.value):
            line = lines[place] if lines else self.line
            yield Node(value, self.file, self.findings, line, f"{self.name}, entry {place + 1},")

    def wrong(self, wanted: str) -> None:
        """Note that it is something else."""
        remedy = f"write {wanted}"
        if wanted == "a text" and isinstance(self.value, bool | int | float):
            remedy = f'write it in quotes: "{written(self.value).strip("`")}"'
        self.error(f"{self.name} is {written(self.value)}, not {wanted}", remedy, "wrong-type")

    def map(self, known: Collection[str], what: str = "a map") -> bool:
        """Whether it is a map; its unknown keys are findings."""
        if not isinstance(self.value, Mapping):
            self.wrong(what)
            return False
        for key in self.value:
            if key not in known:
                near = nearest(key, known)
                remedy = f"did you mean `{near}`?" if near else f"known are {', '.join(known)}"
                self.at(key).error(f"unknown key `{key}`", remedy, "unknown-key")
        return True

    def list(self, *, empty: bool = True, single: bool = False) -> Iterator["Node"]:
        """The elements of a list; with `single` anything else is a list of one."""
        if isinstance(self.value, list | tuple):
            if not self.value and not empty:
                self.error(f"{self.name} is empty", "write at least one entry")
            yield from self.items()
        elif single:
            yield self
        else:
            self.wrong("a list")

    def text(self) -> str | None:
        """A text that is not blank."""
        if not isinstance(self.value, str):
            self.wrong("a text")
        elif not self.value.strip() or _CONTROL.search(self.value):
            self.error(f"{self.name} is blank or has control characters", "write a readable text")
        elif len(self.value) > TEXT_MAX:
            self.error(f"{self.name} is longer than {TEXT_MAX} characters", "shorten it")
        elif self.value != self.value.strip():
            self.error(f"{self.name} has blanks at an end", "remove them")
        else:
            return self.value
        return None

    def free_text(self) -> str | None:
        """Any text, of many lines and also none."""
        if not isinstance(self.value, str):
            self.wrong("a text")
        elif len(self.value) > TEXT_MAX:
            self.error(f"{self.name} is longer than {TEXT_MAX} characters", "shorten it")
        else:
            return self.value.strip()
        return None

    def scalar(self) -> Any:
        """Any text, number, boolean or nothing, as it is."""
        if isinstance(self.value, Mapping | list | tuple):
            self.wrong("a single value")
            return None
        return self.value

    def plain_map(self) -> dict[str, Any]:
        """A map with any keys; nothing is an empty one."""
        if self.value is None:
            return {}
        if isinstance(self.value, Mapping):
            return dict(self.value)
        self.wrong("a map")
        return {}

    def choice(self, known: Collection[str]) -> str | None:
        """One of some words."""
        if isinstance(self.value, str) and self.value in known:
            return self.value
        near = nearest(self.value, known) if isinstance(self.value, str) else None
        remedy = f"did you mean `{near}`?" if near else f"write one of {', '.join(known)}"
        self.error(f"{self.name} is {written(self.value)}", remedy)
        return None

    def boolean(self) -> bool | None:
        """True or false."""
        if isinstance(self.value, bool):
            return self.value
        self.wrong("true or false")
        return None

    def whole(self, least: int, most: int) -> int | None:
        """A whole number."""
        if type(self.value) is int and least <= self.value <= most:
            return self.value
        self.wrong(f"a whole number from {least} to {most}")
        return None

    def number(self, least: float, most: float) -> float | None:
        """Any number."""
        if type(self.value) in {int, float} and least <= self.value <= most:
            return self.value  # type: ignore[no-any-return]
        self.wrong(f"a number from {least:g} to {most:g}")
        return None

    def duration(self) -> str | None:
        """A duration, written as `format_duration` does."""
        length = parse_duration(self.value)
        if length is not None:
            return format_duration(length)
        most = format_duration(LONGEST)
        remedy = f"write a whole number and s, m, h or d, as in 90s or 24h; at most {most}"
        self.error(f"{self.name} is {written(self.value)}, which is no duration", remedy)
        return None

    def instant(self) -> int | None:
        """A time."""
        instant = parse_instant(self.value) if isinstance(self.value, str) else None
        if instant is None:
            self.wrong("a time as 2026-03-03T15:00:00Z")
        return instant

    def required(self, key: str, read: Callable[["Node"], T | None]) -> T | None:
        """The value of a key that must be there."""
        if self.has(key):
            return read(self.at(key))
        self.error(f"`{key}` is missing", f"add `{key}`", "missing-key")
        return None

    def optional(self, key: str, default: T, read: Callable[["Node"], T | None]) -> T:
        """The value of a key that may be left out; the default also where it is wrong."""
        if not self.has(key):
            return default
        if self.value[key] is None:
            self.at(key).error(f"`{key}` is empty", f"remove `{key}` or write its value")
            return default
        value = read(self.at(key))
        return default if value is None else value
