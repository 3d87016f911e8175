"""`pipeline capture --user ID`: what happened to one person, as a test under fictional names."""

from collections.abc import AsyncIterable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pipeline.commands.common import CHECK_FAILED, Failure, reachable, run, settings
from pipeline.commands.instants import Instant
from pipeline.commands.rulebook_files import usable_document

if TYPE_CHECKING:
    from pipeline.domain.rules import Rulebook
    from pipeline.process.capture.capturing import Captured
    from pipeline.process.capture.selection import Selection
    from pipeline.process.history import Happened
    from pipeline.rulebook.load import Document

_SHOWN: Final = 5


@click.command("capture")
@click.option(
    "--user", "id_", required=True, metavar="ID", help="userId, anonymousId, phone, email."
)
@click.option("--from", "begin", type=Instant(), help="Leave out starts of journeys before it.")
@click.option(
    "--to", "end", type=Instant(), help="When the clock stops; else now, or the last record."
)
@click.option(
    "--input",
    "path",
    type=click.Path(path_type=Path),
    help="JSON lines as `backtest` reads them. Without it the raw topic is read.",
)
@click.option(
    "--rulebook", type=click.Path(path_type=Path), help="A folder. Without it what is in force."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file. Else to stdout.")
def command(
    id_: str,
    begin: int | None,
    end: int | None,
    path: Path | None,
    rulebook: Path | None,
    output: Path | None,
) -> None:
    """Write a test file that replays what happened to one person, under fictional names.

    `pipeline test RULEBOOK FILE` passes at once: what the rulebook makes of it is what the file
    expects. A rule that is changed then shows as a difference.
    """
    if not id_.strip():
        raise Failure("capture: --user is blank: give a userId, anonymousId, phone or email")
    if begin is not None and end is not None and end < begin:
        raise Failure("capture: --to is before --from: exchange them")
    if output is not None and not output.absolute().parent.is_dir():
        raise Failure(f"{output}: there is no such folder: make it, or name another file")
    document = usable_document(rulebook)[0] if rulebook is not None else run(_in_force())
    text, captured, selection = run(_capture(id_.strip(), document, begin, end, path))
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)
    _tell(captured, selection)


async def _in_force() -> "Document":
    from pipeline.commands.reach import reach

    async with reach(reachable()) as pipeline:
        document = (await pipeline.in_force()).document
    if not document:
        raise Failure("no rulebook is in force: give --rulebook DIR", CHECK_FAILED)
    return document


async def _capture(
    id_: str, document: "Document", begin: int | None, end: int | None, path: Path | None
) -> tuple[str, "Captured", "Selection"]:
    from pipeline.process.capture.selection import select
    from pipeline.rulebook.case_writer import write_cases
    from pipeline.rulebook.compile import compile_rulebook
    from pipeline.rulebook.load import FILE_BYTES_MAX, document_digest

    region, rulebook = settings().region, compile_rulebook(document)
    now = await _now_unless_erased(id_) if path is None else None
    found = await select(_history(path), id_, rulebook, region=region, begin=begin, end=end)
    if not found.events:
        raise Failure(
            f"{id_}: nothing in the history belongs to this userId, anonymousId, phone or email:"
            " check its spelling, or what --from, --to and the topic's retention leave",
            CHECK_FAILED,
        )
    captured = await _made(found, document, rulebook, end or now or found.last or 0, region)
    text = write_cases([captured.case], _comment(document_digest(document), found, captured))
    if len(text.encode()) > FILE_BYTES_MAX:
        raise Failure(
            f"{len(found.events):,} events are more than a test file may hold: give --from and --to"
        )
    return text, captured, found


async def _made(
    found: "Selection", document: "Document", rulebook: "Rulebook", until: int, region: str
) -> "Captured":
    from pipeline.adapters.memory_store import MemoryStore
    from pipeline.process.capture.capturing import capture
    from pipeline.process.capture.phones import NoNumberLeft

    try:
        return await capture(found, document, rulebook, MemoryStore, until=until, region=region)
    except NoNumberLeft as error:
        raise Failure(
            f"more than 100 phones of area {error} take part: capture a shorter time by --to"
        ) from None


def _history(path: Path | None) -> Callable[[], AsyncIterable["Happened"]]:
    from pipeline.commands.histories import from_file, from_topic

    if path is None:
        reached = reachable()
        return lambda: from_topic(reached)
    return lambda: from_file(path)


async def _now_unless_erased(id_: str) -> int:
    """The raw topic holds somebody who was erased until its retention; a capture must not."""
    from pipeline.commands.people import People
    from pipeline.commands.reach import reach

    async with reach(reachable()) as pipeline:
        found = await People(pipeline).find(id_)
        now = pipeline.clock.now()
    if any(one.erased for one in found):
        raise Failure(f"{id_}: was erased: nothing of them is captured", CHECK_FAILED)
    return now


def _comment(digest: str, found: "Selection", captured: "Captured") -> list[str]:
    lines = [
        "yaml-language-server: $schema=../../../schemas/rulebook/tests.schema.json",
        "Captured by `pipeline capture`: ids, numbers, names and texts are fictional. What is",
        f"expected is what the rulebook {digest[:12]} makes of it. Name the case, and keep of the",
        "events what it is about. Erasures are not in it.",
    ]
    if left := _left_out(found):
        lines.append(f"Left out: {left}.")
    lines += [f"Differs from the real events: {each}" for each in captured.differing[:_SHOWN]]
    return lines


def _left_out(found: "Selection") -> str:
    return ", ".join(f"{what} ({n})" for what, n in sorted(found.left_out.items()) if n)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path}: can't be written ({error.strerror}): name another file") from None


def _tell(captured: "Captured", found: "Selection") -> None:
    from pipeline.commands.tables import count_of

    said = (
        f"captured {count_of(len(found.events), 'event')} up to {captured.case['until']}:"
        f" {count_of(len(captured.case['expect']), 'expectation')},"
        f" {count_of(len(captured.case['decisions']), 'other decision')}"
    )
    click.echo(said, err=True)
    if left := _left_out(found):
        click.echo(f"left out: {left}", err=True)
    for each in captured.differing[:_SHOWN]:
        click.echo(f"warning: differs from the real events: {each}", err=True)
    if (more := len(captured.differing) - _SHOWN) > 0:
        click.echo(f"warning: … and {more} more", err=True)
    if captured.differing:
        click.echo("a condition compares what had to be replaced: see to these by hand", err=True)
