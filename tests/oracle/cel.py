"""The few CEL expressions that the histories use, evaluated by the semantics of CONTRACT 4.

Literals, fields, `x["y"]`, `has(x.y)`, comparisons, `!`, `&&`, `||`, brackets.
What cannot be judged raises `Unjudged`.
`&&` and `||` absorb an unjudged side where the other decides, as CEL does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


class Unjudged(Exception):
    """A missing field, an order between two types, a result that is no boolean."""


def holds(expression: str | None, scope: Mapping[str, Any], unjudged: bool) -> bool:
    """The verdict of a condition, `unjudged` where it has none; a missing condition holds."""
    if expression is None:
        return True
    try:
        result = _Parser(expression).parse().value(scope)
    except Unjudged:
        return unjudged
    return result if isinstance(result, bool) else unjudged


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"[^"\\]*"|'[^'\\]*')
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<sign>&&|\|\||[=!<>]=|[<>!().\[\]])
    )""",
    re.VERBOSE,
)


class _Node:
    def value(self, scope: Mapping[str, Any]) -> Any:
        raise NotImplementedError


class _Literal(_Node):
    def __init__(self, constant: Any) -> None:
        self.constant = constant

    def value(self, scope: Mapping[str, Any]) -> Any:
        return self.constant


class _Name(_Node):
    def __init__(self, name: str) -> None:
        self.name = name

    def value(self, scope: Mapping[str, Any]) -> Any:
        if self.name not in scope:
            raise Unjudged(self.name)
        return scope[self.name]


class _Field(_Node):
    def __init__(self, of: _Node, name: str) -> None:
        self.of, self.name = of, name

    def value(self, scope: Mapping[str, Any]) -> Any:
        container = self.of.value(scope)
        if not isinstance(container, Mapping) or self.name not in container:
            raise Unjudged(self.name)
        return container[self.name]


class _Has(_Node):
    def __init__(self, field: _Node) -> None:
        if not isinstance(field, _Field):
            raise TypeError("has() takes a field")
        self.field = field

    def value(self, scope: Mapping[str, Any]) -> Any:
        container = self.field.of.value(scope)
        if not isinstance(container, Mapping):
            raise Unjudged("has() of something without fields")
        return self.field.name in container


class _Not(_Node):
    def __init__(self, of: _Node) -> None:
        self.of = of

    def value(self, scope: Mapping[str, Any]) -> Any:
        return not _boolean(self.of.value(scope))


class _Compare(_Node):
    def __init__(self, sign: str, left: _Node, right: _Node) -> None:
        self.sign, self.left, self.right = sign, left, right

    def value(self, scope: Mapping[str, Any]) -> Any:
        left, right = self.left.value(scope), self.right.value(scope)
        comparable = _kind(left) == _kind(right)
        if self.sign == "==":
            return comparable and left == right
        if self.sign == "!=":
            return not (comparable and left == right)
        if not comparable or _kind(left) in ("null", "map", "list"):
            raise Unjudged("order between two types")
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[
            self.sign
        ]


class _Both(_Node):
    """`&&` (stop=False) and `||` (stop=True)."""

    def __init__(self, left: _Node, right: _Node, *, stop: bool) -> None:
        self.stop, self.sides = stop, (left, right)

    def value(self, scope: Mapping[str, Any]) -> Any:
        trouble: Unjudged | None = None
        for side in self.sides:
            try:
                if _boolean(side.value(scope)) is self.stop:
                    return self.stop
            except Unjudged as error:
                trouble = error
        if trouble:
            raise trouble
        return not self.stop


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unjudged("not a boolean")
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return "map"
    return "list" if isinstance(value, list) else type(value).__name__


class _Parser:
    def __init__(self, expression: str) -> None:
        self.expression, self.tokens, at = expression, list[tuple[str, str]](), 0
        while expression[at:].strip():
            found = _TOKEN.match(expression, at)
            if not found:
                raise ValueError(f"beyond this small CEL: {expression!r}")
            self.tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            at = found.end()

    def parse(self) -> _Node:
        node = self._or()
        if self.tokens:
            raise ValueError(f"beyond this small CEL: {self.expression!r}")
        return node

    def _accept(self, *signs: str) -> str | None:
        if self.tokens and self.tokens[0][0] == "sign" and self.tokens[0][1] in signs:
            return self.tokens.pop(0)[1]
        return None

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise ValueError(f"{sign} expected in {self.expression!r}")

    def _or(self) -> _Node:
        node = self._and()
        while self._accept("||"):
            node = _Both(node, self._and(), stop=True)
        return node

    def _and(self) -> _Node:
        node = self._compare()
        while self._accept("&&"):
            node = _Both(node, self._compare(), stop=False)
        return node

    def _compare(self) -> _Node:
        node = self._unary()
        sign = self._accept("==", "!=", "<=", ">=", "<", ">")
        return _Compare(sign, node, self._unary()) if sign else node

    def _unary(self) -> _Node:
        return _Not(self._unary()) if self._accept("!") else self._member()

    def _member(self) -> _Node:
        node = self._primary()
        while sign := self._accept(".", "["):
            kind, token = self.tokens.pop(0)
            if sign == "." and kind == "name":
                node = _Field(node, token)
            elif sign == "[" and kind == "text":
                node = _Field(node, token[1:-1])
                self._expect("]")
            else:
                raise ValueError(f"beyond this small CEL: {self.expression!r}")
        return node

    def _primary(self) -> _Node:
        if self._accept("("):
            node = self._or()
            self._expect(")")
            return node
        kind, token = self.tokens.pop(0)
        if kind == "text":
            return _Literal(token[1:-1])
        if kind == "number":
            return _Literal(float(token) if "." in token else int(token))
        if kind == "name" and token in ("true", "false", "null"):
            return _Literal({"true": True, "false": False, "null": None}[token])
        if kind == "name" and token == "has" and self._accept("("):
            field = self._member()
            self._expect(")")
            return _Has(field)
        if kind == "name":
            return _Name(token)
        raise ValueError(f"beyond this small CEL: {self.expression!r}")
