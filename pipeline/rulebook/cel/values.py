"""The values of a condition: plain JSON, datetimes and timedeltas; how they compare and add up."""

import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

Scope: TypeAlias = Mapping[str, Any]
Run: TypeAlias = Callable[[Scope], Any]

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
SIZE_MAX: Final = 1_000_000
"""Longest text or list that `+` makes: repeated doubling would be exponential."""

_NUMBERS: Final = frozenset({int, float})
_ORDERED: Final = frozenset({str, bool, datetime, timedelta})
_SCALARS: Final = frozenset({str, int, float, bool, datetime, timedelta, type(None)})


class Unjudged(Exception):
    """What CEL calls an error: no such field, no such overload, out of range."""


class TypeName(str):
    """What `type(x)` gives."""

    __slots__ = ()


def equal(left: Any, right: Any) -> bool:
    """`==`: numbers by value, everything else only with its own type."""
    one, other = type(left), type(right)
    if one in _SCALARS or other in _SCALARS:
        if one is other or (one in _NUMBERS and other in _NUMBERS):
            return bool(left == right)
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    return one is other and bool(left == right)


def ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """`<`, `<=`, `>`, `>=` of two numbers or of two values of one ordered type."""

    def judge(left: Any, right: Any) -> bool:
        one, other = type(left), type(right)
        if (one in _NUMBERS and other in _NUMBERS) or (one is other and one in _ORDERED):
            return compare(left, right)
        raise Unjudged

    return judge


def contains(item: Any, holder: Any) -> bool:
    """`in`: an element of a list or a key of a map."""
    if isinstance(holder, list):
        return any(equal(item, each) for each in holder)
    if isinstance(holder, Mapping):
        return isinstance(item, str) and item in holder
    raise Unjudged


def index(holder: Any, at: Any) -> Any:
    """`holder[at]`: a key of a map or a position of a list."""
    if isinstance(holder, list):
        if type(at) is float and at.is_integer():
            at = int(at)
        if type(at) is int and 0 <= at < len(holder):
            return holder[at]
    elif isinstance(holder, Mapping) and isinstance(at, str):
        return holder[at]
    raise Unjudged


def in_range(value: int) -> int:
    """Check the result of arithmetic with integers, which are of 64 bits."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise Unjudged


def _numeric(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def judge(left: Any, right: Any) -> Any:
        if type(left) is int and type(right) is int:
            return in_range(compute(left, right))
        if type(left) is float and type(right) is float:
            return compute(left, right)
        raise Unjudged

    return judge


def _quotient(left: Any, right: Any) -> Any:
    if type(left) is float:
        return left / right
    whole = abs(left) // abs(right)
    return whole if (left < 0) == (right < 0) else -whole


def _remainder(left: Any, right: Any) -> Any:
    if type(left) is float:
        raise Unjudged
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


_plus = _numeric(operator.add)
_minus = _numeric(operator.sub)


def add(left: Any, right: Any) -> Any:
    """`+`: of numbers, texts, lists, durations, and a timestamp and a duration."""
    one, other = type(left), type(right)
    if one is other and one in {str, list}:
        if len(left) + len(right) > SIZE_MAX:
            raise Unjudged
        return left + right
    if timedelta in {one, other} and {one, other} <= {datetime, timedelta}:
        return left + right
    return _plus(left, right)


def subtract(left: Any, right: Any) -> Any:
    """`-`: of numbers, timestamps and durations."""
    one, other = type(left), type(right)
    if one in {datetime, timedelta} and other in {datetime, timedelta}:
        return left - right
    return _minus(left, right)


def negate(value: Any) -> Any:
    """`-` in front of a number."""
    if type(value) is int:
        return in_range(-value)
    if type(value) is float:
        return -value
    raise Unjudged


def invert(value: Any) -> bool:
    """`!`."""
    if value is True:
        return False
    if value is False:
        return True
    raise Unjudged


def applied(compute: Callable[..., Any], runs: tuple[Run, ...]) -> Run:
    """A call of `compute` with what these give; the common counts without unpacking."""
    if len(runs) == 1:
        (one,) = runs
        return lambda n: compute(one(n))
    if len(runs) == 2:  # noqa: PLR2004
        left, right = runs
        return lambda n: compute(left(n), right(n))
    return lambda n: compute(*(run(n) for run in runs))


RELATIONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "relation_eq": equal,
    "relation_ne": lambda left, right: not equal(left, right),
    "relation_lt": ordering(operator.lt),
    "relation_le": ordering(operator.le),
    "relation_gt": ordering(operator.gt),
    "relation_ge": ordering(operator.ge),
    "relation_in": contains,
}
ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "addition_add": add,
    "addition_sub": subtract,
    "multiplication_mul": _numeric(operator.mul),
    "multiplication_div": _numeric(_quotient),
    "multiplication_mod": _numeric(_remainder),
}
