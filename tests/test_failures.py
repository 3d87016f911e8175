"""FAILURES.md tells of every case, and what it names is there."""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CASES = (TESTS / "oracle" / "cases", TESTS / "process" / "windows" / "tests")
NUMBERS = [str(n) for n in range(1, 53)] + [f"I{n}" for n in range(1, 15)]
SHOWN = re.compile(
    r"(?:(?P<kind>case|fault|mutant|chaos|point) )?`(?P<name>[^`]+)`"
    r'|(?P<said>refusal|limit) "(?P<text>[^"]+)"'
)


def rows(page: str) -> Iterator[list[str]]:
    """The cells of the table's rows."""
    for line in page.splitlines():
        if line.startswith("| ") and not line.startswith("| No. "):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def shown(cell: str) -> Iterator[tuple[str, str]]:
    """What a cell names, by kind; raises where something is left that is no name."""
    if rest := SHOWN.sub("", cell).strip(" ,"):
        raise ValueError(f"names nothing: {rest}")
    for found in SHOWN.finditer(cell):
        yield found["kind"] or found["said"] or "test", found["name"] or found["text"]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def texts(root: ast.AST) -> Iterator[str]:
    for node in ast.walk(root):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def constant(path: Path, name: str) -> ast.expr:
    """What a module assigns to a name."""
    for node in tree(path).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        target = node.target if isinstance(node, ast.AnnAssign) else target
        if isinstance(target, ast.Name) and target.id == name:
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            return node.value
    raise LookupError(name)


def is_test(name: str) -> bool:
    path, _, function = name.partition("::")
    file = ROOT / path
    return file.is_file() and any(f.name == function for f in functions(file))


def is_case(name: str) -> bool:
    stem, _, called = name.partition(": ")
    files = [folder / f"{stem}.yaml" for folder in CASES]
    lines = [line for f in files if f.is_file() for line in f.read_text("utf-8").splitlines()]
    return f"- name: {called}" in {line.strip() for line in lines}


def is_fault(name: str) -> bool:
    return name in texts(constant(TESTS / "simulation" / "plans.py", "PROFILES"))


def is_mutant(name: str) -> bool:
    return any(
        function.name == name
        for path in (TESTS / "simulation").glob("mutants_*.py")
        for function in functions(path)
        if any(isinstance(d, ast.Name) and d.id == "mutant" for d in function.decorator_list)
    )


def is_chaos(name: str) -> bool:
    kinds = constant(TESTS / "chaos" / "faults.py", "KINDS")
    assert isinstance(kinds, ast.Dict)
    return any(
        name in texts(key) for v in kinds.values if isinstance(v, ast.Dict) for key in v.keys if key
    )


def is_point(name: str) -> bool:
    return name in texts(constant(TESTS / "chaos" / "points.py", "POINTS"))


@cache
def messages() -> list[str]:
    return [text for path in (ROOT / "pipeline").rglob("*.py") for text in texts(tree(path))]


def is_refusal(text: str) -> bool:
    return any(text in message for message in messages())


def is_limit(text: str) -> bool:
    limits = README.partition("\n## Limits\n")[2].partition("\n## ")[0]
    return text in " ".join(limits.split())


KINDS: dict[str, Callable[[str], bool]] = {
    "test": is_test,
    "case": is_case,
    "fault": is_fault,
    "mutant": is_mutant,
    "chaos": is_chaos,
    "point": is_point,
    "refusal": is_refusal,
    "limit": is_limit,
}
TABLE = list(rows((TESTS / "FAILURES.md").read_text(encoding="utf-8")))


def test_every_case_has_its_row() -> None:
    assert [row[0] for row in TABLE] == NUMBERS
    assert all(len(row) == 4 and all(row) for row in TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_what_a_row_names_is_there(row: list[str]) -> None:
    named = list(shown(row[-1]))
    assert [f"{kind} {name}" for kind, name in named if not KINDS[kind](name)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_noticed(kind: str) -> None:
    name = "tests/test_failures.py::test_nothing" if kind == "test" else "no such name"
    assert not KINDS[kind](name)


def test_words_that_name_nothing_are_noticed() -> None:
    with pytest.raises(ValueError, match="names nothing"):
        list(shown("mutant `no_fence`, somewhere in the tests"))
