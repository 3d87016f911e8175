"""`pipeline shadow JOURNEY`: what a journey in shadow does otherwise than the live one."""

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from pipeline.commands.common import Failure, json_option, print_json, reachable, run
from pipeline.commands.instants import Instant
from pipeline.process.shadowing import KINDS, Row, Side, counts, differences
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.adapters.kafka_reader import Kept
    from pipeline.commands.reach import Reach

_WORDS: Final = {"both": "both", "onlyLive": "only live", "onlyShadow": "only shadow"}
_ROWS: Final = 200
"""Of the table: more is for programs."""


@click.command("shadow")
@click.argument("journey")
@click.option("--from", "begin", type=Instant(), help="Else from the shadow's first record on.")
@click.option("--to", "end", type=Instant(), help="Else up to now.")
@json_option
def command(journey: str, begin: int | None, end: int | None, as_json: bool) -> None:
    """Compare what JOURNEY fired with what its shadow would have.

    A journey runs in shadow where a second file of its name has a higher version and `status:
    shadow`. Reads journey.shadow and the live topics; times are those of firing.
    """
    if begin is not None and end is not None and end < begin:
        raise Failure("shadow: --to is before --from: exchange them")
    live, shadow = run(_read(reachable(), journey))
    rows = list(differences(live, shadow, begin, end))
    if as_json:
        for row in rows:
            print_json(row.as_json())
        print_json({"type": "summary", **_summary(rows)})
    else:
        _show(rows)


async def _read(settings: Settings, journey: str) -> tuple[Side, Side]:
    from pipeline.commands.reach import not_found, reach

    names = settings.names
    async with reach(settings) as pipeline:
        shadow = await _side(pipeline, journey, names.shadow)
        if shadow.first is None:
            raise not_found(
                f"nothing of `{journey}` is in {names.shadow}: put a file of its name with a higher"
                " version and `status: shadow` in force, and let it run for a while"
            )
        live = await _side(pipeline, journey, names.decisions, names.triggers)
    return live, shadow


async def _side(pipeline: "Reach", journey: str, *topics: str) -> Side:
    needle = b'"journey":' + orjson.dumps(journey)

    def wanted(kept: "Kept") -> bool:
        return needle in (kept.value or b"")

    side = Side()
    for topic in topics:
        async with aclosing(pipeline.reader.read(topic, wanted=wanted)) as records:
            async for kept in records:
                record = orjson.loads(kept.value or b"")
                if record["journey"] == journey:
                    side.take(record)
    return side


def _summary(rows: list[Row]) -> dict[str, Any]:
    found = counts(rows)
    return {
        **{kind: sum(n for (each, _), n in found.items() if each == kind) for kind in KINDS},
        "reasons": [
            {"kind": kind, "reason": reason, "count": count}
            for (kind, reason), count in sorted(found.items())
            if reason
        ],
    }


def _show(rows: list[Row]) -> None:
    from pipeline.commands.tables import console, line, table

    out = console()
    columns = "fired by,at,version,step,key,who,channel,the other,retracted".split(",")
    apart = [row for row in rows if row.kind != "both"]
    cells = [
        [
            _WORDS[row.kind],
            *(row.trigger[name] for name in ("firedAt", "version", "step", "key")),
            row.trigger["userId"] or row.trigger["anonymousId"],
            row.trigger["channel"],
            row.reason,
            row.retracted,
        ]
        for row in apart[:_ROWS]
    ]
    if cells:
        out.print(table(columns, cells, "what only one of them fired"))
    if (more := len(apart) - _ROWS) > 0:
        line(out, f"… and {more:,} more; --json lists all")
    summary = _summary(rows)
    reasons = [
        [_WORDS[each["kind"]], each["reason"], each["count"]] for each in summary.pop("reasons")
    ]
    if reasons:
        out.print(table(("fired by", "the other", "count"), reasons, "reasons", figures=1))
    line(
        out,
        f"fired by both {summary['both']:,}, only live {summary['onlyLive']:,}, only shadow"
        f" {summary['onlyShadow']:,}",
    )
