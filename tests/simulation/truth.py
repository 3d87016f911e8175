"""What the independent oracle says must come of a history, and whether it did."""

from typing import Any

from pipeline.domain.times import format_instant
from tests.oracle.compare import normal
from tests.oracle.oracle import run
from tests.simulation.history import History
from tests.simulation.judge import Judge

TRIGGER = (
    "type", "journey", "step", "key", "person", "channel", "to", "anchor", "deadline", "expiresAt",
)  # fmt: skip
RETRACTION = ("type", "journey", "key", "person", "channel", "to", "reason")


def difference(history: History, arrived: list[tuple[int, Any]], judge: Judge, until: int) -> str:
    """- what only the oracle has, + what only the product has; when it came is left aside."""
    events = [
        {"arrives": format_instant(at), "raw": value}
        for at, value in sorted(arrived, key=lambda item: item[0])
    ]
    case = {"events": events, "until": format_instant(until)}
    expected = [_row(output) for output in run(history.rulebook, case).outputs]
    actual = [_row(output) for output in (*judge.triggers.values(), *judge.retractions.values())]
    for row in list(expected):
        if row in actual:
            actual.remove(row)
            expected.remove(row)
    lines = [f"- {row}" for row in expected] + [f"+ {row}" for row in actual]
    return "\n".join(lines)


def _row(output: dict[str, Any]) -> tuple[Any, ...]:
    return normal(output, TRIGGER if output["type"] == "trigger" else RETRACTION)
