"""A backtest as machine lines: records as they come, then the figures."""

from collections.abc import Callable, Iterator
from typing import Any

from pipeline.commands.backtest_study import Side, Sink, Study
from pipeline.commands.common import print_json
from pipeline.domain.times import format_instant
from pipeline.process.history import Came
from pipeline.process.tally import Ended, HourOfWeek, Tally, Went

Json = dict[str, Any]


def lines_sink(*, compared: bool) -> Sink:
    """Prints every record; which rulebook it is of where there are several."""

    def take(side: Side, came: Came) -> None:
        record = came.record if came.kind != "decision" else {"type": "decision", **came.record}
        print_json({"rulebook": side.label, **record} if compared else record)

    return take


def print_figures(made: Study, put: Callable[[Json], None] = print_json) -> None:
    """The differences and sums of a comparison, and a summary a rulebook."""
    first, *others = made.sides
    for number, other in enumerate(others, 1):
        for line in _compared(made, number, first, other):
            put(line)
    for side in made.sides:
        put(_summary(made, side))


def _compared(made: Study, number: int, first: Side, other: Side) -> Iterator[Json]:
    if made.comparison is None:
        return
    between = {"rulebook": first.label, "other": other.label}
    for id_, step, side, verdict in made.comparison.differences(0, number):
        yield {
            "type": "difference",
            **between,
            "id": id_,
            "journey": step.journey,
            "step": step.number,
            "firedBy": first.label if side == "one" else other.label,
            "otherSays": {"outcome": verdict.outcome, "reason": verdict.reason or None},
        }
    sums = made.comparison.sums(0, number)
    names = {"both": "both", "one": "rulebook", "other": "other"}
    for (journey, side, verdict_), count in sorted(sums.items()):
        yield {
            "type": "comparison",
            **between,
            "journey": journey,
            "firedBy": names[side],
            "otherSays": verdict_ or None,
            "count": count,
        }


def _summary(made: Study, side: Side) -> Json:
    tally = side.tally
    return {
        "type": "summary",
        "rulebook": side.label,
        "records": made.span.records,
        "from": format_instant(made.begin) if made.begin else None,
        "to": format_instant(made.end) if made.end else None,
        "counts": {str(name): count for name, count in sorted(side.counts.items())},
        "outcomes": [
            {**_ended(each), "count": count} for each, count in sorted(tally.ended.items())
        ],
        "hours": [
            {**_went(went), "hour": format_instant(begin), "count": count}
            for (went, begin), count in sorted(tally.hours.items())
        ],
        "localHours": [
            {**_went(went), **hour._asdict(), "count": count}
            for went, hour, count in sorted(_known(tally))
        ],
        "localHourUnknown": tally.called()[None],
    }


def _ended(ended: Ended) -> Json:
    return {name: value or None for name, value in ended._asdict().items()}


def _went(went: Went) -> Json:
    return {**went._asdict(), "variant": went.variant or None}


def _known(tally: Tally) -> Iterator[tuple[Went, HourOfWeek, int]]:
    for (went, hour), count in tally.local.items():
        if hour is not None:
            yield went, hour, count
