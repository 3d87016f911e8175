"""What test cases have exercised of a rulebook, as a table, a list and JSON."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.commands.tables import count_of, line, table
from pipeline.rulebook.coverage import Coverage, Point


def show_coverage(out: Console, coverage: Coverage, folder: Path) -> None:
    """A table for each journey, and the list of the branches that no case took."""
    for journey, points in _by(coverage.points, lambda point: point.journey).items():
        rules = _by(points, lambda point: point.rule)
        rows = [
            [each[0].line, rule, _branches(coverage, each, taken=True),
             _branches(coverage, each, taken=False)]
            for rule, each in rules.items()
        ]  # fmt: skip
        percent = Coverage(points, coverage.taken).percent
        title = f"{journey}: {percent:.0f} %"
        out.print(table(("line", "rule", "exercised", "not exercised"), rows, title))
    for point in coverage.missing:
        place = f"{folder / point.file}:{point.line}"
        line(out, f"{place}: not exercised: {point.rule}: {point.branch}")
    done = len(coverage.points) - len(coverage.missing)
    total = count_of(len(coverage.points), "branch", "branches")
    line(out, f"coverage {coverage.percent:.1f} %: {done:,} of {total} exercised")


def _by(points: Sequence[Point], key: Callable[[Point], str]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(key(point), []).append(point)
    return found


def _branches(coverage: Coverage, points: Sequence[Point], *, taken: bool) -> str:
    return ", ".join(each.branch for each in points if coverage.has(each) is taken) or "-"


def coverage_json(coverage: Coverage) -> dict[str, Any]:
    """Percentage, counts by journey, and every branch that no case took."""
    journeys: dict[str, dict[str, int]] = {}
    for point in coverage.points:
        counts = journeys.setdefault(point.journey, {"branches": 0, "exercised": 0})
        counts["branches"] += 1
        counts["exercised"] += coverage.has(point)
    names = ("file", "line", "journey", "rule", "branch")
    return {
        "percent": round(coverage.percent, 2),
        "branches": len(coverage.points),
        "exercised": len(coverage.points) - len(coverage.missing),
        "journeys": journeys,
        "missing": [dict(zip(names, point, strict=False)) for point in coverage.missing],
    }
