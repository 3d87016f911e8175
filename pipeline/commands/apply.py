"""`pipeline apply RULEBOOK`: puts a rulebook in force, through the log."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.commands.change_words import change_lines
from pipeline.commands.common import (
    CHECK_FAILED,
    Failure,
    json_option,
    print_json,
    reachable,
    run,
)
from pipeline.commands.plan import low_versions
from pipeline.commands.rulebook_files import rulebook_argument, usable_document
from pipeline.commands.tables import shown
from pipeline.domain.shadow import is_shadow, labelled
from pipeline.rulebook.changes import compare, journeys_of
from pipeline.rulebook.load import Document
from pipeline.rulebook.open_waits import POLICIES, Policies, Policy, PolicyError, rulings
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.commands.reach import Reach
    from pipeline.domain.versions import Ruling
    from pipeline.process.rulebook_change import InForce

_WAIT_SECONDS: Final = 5.0


class _PolicyType(click.ParamType):
    name = "POLICY|JOURNEY=POLICY"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Policy]:
        """A policy and whom it is for; "" for all that the apply touches."""
        journey, _, policy = str(value).rpartition("=")
        if policy not in POLICIES or str(value).startswith("="):
            known = ", ".join(POLICIES)
            self.fail(f"{value!r} is no policy: write one of {known}, or JOURNEY=drop and the like")
        return journey, policy


@click.command("apply")
@rulebook_argument
@click.option(
    "--open-waits",
    "given",
    type=_PolicyType(),
    multiple=True,
    help="What becomes of open waits of the journeys that change or go: keep (the default) lets"
    " them go on by the version that opened them, re-evaluate by the new one from the same start,"
    " drop ends them. JOURNEY=drop is for one journey; may be given several times.",
)
@json_option
def command(rulebook: Path, given: tuple[tuple[str, Policy], ...], as_json: bool) -> None:
    """Put RULEBOOK in force."""
    named = dict(given)
    if len(named) < len(given):
        raise Failure("--open-waits: a journey, or the policy for all, is given twice: write one")
    document, digest = usable_document(rulebook)
    policies = Policies(named.pop("", "keep"), named)
    run(_apply(reachable(), rulebook, document, digest, policies, as_json))


async def _apply(
    settings: Settings,
    folder: Path,
    document: Document,
    digest: str,
    policies: Policies,
    as_json: bool,
) -> None:
    from pipeline.commands.reach import reach

    async with reach(settings) as pipeline:
        now = await pipeline.in_force()
        try:
            ruled = rulings(now.shelf.documents.values(), now.document, document, policies)
        except PolicyError as error:
            raise Failure(str(error), CHECK_FAILED) from error
        if now.everywhere(digest) and now.ruled(ruled):
            _tell(as_json, digest, applied=False, waiting=[])
            return
        refuse_same_version(folder, now, document)
        behind = await put_in_force(pipeline, document, digest, ruled)
    if not as_json:
        for text in change_lines(compare(now.document, document), now.document, document):
            click.echo(text)
        for name, ruling in ruled.items():
            what = "are dropped" if ruling.drop else "go on by the new version"
            click.echo(f"  open waits of {shown(labelled(name))} {what}")
    _tell(as_json, digest, applied=True, waiting=behind)


async def put_in_force(
    pipeline: "Reach", document: Document, digest: str, ruled: "dict[str, Ruling] | None" = None
) -> list[int]:
    """Through the log; returns the partitions that have not taken it after a moment."""
    from pipeline.process.rulebook_change import apply_rulebook, wait_taken

    await _refuse_nowhere(pipeline, document)
    partitions = pipeline.settings.partitions
    ends = await apply_rulebook(document, digest, await pipeline.log(), partitions, ruled)
    return await wait_taken(pipeline.store, ends, pipeline.clock, seconds=_WAIT_SECONDS)


async def _refuse_nowhere(pipeline: "Reach", document: Document) -> None:
    """Without its topic a shadow would stop the relays."""
    topic = pipeline.settings.names.shadow
    if any(map(is_shadow, journeys_of(document))) and not await pipeline.has_topic(topic):
        raise Failure(f"there is no topic {topic}: run `pipeline topics create`", CHECK_FAILED)


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
    else:
        click.echo(taken(f"rulebook {digest[:12]}", waiting))


def taken(what: str, waiting: list[int]) -> str:
    """Whether it is in force everywhere, in words."""
    if waiting:
        return (
            f"{what} is in the log, {len(waiting)} partitions have not taken it"
            " yet: it takes force there when a worker starts, or has caught up"
        )
    return f"{what} is in force in every partition"
