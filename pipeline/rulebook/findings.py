"""What is wrong with a rulebook, where, and what to do about it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

_NEAR: Final = 0.65

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong. `file` is relative to the folder; lines count from 1.

    `code` says what kind of thing, in a word that stays; `codes.py` has those of warnings.
    """

    file: str
    line: int
    message: str
    remedy: str
    severity: Severity = "error"
    code: str = "invalid"


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that forbid to use what they were found in."""
    return [finding for finding in findings if finding.severity == "error"]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None where none is near."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=_NEAR)
    return by_lower[found[0]] if found else None
