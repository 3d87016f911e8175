"""The codes of warnings: what `# check: ignore[CODE]` silences, on its line or the line above.

Errors have codes too (`invalid`, `unknown-key`, `missing-key`, `wrong-type`, `yaml`), for programs:
what can't be used can't be silenced.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pipeline.rulebook.findings import Finding, nearest

WARNINGS: Final[Mapping[str, str]] = {
    "read-without-has": "a condition reads a field that may be missing",
    "constant-condition": "a condition is always true or never true",
    "unreachable-step": "a step can never be judged, or never fire",
    "mostly-expires": "most deadlines of a week find the hours closed: it expires or is suppressed",
    "mostly-superseded": "at most deadlines of a week a later step is released with it, instead",
    "never-open": "a channel never opens, by all hours together",
    "beyond-retention": "a wait lasts longer than the log is kept",
    "same-contact": "two journeys can contact one person for the same thing",
    "name-spelling": "one event name is written in two ways",
    "unseen-event": "no such event is in the history",
    "unseen-field": "no such field is in the history where it is read",
    "never-true": "a condition was true of no event of the history",
    "unlike-keys": "keys of starts and cancels in the history can't meet",
    "no-opt-in": "nobody in the history is opted in to a channel",
    "case-name": "two cases of a file have one name",
    "case-order": "an event of a case arrives before the one above it",
    "unknown-code": "an ignore names no code of a warning",
}

_IGNORE: Final = re.compile(r"#\s*check:\s*ignore\[([^\]]*)\]")
_CODE: Final = re.compile(r"[\s,]+")


def silenced(findings: Iterable[Finding], texts: Mapping[str, Sequence[str]]) -> list[Finding]:
    """The findings without the warnings that their files silence; `texts` are lines by file.

    A comment silences the codes it names in its own line and in the one below.
    """
    ignored: set[tuple[str, int, str]] = set()
    kept: list[Finding] = []
    for file, lines in texts.items():
        for number, line in enumerate(lines, 1):
            for code in _codes(line):
                ignored |= {(file, number, code), (file, number + 1, code)}
                if code not in WARNINGS:
                    near = nearest(code, WARNINGS)
                    remedy = f"did you mean `{near}`?" if near else "name the code of a warning"
                    message = f"`{code[:50]}` is no code of a warning"
                    kept.append(Finding(file, number, message, remedy, "warning", "unknown-code"))
    return kept + [
        each
        for each in findings
        if each.severity == "error" or (each.file, each.line, each.code) not in ignored
    ]


def _codes(line: str) -> list[str]:
    if "check:" not in line:
        return []
    return [code for found in _IGNORE.findall(line) for code in _CODE.split(found) if code]
