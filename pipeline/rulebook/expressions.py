"""Paths and conditions as a rulebook's texts have them."""

from typing import Final

from pipeline.rulebook.conditions import ConditionError, compile_condition
from pipeline.rulebook.shape import Node

KEY_ROOTS: Final = ("properties.", "context.")
INCLUDE_ROOTS: Final = ("properties.", "traits.")


def read_path(node: Node, roots: tuple[str, ...]) -> str | None:
    """A dotted path under one of these roots."""
    text = node.text()
    if text is None:
        return None
    parts = text.split(".")
    if not text.startswith(roots) or not all(part and part == part.strip() for part in parts):
        begins = " or ".join(f"{root}NAME" for root in roots)
        node.error(f"{node.name} is `{text}`", f"write {begins}, dots between nested names")
        return None
    return text


def read_condition(node: Node, names: frozenset[str]) -> str | None:
    """A condition over these names that compiles; a finding stands at its line of a longer one."""
    text = node.text() if not isinstance(node.value, str) else node.value
    if text is None:
        return None
    try:
        compile_condition(text, names)
    except ConditionError as error:
        node.line += error.line - 1
        place = f", at character {error.column}" if error.column > 1 else ""
        node.error(f"{node.name} `{_first_line(text)}`: {error}{place}", "mend the condition (CEL)")
        return None
    return text.strip()


def _first_line(text: str) -> str:
    line, _, rest = text.strip().partition("\n")
    return f"{line[:77]}..." if rest or len(line) > 80 else line  # noqa: PLR2004
