"""What can be said of a condition before there is an event: which verdicts it can have at all.

A verdict is True, False or None (can't be judged). What is said is certain, but not everything
that is certain is said: parts are taken to vary freely, unless they are constant or contradict
each other (`facts.py`).
"""

from itertools import product
from typing import Any, Final, TypeAlias

from pipeline.rulebook.cel.compiler import Compiler
from pipeline.rulebook.cel.facts import contradict, facts_of, operands
from pipeline.rulebook.cel.paths import ALL_NAMES
from pipeline.rulebook.cel.syntax import ConditionError, meaning, parse

Verdicts: TypeAlias = frozenset[bool | None]

ANY: Final[Verdicts] = frozenset({True, False, None})


def verdicts(text: str) -> Verdicts:
    """The verdicts that a condition can have; ANY for one that doesn't compile."""
    try:
        node = parse(text)
        found = _possible(node)
        if True in found and contradict(facts_of(node)):
            found -= {True}
    except ConditionError:
        return ANY
    return found


def _possible(node: Any) -> Verdicts:
    node = meaning(node)
    kind = getattr(node, "data", "")
    if kind in {"conditionaland", "conditionalor"}:
        decisive = kind == "conditionalor"
        return _combined([_possible(each) for each in operands(node)], decisive=decisive)
    if kind == "unary" and node.children[0].data == "unary_not":
        inner = _possible(node.children[1])
        return frozenset(None if each is None else not each for each in inner)
    if kind == "expr":
        test, then, other = (_possible(child) for child in node.children)
        found = frozenset({None}) & test
        return found | (then if True in test else found) | (other if False in test else found)
    code = Compiler(ALL_NAMES).compile(node)
    if code.constant:
        value = code.run({})
        return frozenset({value if isinstance(value, bool) else None})
    return ANY


def _combined(parts: list[Verdicts], *, decisive: bool) -> Verdicts:
    """`&&` and `||`: one decisive part decides, whatever could not be judged."""
    found: Verdicts = parts[0]
    for part in parts[1:]:
        found = frozenset(_both(one, other, decisive) for one, other in product(found, part))
    return found


def _both(one: bool | None, other: bool | None, decisive: bool) -> bool | None:
    if decisive in {one, other}:
        return decisive
    return None if None in {one, other} else not decisive
