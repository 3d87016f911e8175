"""What is made of measurements: percentiles, slopes, spreads, and tables that align."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Final

PERCENTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The value that so large a share is below; None where so few values can't tell."""
    if len(ordered) * (1 - share) < 1:
        return None
    return ordered[int(len(ordered) * share)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line that fits these points best; 0 where one place has them all."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def settled_part(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """The second half by the first coordinate: what caches and heaps grow to lies before it."""
    if not points:
        return points
    middle = (points[0][0] + points[-1][0]) / 2
    return [point for point in points if point[0] >= middle]


def sampled(points: Sequence[tuple[float, float]], count: int) -> list[float]:
    """So many of the second coordinates, as far apart as can be, the last among them."""
    if len(points) <= count:
        return [value for _, value in points]
    step = (len(points) - 1) / (count - 1)
    return [points[round(nth * step)][1] for nth in range(count)]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median (least-most)."""
    low, middle, high = min(values), statistics.median(values), max(values)
    if len(values) == 1:
        return f"{middle:,.{digits}f}"
    return f"{middle:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def aligned(rows: Iterable[Sequence[str]]) -> str:
    """A table: the first column to the left, the others to the right."""
    kept = [list(row) for row in rows]
    widths = [max(len(row[n]) for row in kept) for n in range(len(kept[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in kept
    )
