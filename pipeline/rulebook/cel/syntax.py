"""From text to cel-python's syntax tree, without the levels that say nothing, and its literals."""

import re
import sys
from functools import lru_cache
from typing import Any, Final

from celpy.celparser import CELParseError, CELParser
from lark import Token, Tree

from pipeline.rulebook.cel.values import INT_MAX, INT_MIN

LENGTH_MAX: Final = 10_000

_PASSED: Final = frozenset(
    "expr conditionalor conditionaland relation addition multiplication unary member"
    " primary paren_expr".split()
)
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\"'`?\\])|([0-3][0-7]{2})|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|)"
)
_SURROGATES: Final = range(0xD800, 0xE000)
_ESCAPED: Final = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))


class ConditionError(ValueError):
    """What is wrong with a condition, and where in its text (counted from 1)."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        """Say what, and where."""
        super().__init__(message)
        self.line = line
        self.column = column


@lru_cache(maxsize=1024)
def parse(text: str) -> Any:
    """Read a condition; the node that `meaning` gives of its root. Not to be changed: it is kept.

    Checks look at a condition from several sides, and reading costs more than any of them.
    """
    if not text.strip():
        raise ConditionError("it is empty")
    if len(text) > LENGTH_MAX:
        raise ConditionError(f"it has {len(text)} characters, more than {LENGTH_MAX}")
    try:
        return meaning(CELParser().parse(text))
    except CELParseError as error:
        lines = text.split("\n")
        token = getattr(error.__context__, "token", None)
        if getattr(token, "type", "") == "$END" or not error.line or not error.column:
            raise ConditionError("it ends too early", len(lines), len(lines[-1]) + 1) from None
        rest = lines[error.line - 1][error.column - 1 :].strip()
        raise ConditionError(_unexpected(rest), error.line, error.column) from None


def _unexpected(rest: str) -> str:
    if rest.startswith("=") and not rest.startswith("=="):
        return "`=` is no comparison: write `==`"
    word = re.match(r"\w+", rest)
    if word and word[0].lower() in {"and", "or", "not"}:
        sign = {"and": "&&", "or": "||", "not": "!"}[word[0].lower()]
        return f"`{word[0]}` is written `{sign}`"
    return f"`{rest[:20]}` is not expected here"


def meaning(node: Any) -> Any:
    """Find the first node below that means something."""
    while isinstance(node, Tree) and len(node.children) == 1 and node.data in _PASSED:
        node = node.children[0]
    return node


def place(node: Any) -> tuple[int, int]:
    """Line and column of a node."""
    found = node if isinstance(node, Token) else node.meta
    return getattr(found, "line", None) or 1, getattr(found, "column", None) or 1


def literal(token: Token) -> Any:
    """Read the value of a literal."""
    text = str(token)
    match token.type:
        case "INT_LIT":
            value = int(text, 16) if "x" in text else int(text[: LENGTH_MAX // 4])
            if not INT_MIN <= value <= INT_MAX:
                raise ConditionError(f"{text[:30]} is beyond 64 bits", *place(token))
            return value
        case "FLOAT_LIT":
            return float(text)
        case "BOOL_LIT":
            return text == "true"
        case "NULL_LIT":
            return None
        case "STRING_LIT" | "MLSTRING_LIT":
            return _text(token)
        case "UINT_LIT":
            remedy = f"write {text[:-1]}: there are no unsigned numbers in an event"
            raise ConditionError(remedy, *place(token))
        case _:
            raise ConditionError("bytes are not supported: write a text", *place(token))


def _text(token: Token) -> str:
    text = str(token)
    raw = text[0] in "rR"
    text = text[raw:]
    width = 3 if text[:3] in {'"""', "'''"} else 1
    inner = text[width:-width]
    if raw or "\\" not in inner:
        return inner

    def expand(found: re.Match[str]) -> str:
        sign, octal, *hexes = found.groups()
        if sign is not None:
            return _ESCAPED.get(sign, sign)
        code = int(octal, 8) if octal else next((int(h, 16) for h in hexes if h), -1)
        if not 0 <= code <= sys.maxunicode or code in _SURROGATES:
            start = found.start()
            message = f"`{inner[start : start + 2]}` is no escape: write `\\\\` for a backslash"
            raise ConditionError(message, *place(token))
        return chr(code)

    return _ESCAPE.sub(expand, inner)
