"""`pipeline apply RULEBOOK`: puts a rulebook in force, through the log."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pipeline.commands.common import (
    CHECK_FAILED,
    Failure,
    json_option,
    print_json,
    reachable,
    run,
)
from pipeline.commands.plan import change_lines, low_versions
from pipeline.commands.rulebook_files import rulebook_argument, usable_document
from pipeline.rulebook.changes import compare
from pipeline.rulebook.load import Document
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.process.rulebook_change import InForce

_WAIT_SECONDS: Final = 5.0


@click.command("apply")
@rulebook_argument
@json_option
def command(rulebook: Path, as_json: bool) -> None:
    """Put RULEBOOK in force. Waits that are open go on by the version that opened them."""
    document, digest = usable_document(rulebook)
    run(_apply(reachable(), rulebook, document, digest, as_json))


async def _apply(
    settings: Settings, folder: Path, document: Document, digest: str, as_json: bool
) -> None:
    from pipeline.commands.reach import reach
    from pipeline.process.rulebook_change import apply_rulebook, wait_taken

    async with reach(settings) as pipeline:
        now = await pipeline.in_force()
        if now.everywhere(digest):
            _tell(as_json, digest, applied=False, waiting=[])
            return
        refuse_same_version(folder, now, document)
        ends = await apply_rulebook(document, digest, await pipeline.log(), settings.partitions)
        behind = await wait_taken(pipeline.store, ends, pipeline.clock, seconds=_WAIT_SECONDS)
    if not as_json:
        for text in change_lines(compare(now.document, document), document):
            click.echo(text)
    _tell(as_json, digest, applied=True, waiting=behind)


def refuse_same_version(folder: Path, now: "InForce", new: Document) -> None:
    """A wait is pinned to a version: two contents under one can't be told apart."""
    if too_low := low_versions(now, new):
        remedies = [f"`{name}`: write `version: {least}`" for name, least in too_low.items()]
        raise Failure(
            f"{folder}: changed without a higher version: {'; '.join(remedies)}", CHECK_FAILED
        )


def _tell(as_json: bool, digest: str, *, applied: bool, waiting: list[int]) -> None:
    if as_json:
        print_json({"digest": digest, "applied": applied, "waitingPartitions": waiting})
    elif not applied:
        click.echo(f"rulebook {digest[:12]} is in force already: nothing done")
    elif waiting:
        click.echo(
            f"rulebook {digest[:12]} is in the log, {len(waiting)} partitions have not taken it"
            " yet: it takes force there when a worker starts, or has caught up"
        )
    else:
        click.echo(f"rulebook {digest[:12]} is in force in every partition")
