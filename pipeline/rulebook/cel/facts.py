"""What must hold of single fields where a condition is true, and whether two of those contradict.

`a == 1 && b < 5` is true only where both are: these are its facts. Of `||` and of what compares
no field with a constant nothing is said.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from pipeline.rulebook.cel.compiler import Code, Compiler
from pipeline.rulebook.cel.paths import ALL_NAMES, Path
from pipeline.rulebook.cel.syntax import ConditionError, meaning, parse
from pipeline.rulebook.cel.values import RELATIONS, equal


class Fact(NamedTuple):
    """A field and what it must be: a sign of `_NEGATED` and a value, or `has` and a boolean."""

    path: Path
    sign: str
    value: Any


_NEGATED: Final = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_SIGNS: Final = {
    "relation_eq": "==", "relation_ne": "!=", "relation_lt": "<", "relation_le": "<=",
    "relation_gt": ">", "relation_ge": ">=",
}  # fmt: skip
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_COMPARE: Final = {sign: RELATIONS[name] for name, sign in _SIGNS.items()}


def facts_of(node: Any, *, holds: bool = True) -> list[Fact]:
    """What must be where the condition is true (`holds` False: where it is false)."""
    node = meaning(node)
    kind = getattr(node, "data", "")
    if kind == ("conditionaland" if holds else "conditionalor"):
        return [fact for each in operands(node) for fact in facts_of(each, holds=holds)]
    if kind == "unary" and node.children[0].data == "unary_not":
        return facts_of(node.children[1], holds=not holds)
    if kind == "relation":
        return list(_relation(node, holds=holds))
    if kind in {"ident_arg", "dot_ident_arg"} and str(node.children[0]) == "has":
        compiler = Compiler(ALL_NAMES)
        compiler.compile(node)
        return [Fact(path, "has", holds) for path in compiler.tested]
    code = _code(node)
    return [Fact(code.path, "==", holds)] if code is not None and code.path else []


def operands(node: Any) -> list[Any]:
    """Of `a && b && c`, whose tree leans to the left."""
    kind, found = node.data, []
    while getattr(node, "data", None) == kind:
        found.append(node.children[1])
        node = meaning(node.children[0])
    return [node, *reversed(found)]


def _code(node: Any) -> Code | None:
    """A part compiled by itself; None for one that reads the variable of a loop around it."""
    try:
        return Compiler(ALL_NAMES).compile(node)
    except ConditionError:
        return None


def _relation(node: Any, *, holds: bool) -> Iterator[Fact]:
    if getattr(node, "data", "") != "relation":
        return
    sign = node.children[0]
    left, right = _code(sign.children[0]), _code(node.children[1])
    if left is None or right is None:
        return
    if sign.data == "relation_in":
        if left.path and right.constant and isinstance(values := right.run({}), list) and holds:
            yield Fact(left.path, "in", values)
        return
    word = _SIGNS[sign.data] if holds else _NEGATED[_SIGNS[sign.data]]
    if left.path and right.constant:
        yield Fact(left.path, word, right.run({}))
    elif right.path and left.constant:
        yield Fact(right.path, _MIRRORED[word], left.run({}))


def contradict(facts: Iterable[Fact]) -> bool:
    """Whether they can't all hold of one event."""
    by_path: dict[Path, list[Fact]] = {}
    for fact in facts:
        by_path.setdefault(fact.path, []).append(fact)
    return any(_impossible(each) for each in by_path.values())


def _impossible(facts: list[Fact]) -> bool:
    present = {fact.value for fact in facts if fact.sign == "has"}
    rest = [fact for fact in facts if fact.sign != "has"]
    if False in present and (rest or True in present):
        return True
    known = [[fact.value] for fact in rest if fact.sign == "=="]
    known += [fact.value for fact in rest if fact.sign == "in"]
    if known:
        return not any(all(_allows(fact, value) for fact in rest) for value in known[0])
    bounds = [fact for fact in rest if fact.sign in {"<", "<=", ">", ">="}]
    return any(_apart(one, other) for one in bounds for other in bounds)


def _allows(fact: Fact, value: Any) -> bool:
    if fact.sign == "in":
        return any(equal(value, each) for each in fact.value)
    try:
        return _COMPARE[fact.sign](value, fact.value)
    except Exception:  # noqa: BLE001 - what can't be compared is not true
        return False


def _apart(low: Fact, high: Fact) -> bool:
    """Whether nothing lies above the one and below the other."""
    if low.sign not in {">", ">="} or high.sign not in {"<", "<="}:
        return False
    try:
        if low.sign == ">=" and high.sign == "<=":
            return _COMPARE[">"](low.value, high.value)
        return _COMPARE[">="](low.value, high.value)
    except Exception:  # noqa: BLE001 - of two types: one of the comparisons can't be judged
        return True


def compared_with(text: str, path: Path) -> set[str]:
    """The texts with which a condition compares a field by `==`, `!=` or `in`, wherever it does.

    Empty for a condition that doesn't compile.
    """
    try:
        root = parse(text)
        relations = root.find_data("relation") if hasattr(root, "find_data") else ()
        facts = [fact for node in relations for fact in _relation(meaning(node), holds=True)]
    except ConditionError:
        return set()
    found: set[str] = set()
    for fact in facts:
        values = fact.value if fact.sign == "in" else [fact.value]
        if fact.path == path and fact.sign in {"==", "!=", "in"}:
            found |= {value for value in values if isinstance(value, str)}
    return found
