"""`pipeline plan RULEBOOK`: what applying a rulebook would change."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.commands.change_words import change_lines
from pipeline.commands.common import json_option, print_json, reachable, run
from pipeline.commands.rulebook_files import rulebook_argument, usable_document
from pipeline.commands.tables import count_of, shown
from pipeline.domain.shadow import labelled
from pipeline.rulebook.changes import Changes, compare, journeys_of, needs_version_bump
from pipeline.rulebook.load import Document
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.process.forecast import Forecast, Forecasts
    from pipeline.process.rulebook_change import InForce

_KEEP: Final = "--open-waits keep (default)"


@click.command("plan")
@rulebook_argument
@json_option
def command(rulebook: Path, as_json: bool) -> None:
    """Show the difference between RULEBOOK and what is in force; changes nothing.

    Of waits that are open under an older version it counts what each policy of
    `apply --open-waits` would do with them now.
    """
    document, digest = usable_document(rulebook)
    now, found = run(_look(reachable(), document, digest))
    changes = compare(now.document, document)
    low = low_versions(now, document)
    if as_json:
        said = {"inForce": now.digest, "digest": digest, "needsVersion": low}
        rows = [_row(name, version, each) for (name, version), each in found.items()]
        print_json({**said, **_changes(changes), "openWaits": rows})
        return
    click.echo(f"in force: {now.digest[:12] if now.digest else 'none'}; this: {digest[:12]}")
    for text in change_lines(changes, now.document, document):
        click.echo(text)
    for name, least in low.items():
        click.echo(f"! {name} decides otherwise under a version that is taken: write {least}")
    for text in _open_lines(found):
        click.echo(text)
    if not changes:
        click.echo("nothing changes")


def low_versions(now: "InForce", new: Document) -> dict[str, int]:
    """The journeys that may not be applied under their version, and the least that will do."""
    from pipeline.process.rulebook_change import ruled_versions, taken_versions

    versions = {name: made["version"] for name, made in journeys_of(now.document).items()}
    taken = taken_versions(now.shelf.documents.values(), new)
    ruled = ruled_versions(now.shelf, new)
    names = {*needs_version_bump(now.document, new), *taken, *ruled}
    return {
        labelled(name): max(versions.get(name, 0), taken.get(name, 0), ruled.get(name, 0)) + 1
        for name in sorted(names)
    }


async def _look(
    settings: Settings, document: Document, digest: str
) -> tuple["InForce", "Forecasts"]:
    from pipeline.commands.open_waits import forecasts
    from pipeline.commands.reach import reach

    async with reach(settings) as pipeline:
        now = await pipeline.in_force()
        return now, await forecasts(pipeline, now.shelf, document, digest)


def _changes(changes: Changes) -> dict[str, Any]:
    """As `--json` prints them: every value that differs with what it was and what it is."""

    def listed(values: Any) -> list[dict[str, str]]:
        return [value._asdict() for value in values]

    return {
        "added": [labelled(name) for name in changes.added],
        "removed": [labelled(name) for name in changes.removed],
        "changed": {labelled(name): listed(values) for name, values in changes.changed.items()},
        "consent": listed(changes.consent),
        "identity": listed(changes.identity),
        "calling": listed(changes.calling),
    }


def _row(name: str, version: int, found: "Forecast") -> dict[str, Any]:
    every = found.open + found.held
    return {
        "journey": labelled(name),
        "version": version,
        "open": found.open,
        "held": found.held,
        "keep": every,
        "reEvaluate": {
            "waits": found.re_evaluated,
            "dueAtOnce": found.due,
            "expired": found.expired,
            "kept": every - found.re_evaluated,
        },
        "drop": every,
    }


def _open_lines(found: "Forecasts") -> Iterator[str]:
    """What each policy would do with open waits of older versions, a few lines a version."""
    for (name, version), each in found.items():
        held = f", {each.held:,} held for a calling window or a pause" if each.held else ""
        journey = shown(labelled(name))
        yield f"  {journey}, version {version}: {count_of(each.open, 'open wait')}{held}"
        yield f"    {_KEEP}: all go on by version {version}"
        if each.re_evaluated:
            kept = each.open - each.re_evaluated
            rest = f"; {kept:,} kept, they can't go on" if kept else ""
            yield (
                f"    --open-waits {journey}=re-evaluate: {each.re_evaluated:,} go on by the new"
                f" version, {each.due:,} with a step due at once, {each.expired:,} with one"
                f" expired{rest}"
            )
        yield f"    --open-waits {journey}=drop: {each.open + each.held:,} end"
