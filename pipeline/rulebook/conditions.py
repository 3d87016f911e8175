"""Conditions of a rulebook: CEL over an event, its start, a person's traits and history.

`where` sees START_NAMES or UNLESS_NAMES, `audience` AUDIENCE_NAMES.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from pipeline.rulebook.cel.compiler import Compiler
from pipeline.rulebook.cel.macros import STEPS, STEPS_MAX
from pipeline.rulebook.cel.paths import ALL_NAMES, Path, may_miss, shown
from pipeline.rulebook.cel.syntax import ConditionError, parse, place
from pipeline.rulebook.cel.values import Run

START_NAMES: Final = frozenset({"properties", "context", "type", "event"})
UNLESS_NAMES: Final = START_NAMES | {"start"}
AUDIENCE_NAMES: Final = frozenset({"traits", "start", "events"})

__all__ = [
    "AUDIENCE_NAMES",
    "START_NAMES",
    "UNLESS_NAMES",
    "CompiledCondition",
    "ConditionError",
    "compile_condition",
    "fields_read",
    "fields_read_without_has",
]


class CompiledCondition:
    """Fulfils `domain.rules.Condition`. Equal to any other of the same text and names."""

    __slots__ = ("_loops", "_names", "_run", "_text", "_uses_start")

    def __init__(self, text: str, names: frozenset[str], run: Run, compiler: Compiler) -> None:
        """Made by `compile_condition`."""
        self._text = text
        self._names = names
        self._run = run
        self._loops = compiler.loops
        self._uses_start = ("start",) in compiler.reads

    @property
    def text(self) -> str:
        """As the rulebook has it."""
        return self._text

    @property
    def uses_start(self) -> bool:
        """Whether it reads `start`."""
        return self._uses_start

    def __call__(self, names: Mapping[str, object]) -> bool | None:
        """Judge it; None where that can't be done. Never raises, and never takes long."""
        try:
            verdict = self._run({**names, STEPS: [STEPS_MAX]} if self._loops else names)
        except Exception:  # noqa: BLE001 - a condition never stops the log
            return None
        return verdict if verdict is True or verdict is False else None

    def __eq__(self, other: object) -> bool:
        """By text and names."""
        if not isinstance(other, CompiledCondition):
            return NotImplemented
        return (self._text, self._names) == (other._text, other._names)

    def __hash__(self) -> int:
        """As equality."""
        return hash((self._text, self._names))

    def __repr__(self) -> str:
        """As the rulebook has it."""
        return f"CompiledCondition({self._text!r})"


@lru_cache(maxsize=4096)
def compile_condition(text: str, names: frozenset[str]) -> CompiledCondition:
    """Compile a condition over these variables. Raises ConditionError."""
    compiler = Compiler(names)
    node = parse(text)
    code = compiler.compile(node)
    if not code.boolean:
        raise ConditionError(
            "it is neither true nor false: compare it with something", *place(node)
        )
    return CompiledCondition(text, names, code.run, compiler)


def fields_read_without_has(text: str) -> list[str]:
    """Name the fields that may be missing and are read without a has() of them anywhere; sorted.

    Empty for a condition that doesn't compile.
    """
    compiler = Compiler(ALL_NAMES)
    try:
        compiler.compile(parse(text))
    except ConditionError:
        return []
    unsure = {path for path in compiler.reads - compiler.tested if may_miss(path)}
    longer: set[Path] = {path[:end] for path in unsure for end in range(1, len(path))}
    return sorted(shown(path) for path in unsure - longer)


def fields_read(text: str) -> frozenset[Path]:
    """Every field that a condition reads or asks for, as deep as it goes.

    Empty for a condition that doesn't compile.
    """
    compiler = Compiler(ALL_NAMES)
    try:
        compiler.compile(parse(text))
    except ConditionError:
        return frozenset()
    paths = compiler.reads | compiler.tested
    leading = {path[:end] for path in paths for end in range(1, len(path))}
    return frozenset(paths - leading)
