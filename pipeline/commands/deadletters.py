"""`pipeline deadletters list|show|retry`: what was refused and why; send again after a fix."""

import re
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from pipeline.commands.common import Failure, json_option, print_json, reachable, run
from pipeline.domain.times import format_instant

if TYPE_CHECKING:
    from pipeline.adapters.kafka_reader import Kept
    from pipeline.settings import Settings

Json = dict[str, Any]
Place = tuple[int, int]
_POSITION: Final = re.compile(r"(\d{1,9}):(\d{1,18})", re.ASCII)
_SHOWN: Final = 100


class _Position(click.ParamType):
    name = "PARTITION:OFFSET"

    def convert(self, value: Any, param: Any, ctx: Any) -> Place:
        """As `list` prints it."""
        match = _POSITION.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is no position: write PARTITION:OFFSET, as `list` shows it")
        return int(match[1]), int(match[2])


@click.group("deadletters")
def command() -> None:
    """What was refused and why; send again after a fix."""


@command.command("list")
@click.option("--reason", help="Only those with this reason.")
@click.option("--limit", type=click.IntRange(min=1), default=_SHOWN, show_default=True)
@json_option
def list_(reason: str | None, limit: int, as_json: bool) -> None:
    """List the newest, and count all by reason."""
    counts, newest = run(_list(reachable(), reason, limit))
    if as_json:
        for letter in newest:
            print_json(letter)
        return
    from pipeline.commands.tables import console, count_of, line, table

    out = console()
    columns = ("at", "reason", "detail", "source", "time")
    if newest:
        out.print(table(columns, [[letter[name] for name in columns] for letter in newest]))
    for name, count in counts.most_common():
        line(out, f"{count:>9,}  {name}")
    line(out, count_of(counts.total(), "dead letter"))


@command.command("show")
@click.argument("position", type=_Position())
@json_option
def show(position: Place, as_json: bool) -> None:
    """Show one: its headers, and the original bytes. Shows personal data."""
    kept = run(_one(reachable(), position))
    value = None if kept.value is None else kept.value.decode(errors="backslashreplace")
    if as_json:
        headers = {name: text.decode(errors="replace") for name, text in kept.headers}
        key = None if kept.key is None else kept.key.decode(errors="backslashreplace")
        print_json({**_letter(kept), "headers": headers, "key": key, "value": value})
        return
    from pipeline.commands.tables import shown

    for name, text in kept.headers:
        click.echo(f"{name}: {shown(text.decode(errors='replace'))}")
    click.echo(f"written: {format_instant(kept.timestamp)}")
    click.echo(f"\n{'(no value)' if value is None else shown(value)}")


@command.command("retry")
@click.argument("positions", nargs=-1, type=_Position())
@click.option("--reason", help="All with this reason.")
@click.option("--all", "everything", is_flag=True, help="All that came from the raw topic.")
@json_option
def retry(
    positions: tuple[Place, ...], reason: str | None, everything: bool, as_json: bool
) -> None:
    """Send original bytes to the raw topic again: by POSITION, by --reason, or --all.

    Of a batch that gave several dead letters the record is sent once. What was taken the first
    time is dropped by its messageId within 24 hours; later, or without one, it counts again.
    """
    if sum((bool(positions), reason is not None, everything)) != 1:
        raise Failure("retry: give positions (PARTITION:OFFSET), or --reason R, or --all")
    sent, left = run(_retry(reachable(), set(positions), reason))
    if as_json:
        print_json({"sent": sent, "notFromRaw": left})
        return
    from pipeline.commands.tables import count_of

    click.echo(f"sent {count_of(sent, 'record')} again")
    if left:
        click.echo(f"left {left} that did not come from the raw topic: they can't be sent again")


async def _list(
    settings: "Settings", reason: str | None, limit: int
) -> tuple[Counter[str], list[Json]]:
    from pipeline.commands.reach import reach

    counts: Counter[str] = Counter()
    newest: list[tuple[int, int, int, Json]] = []
    async with reach(settings) as pipeline:
        async for kept in pipeline.reader.read(settings.names.dead_letters):
            letter = _letter(kept)
            if reason not in {None, letter["reason"]}:
                continue
            counts[letter["reason"]] += 1
            newest.append((kept.timestamp, kept.partition, kept.offset, letter))
            if len(newest) > 2 * limit:
                newest = sorted(newest, key=lambda item: item[:3])[-limit:]
    newest = sorted(newest, key=lambda item: item[:3])[-limit:]
    return counts, [letter for *_, letter in newest]


def _letter(kept: "Kept") -> Json:
    """Without the original bytes. What the rulebook's own refusals say stands in their value."""
    reason, detail = kept.header("reason"), kept.header("detail")
    places = [kept.header(f"source-{name}") for name in ("topic", "partition", "offset")]
    if reason is None and kept.value:
        try:
            said = orjson.loads(kept.value)
            reason = said["reason"]
            places = [said["source"][name] for name in ("topic", "partition", "offset")]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            reason = None
    return {
        "at": f"{kept.partition}:{kept.offset}",
        "reason": reason or "unknown",
        "detail": detail,
        "source": None if places[0] is None else f"{places[0]} {places[1]}:{places[2]}",
        "time": format_instant(kept.timestamp),
    }


async def _one(settings: "Settings", position: Place) -> "Kept":
    from pipeline.commands.reach import not_found, reach

    topic = settings.names.dead_letters
    async with reach(settings) as pipeline:
        kept = await pipeline.reader.at(topic, *position)
    if kept is None:
        raise not_found(f"{topic} has no record at {position[0]}:{position[1]}: see the list")
    return kept


async def _retry(
    settings: "Settings", positions: Collection[Place], reason: str | None
) -> tuple[int, int]:
    from pipeline.commands.reach import not_found, reach
    from pipeline.ports import Entry, Mark

    names = settings.names
    sources: set[str | None] = set()
    sent = left = 0
    async with reach(settings) as pipeline:
        letters = pipeline.reader.read(
            names.dead_letters,
            wanted=lambda kept: (
                (not positions or (kept.partition, kept.offset) in positions)
                and (reason is None or _letter(kept)["reason"] == reason)
            ),
        )
        async for kept in letters:
            source = _letter(kept)["source"]
            if kept.header("source-topic") != names.raw:
                left += 1
            elif source not in sources:
                sources.add(source)
                entry = Entry(Mark(0, 0), names.raw, kept.key, kept.value)
                await pipeline.publish([entry])
                sent += 1
    if positions and sent + left == 0:
        raise not_found("retry: no dead letter stands at any of these positions: see the list")
    return sent, left
