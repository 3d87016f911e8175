"""`pipeline backtest RULEBOOK`: what a rulebook would have done over a history; emits nothing."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.commands.common import (
    Failure,
    json_option,
    print_json,
    reachable,
    run,
    settings,
)
from pipeline.commands.rulebook_files import rulebook_argument, usable_document
from pipeline.domain.times import format_instant, parse_instant

if TYPE_CHECKING:
    from pipeline.process.history import Outcome
    from pipeline.rulebook.load import Document

Json = dict[str, Any]
_ROWS: Final = 200
"""Of one table: more is for programs."""


class _Instant(click.ParamType):
    name = "T"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """RFC 3339, a day, or epoch seconds or milliseconds."""
        instant = parse_instant(str(value))
        if instant is None:
            self.fail(f"{value!r} is no time: write 2026-03-03T15:00:00Z or 2026-03-03")
        return instant


@click.command("backtest")
@rulebook_argument
@click.option("--from", "begin", type=_Instant(), help="When the journeys come into force.")
@click.option("--to", "end", type=_Instant(), help="When the clock stops; else the last record.")
@click.option(
    "--input",
    "path",
    type=click.Path(path_type=Path),
    help="JSON lines: Segment events or batches, taken at receivedAt, else timestamp; or"
    ' {"timestamp": ms, "value": {...}}. Without it the raw topic is read.',
)
@json_option
def command(
    rulebook: Path, begin: int | None, end: int | None, path: Path | None, as_json: bool
) -> None:
    """Run RULEBOOK over history: what would have fired, what not and why.

    Records before --from count for who people are and what they opted in to. Waits whose
    deadline is after the end are not decided: give a later --to to see them.
    """
    if begin is not None and end is not None and end < begin:
        raise Failure("backtest: --to is before --from: exchange them")
    document, _ = usable_document(rulebook)
    outcome = run(_backtest(document, begin, end, path))
    if as_json:
        for record in [*outcome.triggers, *outcome.retractions]:
            print_json(record)
        for decision in outcome.decisions:
            print_json({"type": "decision", **decision})
        counts = {str(name): count for name, count in sorted(outcome.counts.items())}
        print_json({"type": "summary", "records": outcome.records, "counts": counts})
    else:
        _show(outcome)


async def _backtest(
    document: "Document", begin: int | None, end: int | None, path: Path | None
) -> "Outcome":
    from pipeline.adapters.memory_store import MemoryStore
    from pipeline.commands.histories import from_file, from_topic
    from pipeline.process.history import backtest

    records = from_topic(reachable()) if path is None else from_file(path)
    region = settings().region
    return await backtest(records, document, MemoryStore(), region=region, begin=begin, end=end)


def _show(outcome: "Outcome") -> None:
    from pipeline.commands.tables import console, count_of, line, table

    out = console()

    def show(title: str, columns: str, records: list[Json]) -> None:
        names = columns.split()
        if records:
            rows = [[record.get(name) for name in names] for record in records[:_ROWS]]
            out.print(table(names, rows, title))
        if (more := len(records) - _ROWS) > 0:
            line(out, f"… and {more:,} more; --json lists all")

    sent = [{**each, "who": _who(each)} for each in outcome.triggers]
    show("would have fired", "firedAt journey step key who channel to", sent)
    gone = [{**each, "who": _who(each)} for each in outcome.retractions]
    show("would have been retracted", "at journey key who reason", gone)
    rest = [{**each, "who": _who(each)} for each in outcome.decisions]
    show("would not have fired", "decidedAt journey step key who outcome reason", rest)
    rows = [
        [journey, outcome_, reason, count]
        for (journey, outcome_, reason), count in sorted(_summary(outcome).items())
    ]
    if rows:
        out.print(table(("journey", "outcome", "reason", "count"), rows, "summary"))
    span = ""
    if outcome.first is not None and outcome.last is not None:
        span = f" from {format_instant(outcome.first)} to {format_instant(outcome.last)}"
    line(
        out,
        f"{count_of(outcome.records, 'record')}{span}: {count_of(len(sent), 'trigger')},"
        f" {count_of(len(gone), 'retraction')}, {len(rest)} not fired; nothing was emitted",
    )


def _who(record: Json) -> str:
    return record["userId"] or record["anonymousId"] or "-"


def _summary(outcome: "Outcome") -> Counter[tuple[str, str, str]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    counts.update((each["journey"], "fired", "") for each in outcome.triggers)
    counts.update((each["journey"], "retracted", each["reason"]) for each in outcome.retractions)
    counts.update(
        (each["journey"], each["outcome"], each["reason"] or "") for each in outcome.decisions
    )
    return counts
