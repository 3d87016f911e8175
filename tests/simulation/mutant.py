"""How a mutant is made: a context manager that replaces a few methods, known by its name."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

Mutant = Callable[[], AbstractContextManager[Any]]
MUTANTS: dict[str, Mutant] = {}


def mutant(make: Callable[[], Iterator[None]]) -> Mutant:
    made = contextmanager(make)
    MUTANTS[make.__name__] = made
    return made


def nothing(*_: Any, **__: Any) -> None:
    """Does nothing."""


async def nothing_async(*_: Any, **__: Any) -> None:
    """Does nothing."""
