"""A test case as the text of a YAML file, one event a line, that `read_yaml` reads as it was.

Texts are quoted unless they are plain words or times: no reader may take one for something else.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
_TAKEN: Final = frozenset("null true false yes no on off y n".split())
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_BMP: Final = 0xFFFF


def write_cases(cases: Sequence[Mapping[str, Any]], comment: Sequence[str] = ()) -> str:
    """The file. The lines of the comment stand above the cases."""
    lines = [f"# {each}".rstrip() for each in comment]
    lines.append("cases:")
    for case in cases:
        lines += _case(case)
    return "\n".join(lines) + "\n"


def _case(case: Mapping[str, Any]) -> Iterator[str]:
    mark = "  - "
    for name, value in case.items():
        if isinstance(value, list) and value:
            yield f"{mark}{name}:"
            for each in value:
                yield f"      - {_flow(each)}"
        else:
            yield f"{mark}{name}: {_flow(value)}"
        mark = "    "


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        pairs = (f"{_key(name)}: {_flow(each)}" for name, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(each) for each in value) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else _number(value)


def _key(name: str) -> str:
    return name if _KEY.fullmatch(name) else quoted(name)


def _number(value: int | float) -> str:
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else text


def _text(text: str) -> str:
    plain = _WORD.fullmatch(text) and text.lower() not in _TAKEN
    return text if plain or _TIME.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    """In double quotes, what cannot be printed escaped."""
    return '"' + "".join(_ESCAPES.get(c) or _escaped(c) for c in text) + '"'


def _escaped(char: str) -> str:
    if char.isprintable() and not 0xFFFD < ord(char) <= _BMP:  # noqa: PLR2004  # no characters
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= _BMP else f"\\U{ord(char):08x}"
