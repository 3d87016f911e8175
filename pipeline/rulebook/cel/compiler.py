"""From a syntax tree to closures. What is constant is computed once: a bad literal is found early.

A closure takes the names in scope and gives a value, or raises: any Exception means that it can't
be judged, so that the hot path is plain Python (`names["properties"]["amount"]`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.rulebook.cel import macros
from pipeline.rulebook.cel.functions import FUNCTIONS, METHODS, TYPES, Function, regex
from pipeline.rulebook.cel.paths import ALL_NAMES, Path, fields_of, shown, unknown
from pipeline.rulebook.cel.syntax import ConditionError, literal, meaning, place
from pipeline.rulebook.cel.values import (
    ARITHMETIC,
    RELATIONS,
    Run,
    Scope,
    TypeName,
    Unjudged,
    applied,
    index,
    invert,
    negate,
)

DEPTH_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class Code:
    """A compiled part. `path`: the field that it reads; `constant`: `run` needs no scope."""

    run: Run
    constant: bool = False
    path: Path = ()
    boolean: bool = True
    """False where the value can be no boolean."""


class Compiler:
    """Compiles one condition and notes what it reads."""

    def __init__(self, names: frozenset[str]) -> None:
        """`names` are the variables there are."""
        self.names = names
        self.bound: list[str] = []
        self.reads: set[Path] = set()
        self.tested: set[Path] = set()
        self.depth = 0
        self.loops = False

    def compile(self, node: Any) -> Code:
        """Compile a node."""
        node = meaning(node)
        if self.depth >= DEPTH_MAX:
            raise ConditionError(f"it is nested more than {DEPTH_MAX} deep", *place(node))
        self.depth += 1
        try:
            return getattr(self, f"_{node.data}")(node)  # type: ignore[no-any-return]
        finally:
            self.depth -= 1

    def _fold(
        self, node: Any, compute: Callable[..., Any], *parts: Code, boolean: bool = True
    ) -> Code:
        """`compute` of the parts' values, at once if they are constant."""
        run = applied(compute, tuple(self._counted(part) for part in parts))
        if not all(part.constant for part in parts):
            return Code(run, boolean=boolean)
        try:
            value = run({})
        except Exception:  # noqa: BLE001 - as at evaluation
            raise ConditionError("this can never be judged", *place(node)) from None
        return Code(lambda _: value, constant=True, boolean=boolean)

    def _counted(self, part: Code) -> Run:
        """In a loop, what a value costs by its size is counted."""
        return macros.charged(part.run) if self.bound and not part.constant else part.run

    # operators

    def _expr(self, node: Any) -> Code:
        test, then, other = (self.compile(child) for child in node.children)
        self._must_judge(node.children[0], test)

        def run(n: Scope) -> Any:
            verdict = test.run(n)
            if verdict is True:
                return then.run(n)
            if verdict is False:
                return other.run(n)
            raise Unjudged

        return Code(run, boolean=then.boolean or other.boolean)

    def _conditionalor(self, node: Any) -> Code:
        return Code(macros.any_of(self._chain(node)))

    def _conditionaland(self, node: Any) -> Code:
        return Code(macros.all_of(self._chain(node)))

    def _chain(self, node: Any) -> tuple[Run, ...]:
        """Give the operands of `a && b && c`, however many: the tree leans to the left."""
        kind, operands = node.data, []
        while getattr(node, "data", None) == kind:
            operands.append(node.children[1])
            node = meaning(node.children[0])
        operands.append(node)
        parts = [(each, self.compile(each)) for each in reversed(operands)]
        for each, part in parts:
            self._must_judge(each, part)
        return tuple(part.run for _, part in parts)

    def _must_judge(self, node: Any, part: Code) -> None:
        if not part.boolean:
            raise ConditionError("this is neither true nor false", *place(meaning(node)))

    def _relation(self, node: Any) -> Code:
        sign = node.children[0]
        left, right = self.compile(sign.children[0]), self.compile(node.children[1])
        if sign.data == "relation_in":
            if left.constant and right.path and isinstance(key := left.run({}), str):
                self.tested.add((*right.path, key))
            if right.constant and (fast := macros.among(left.run, right.run({}))):
                return Code(fast)
        return self._fold(node, RELATIONS[sign.data], left, right)

    def _arithmetic(self, node: Any) -> Code:
        sign = node.children[0]
        left, right = self.compile(sign.children[0]), self.compile(node.children[1])
        return self._fold(node, ARITHMETIC[sign.data], left, right, boolean=False)

    _addition = _multiplication = _arithmetic

    def _unary(self, node: Any) -> Code:
        part = self.compile(node.children[1])
        if node.children[0].data == "unary_neg":
            return self._fold(node, negate, part, boolean=False)
        self._must_judge(node.children[1], part)
        return self._fold(node, invert, part)

    # values

    def _literal(self, node: Any) -> Code:
        value = literal(node.children[0])
        return Code(lambda _: value, constant=True, boolean=isinstance(value, bool))

    def _list_lit(self, node: Any) -> Code:
        items = self._arguments(node)
        return self._fold(node, lambda *values: list(values), *items, boolean=False)

    def _map_lit(self, node: Any) -> Code:
        children = node.children[0].children if node.children else []
        parts = tuple(self.compile(child) for child in children)

        def build(*values: Any) -> dict[str, Any]:
            keys = values[::2]
            if any(type(key) is not str for key in keys) or len(set(keys)) < len(keys):
                raise Unjudged
            return dict(zip(keys, values[1::2], strict=True))

        return self._fold(node, build, *parts, boolean=False)

    def _ident(self, node: Any) -> Code:
        name = str(node.children[0])
        if name in self.bound:
            return Code(lambda n: n[name])
        if name in self.names:
            self.reads.add((name,))
            return Code(lambda n: n[name], path=(name,))
        if name in TYPES.values():
            known = TypeName(name)
            return Code(lambda _: known, constant=True, boolean=False)
        if name in ALL_NAMES:
            here = ", ".join(sorted(self.names))
            raise ConditionError(f"`{name}` is not known here, only {here}", *place(node))
        raise ConditionError(unknown("name", name, self.names), *place(node))

    _dot_ident = _ident

    def _member_dot(self, node: Any) -> Code:
        holder, name = self.compile(node.children[0]), str(node.children[1])
        return self._select(holder, name, node.children[1])

    def _select(self, holder: Code, name: str, at: Any) -> Code:
        run, path = holder.run, ((*holder.path, name) if holder.path else ())
        fields = fields_of(holder.path)
        if fields and name not in fields:
            raise ConditionError(
                unknown(f"field of {shown(holder.path)}", name, fields), *place(at)
            )
        if path:
            self.reads.add(path)
        if len(holder.path) == 1:
            root = holder.path[0]
            return Code(lambda n: n[root][name], path=path)
        return Code(lambda n: run(n)[name], path=path)

    def _member_index(self, node: Any) -> Code:
        holder, at = self.compile(node.children[0]), self.compile(node.children[1])
        if at.constant and isinstance(name := at.run({}), str) and not holder.constant:
            return self._select(holder, name, node)
        return self._fold(node, index, holder, at)

    def _member_object(self, node: Any) -> Code:
        raise ConditionError("messages are not supported", *place(node))

    # calls

    def _ident_arg(self, node: Any) -> Code:
        name = str(node.children[0])
        if name == "has":
            return self._has(node)
        return self._call(node, FUNCTIONS, "function", name, self._arguments(node))

    _dot_ident_arg = _ident_arg

    def _member_dot_arg(self, node: Any) -> Code:
        name = str(node.children[1])
        if name in macros.MACROS:
            return self._macro(node, name)
        subject = self.compile(node.children[0])
        return self._call(node, METHODS, "method", name, (subject, *self._arguments(node)))

    def _call(
        self,
        node: Any,
        known: Mapping[str, Function],
        kind: str,
        name: str,
        parts: tuple[Code, ...],
    ) -> Code:
        function = known.get(name)
        if function is None:
            raise ConditionError(unknown(kind, name, (*known, *macros.MACROS)), *place(node))
        if not function.least <= len(parts) <= function.most:
            raise ConditionError(f"{name}() has another number of arguments", *place(node))
        boolean = name in {"matches", "startsWith", "endsWith", "contains", "bool", "dyn"}
        if name == "matches" and parts[1].constant:
            return self._matches(node, parts[0], parts[1].run({}))
        return self._fold(node, function.call, *parts, boolean=boolean)

    def _matches(self, node: Any, subject: Code, pattern: Any) -> Code:
        try:
            search = regex(pattern).search
        except Exception as error:  # noqa: BLE001 - re2 raises its own and TypeError
            said = str(error.args[0] if error.args else error)
            said = said.removeprefix("b'").removesuffix("'")
            raise ConditionError(f"not a regular expression of RE2: {said}", *place(node)) from None

        def judge(text: Any) -> bool:
            if type(text) is not str:
                raise Unjudged
            return search(text) is not None

        return self._fold(node, judge, subject)

    def _arguments(self, node: Any) -> tuple[Code, ...]:
        last: Any = node.children[-1] if node.children else None
        if getattr(last, "data", None) != "exprlist":
            return ()
        return tuple(self.compile(child) for child in last.children)

    def _has(self, node: Any) -> Code:
        children = node.children[1].children if len(node.children) > 1 else []
        field: Any = meaning(children[0]) if len(children) == 1 else None
        if getattr(field, "data", None) != "member_dot":
            message = 'has() takes a field, as in has(properties.a); or write "a.b" in properties'
            raise ConditionError(message, *place(node))
        before = set(self.reads)
        holder, name = self.compile(field.children[0]), str(field.children[1])
        path = self._select(holder, name, field).path
        if path:
            self.tested.add(path)
            self.reads -= {path} - before
        return self._fold(node, macros.presence(name), holder)

    def _macro(self, node: Any, name: str) -> Code:
        subject = self.compile(node.children[0])
        children = node.children[2].children if len(node.children) > 2 else []  # noqa: PLR2004
        if len(children) not in macros.MACROS[name].counts:
            raise ConditionError(f"{name}() has another number of arguments", *place(node))
        variable = meaning(children[0])
        if getattr(variable, "data", None) != "ident":
            message = f"{name}() begins with a name, as in .{name}(x, x > 1)"
            raise ConditionError(message, *place(node))
        bound = str(variable.children[0])
        if bound in ALL_NAMES or bound in self.bound:
            raise ConditionError(f"`{bound}` is taken: choose another name", *place(variable))
        self.loops = True
        self.bound.append(bound)
        bodies = tuple(self.compile(child).run for child in children[1:])
        self.bound.pop()
        macro = macros.MACROS[name]
        return Code(macro.build(subject.run, bound, *bodies), boolean=macro.boolean)
