"""What the independent oracle says must come of a history, and whether it did."""

from collections import Counter
from typing import Any

from pipeline.domain.ids import key_text
from pipeline.domain.times import format_instant
from tests.oracle import compare
from tests.oracle.oracle import run
from tests.simulation.history import History
from tests.simulation.judge import Judge

TRIGGER = (
    "type", "journey", "step", "key", "person", "channel", "to", "anchor", "deadline", "expiresAt",
    "variant",
)  # fmt: skip
RETRACTION = ("type", "journey", "key", "person", "channel", "to", "reason")
CANCELLED = {"late_cancel", "cancelled_after_fire"}


def difference(history: History, arrived: list[tuple[int, Any]], judge: Judge, until: int) -> str:
    """- what only the oracle has, + what only the product has; when it came is left aside."""
    events = [
        {"arrives": format_instant(at)} | (value if "erase" in value else {"raw": value})
        for at, value in sorted(arrived, key=lambda item: item[0])
    ]
    case = {"events": events, "until": format_instant(until)}
    result = run(history.rulebook, case)
    expected = [_row(output) for output in result.outputs]
    actual = [_row(output) for output in (*judge.triggers.values(), *judge.retractions.values())]
    for row in list(expected):
        if row in actual:
            actual.remove(row)
            expected.remove(row)
    crowded = _crowded(arrived)
    for row in list(expected):
        other = (*row[:-1], *(CANCELLED - {row[-1]}))
        if row[-1] in CANCELLED and row[2] in crowded and other in actual:
            actual.remove(other)
            expected.remove(row)
    lines = [f"- {row}" for row in expected] + [f"+ {row}" for row in actual]
    lines += _decisions(result.decisions, judge.decisions, crowded)
    said, opt_ins = set(result.opt_ins.items()), set(judge.compacted.opt_ins().items())
    if any("erase" in call for _, call in arrived):  # opt-outs stay, and are not shown any more
        said, opt_ins = ({x for x in each if x[1] == "subscribed"} for each in (said, opt_ins))
    lines += [f"- {row}" for row in said - opt_ins] + [f"+ {row}" for row in opt_ins - said]
    lines += judge.compacted.unheard([each for _, each in _calls(arrived)])
    return "\n".join(lines)


def _decisions(
    expected: list[dict[str, Any]], actual: list[dict[str, Any]], crowded: set[str | None]
) -> list[str]:
    """Of every step what became of it; when it came is left aside."""
    one, other = (
        Counter(row[:6] for row in compare.said(each) if not crowded.intersection(row))
        for each in (expected, actual)
    )
    return [f"- {row}" for row in one - other] + [f"+ {row}" for row in other - one]


def _crowded(arrived: list[tuple[int, Any]]) -> set[str | None]:
    """Keys of which several events arrived at one instant.

    On their way they may be taken one before a tick and one after it: which of two cancels gives
    the reason (rule 10) is then open, and the oracle's guess as good as the product's.
    """
    calls = _calls(arrived)
    keys = [(at, key_text(call.get("properties", {}).get("loanId"))) for at, call in calls]
    return {key for (_, key), count in Counter(keys).items() if count > 1}


def _calls(arrived: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """What batches hold, each by itself."""
    return [(at, each) for at, call in arrived for each in call.get("batch", [call])]


def _row(output: dict[str, Any]) -> tuple[Any, ...]:
    return compare.normal(output, TRIGGER if output["type"] == "trigger" else RETRACTION)
