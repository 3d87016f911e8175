"""A value of any type of the domain with nothing left at its default."""

import dataclasses
import types
from itertools import count
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pipeline.domain.entities import Queued
from pipeline.domain.events import Details
from pipeline.domain.messages import Did


class Filler:
    """Counts, so that no two numbers or texts in a value are alike."""

    def __init__(self) -> None:
        self._next = count(1)

    def fill(self, of: Any) -> Any:
        """A value of this type."""
        origin, args = get_origin(of), get_args(of)
        if origin is Literal:
            return args[-1]
        if origin in {Union, types.UnionType}:
            return self.fill(next(arg for arg in args if arg is not type(None)))
        if origin is list:
            return [self.fill(args[0])]
        if origin is dict:
            return {self.fill(args[0]): self.fill(args[1])}
        if origin is tuple:
            return tuple(self.fill(arg) for arg in args if arg is not Ellipsis)
        if of is Queued:
            return Queued(self.fill(int), self.fill(Did))
        if of is Details:
            return Details(self.fill(dict[str, object]), self.fill(dict[str, object]))
        if dataclasses.is_dataclass(of) or hasattr(of, "_fields"):
            hints = get_type_hints(of)
            return of(**{name: self.fill(hint) for name, hint in hints.items()})
        return self._plain(of)

    def _plain(self, of: Any) -> Any:
        number = next(self._next)
        plain = {
            int: 1_772_000_000_000 + number,
            str: f"text {number}",
            bool: True,
            bytes: number.to_bytes(12, "big"),
            float: number + 0.5,
        }
        if of in plain:
            return plain[of]
        assert of in {object, Any}, of
        return {"text": f"ü{number}", "list": [None, True, number], "number": 0.25}


def fill(of: Any) -> Any:
    """A value of this type; the same each time."""
    return Filler().fill(of)
