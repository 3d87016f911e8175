"""`pipeline plan RULEBOOK`: what applying a rulebook would change."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.common import json_option, print_json, reachable, run
from pipeline.commands.rulebook_files import rulebook_argument, usable_document
from pipeline.commands.tables import count_of
from pipeline.rulebook.changes import Changes, compare, needs_version_bump
from pipeline.rulebook.load import Document
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.process.rulebook_change import InForce


@click.command("plan")
@rulebook_argument
@json_option
def command(rulebook: Path, as_json: bool) -> None:
    """Show the difference between RULEBOOK and what is in force; changes nothing."""
    document, digest = usable_document(rulebook)
    settings = reachable()
    now = run(_in_force(settings))
    changes = compare(now.document, document)
    low = low_versions(now, document)
    touched = run(_open_waits(settings, changes))
    if as_json:
        said = {"inForce": now.digest, "digest": digest, "needsVersion": low}
        print_json({**said, **asdict(changes), "openWaits": touched})
        return
    click.echo(f"in force: {now.digest[:12] if now.digest else 'none'}; this: {digest[:12]}")
    for text in change_lines(changes, document):
        click.echo(text)
    for name, least in low.items():
        click.echo(f"! {name} decides otherwise under a version that is taken: write {least}")
    for name, count in touched.items():
        if count is None:
            click.echo(f"  {name}: open waits not counted, too many entities wait")
        else:
            waits = count_of(count, "open wait")
            click.echo(f"  {name}: {waits} by the version that opened them, and so they go on")
    if not changes:
        click.echo("nothing changes")


def low_versions(now: "InForce", new: Document) -> dict[str, int]:
    """The journeys that may not be applied under their version, and the least that will do."""
    from pipeline.process.rulebook_change import taken_versions

    versions = {made["journey"]: made["version"] for made in now.document.get("journeys", [])}
    taken = taken_versions(now.shelf.documents.values(), new)
    names = [*needs_version_bump(now.document, new), *taken]
    return {n: max(versions.get(n, 0), taken.get(n, 0)) + 1 for n in sorted(set(names))}


async def _in_force(settings: Settings) -> "InForce":
    from pipeline.commands.reach import reach

    async with reach(settings) as pipeline:
        return await pipeline.in_force()


async def _open_waits(settings: Settings, changes: Changes) -> dict[str, int | None]:
    """Of the journeys that change or go, how many waits are open."""
    from pipeline.commands.open_waits import count_open
    from pipeline.commands.reach import reach

    names = {*changes.removed, *changes.changed}
    if not names:
        return {}
    async with reach(settings) as pipeline:
        return await count_open(pipeline, names)


def change_lines(changes: Changes, document: Document) -> Iterator[str]:
    """What changes, a line each."""
    versions = {made["journey"]: made["version"] for made in document.get("journeys", [])}
    for name in changes.added:
        yield f"+ {name} (version {versions[name]})"
    for name in changes.removed:
        yield f"- {name}: opens no more waits; open ones go on"
    for name, keys in changes.changed.items():
        yield f"~ {name} (version {versions[name]}): {', '.join(keys)}"
    if changes.consent:
        yield "~ consent.yaml: which events mean opt-in or opt-out"
    if changes.identity:
        yield "~ identity.yaml: refused ids, or what alias does"
