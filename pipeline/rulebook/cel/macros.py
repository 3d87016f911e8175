"""What decides by the order and the errors of its parts: `&&`, `||`, has() and the list macros."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pipeline.rulebook.cel.values import Run, Scope, Unjudged

STEPS: Final = " steps"
"""Where a scope counts down what loops may still do; no name has a blank."""
_TEXT_A_STEP: Final = 64
STEPS_MAX: Final = 100_000


class Macro(NamedTuple):
    """A list macro: builds a closure from the list, the variable's name and the bodies."""

    build: Callable[..., Run]
    counts: frozenset[int]
    boolean: bool


def _until(parts: tuple[Run, ...], *, decisive: bool) -> Run:
    other = not decisive

    def run(n: Scope) -> bool:
        judged = True
        for part in parts:
            try:
                verdict = part(n)
            except Exception:  # noqa: BLE001 - as CEL has it
                judged = False
                continue
            if verdict is decisive:
                return not other
            if verdict is not other:
                judged = False
        if judged:
            return other
        raise Unjudged

    return run


def all_of(parts: tuple[Run, ...]) -> Run:
    """`&&`: one false part decides, whatever could not be judged."""
    return _until(parts, decisive=False)


def any_of(parts: tuple[Run, ...]) -> Run:
    """`||`: one true part decides, whatever could not be judged."""
    return _until(parts, decisive=True)


def among(item: Run, holder: Any) -> Run | None:
    """`x in [...]` for a constant list of texts: one look-up."""
    if not isinstance(holder, list) or not all(type(each) is str for each in holder):
        return None
    texts = frozenset(holder)

    def run(n: Scope) -> bool:
        value = item(n)
        return type(value) is str and value in texts

    return run


def presence(name: str) -> Callable[[Any], bool]:
    """has(): whether a map has the field, be it null."""

    def judge(holder: Any) -> bool:
        if not isinstance(holder, Mapping):
            raise Unjudged
        return name in holder

    return judge


def _items(holder: Any, scope: dict[str, Any]) -> list[Any]:
    """Give the elements of a list or the keys of a map, if there are steps left for them."""
    if not isinstance(holder, list | Mapping):
        raise Unjudged
    _charge(scope, len(holder))
    return list(holder)


def _charge(scope: Scope, steps: int) -> None:
    scope[STEPS][0] -= steps
    if scope[STEPS][0] < 0:
        raise Unjudged


def charged(run: Run) -> Run:
    """Count what it costs to look through a value, for use in a loop."""

    def counted(n: Scope) -> Any:
        value = run(n)
        if isinstance(value, str):
            _charge(n, len(value) // _TEXT_A_STEP)
        elif isinstance(value, list | Mapping):
            _charge(n, len(value))
        return value

    return counted


def _quantifier(*, decisive: bool) -> Callable[[Run, str, Run], Run]:
    other = not decisive

    def build(subject: Run, name: str, body: Run) -> Run:
        def run(n: Scope) -> bool:
            scope = dict(n)
            judged = True
            for item in _items(subject(n), scope):
                scope[name] = item
                try:
                    verdict = body(scope)
                except Exception:  # noqa: BLE001 - as CEL has it
                    judged = False
                    continue
                if verdict is decisive:
                    return not other
                if verdict is not other:
                    judged = False
            if judged:
                return other
            raise Unjudged

        return run

    return build


def _exists_one(subject: Run, name: str, body: Run) -> Run:
    return lambda n: len(_chosen(subject, name, body, n)) == 1


def _chosen(subject: Run, name: str, test: Run, n: Scope) -> list[Any]:
    scope, chosen = dict(n), []
    for item in _items(subject(n), scope):
        scope[name] = item
        verdict = test(scope)
        if verdict is True:
            chosen.append(item)
        elif verdict is not False:
            raise Unjudged
    return chosen


def _filter(subject: Run, name: str, test: Run) -> Run:
    return lambda n: _chosen(subject, name, test, n)


def _map(subject: Run, name: str, *bodies: Run) -> Run:
    def run(n: Scope) -> list[Any]:
        scope = dict(n)
        if len(bodies) == 1:
            items = _items(subject(n), scope)
        else:
            items = _chosen(subject, name, bodies[0], n)
        made = []
        for item in items:
            scope[name] = item
            made.append(bodies[-1](scope))
        return made

    return run


MACROS: Final[Mapping[str, Macro]] = {
    "all": Macro(_quantifier(decisive=False), frozenset({2}), boolean=True),
    "exists": Macro(_quantifier(decisive=True), frozenset({2}), boolean=True),
    "exists_one": Macro(_exists_one, frozenset({2}), boolean=True),
    "filter": Macro(_filter, frozenset({2}), boolean=False),
    "map": Macro(_map, frozenset({2, 3}), boolean=False),
}
