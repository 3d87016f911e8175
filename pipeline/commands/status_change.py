"""`pipeline pause` and `pipeline resume`: one journey of what is in force, at once and no file."""

import copy
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import click

from pipeline.commands.apply import put_in_force, taken
from pipeline.commands.common import CHECK_FAILED, Failure, print_json, reachable, run
from pipeline.commands.tables import shown
from pipeline.rulebook.changes import journeys_of
from pipeline.rulebook.findings import nearest
from pipeline.rulebook.load import Document, document_digest
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.process.rulebook_change import InForce

Status = Literal["active", "paused"]

_MEANS: Final[dict[Status, str]] = {
    "paused": "nothing of it fires; starts and cancels are taken, what comes due waits for the"
    " resume, at most until it expires",
    "active": "what came due in the pause and has not expired is decided now",
}


class Changed(NamedTuple):
    """The document with one status changed; None where it is so already."""

    document: Document | None
    version: int


def change_status(name: str, status: Status, as_json: bool) -> None:
    """Put what is in force in force again, with this status of one journey."""
    run(_change(reachable(), name, status, as_json))


async def _change(settings: Settings, name: str, status: Status, as_json: bool) -> None:
    from pipeline.commands.reach import reach

    async with reach(settings) as pipeline:
        # what is put in force again must be the newest there is, however far behind workers are
        now = await pipeline.in_force(whole=True)
        document, version = with_status(now, name, status)
        waiting: list[int] = []
        digest = now.digest
        if document is not None:
            digest = document_digest(document)
            waiting = await put_in_force(pipeline, document, digest)
    if as_json:
        said = {"journey": name, "version": version, "status": status, "digest": digest}
        print_json({**said, "applied": document is not None, "waitingPartitions": waiting})
        return
    if document is None:
        click.echo(f"{shown(name)} is {status} already: nothing done")
        return
    click.echo(taken(f"{shown(name)}, {status},", waiting))
    click.echo(_MEANS[status])
    click.echo(
        f"git has to follow: write `status: {status}` in its file; until then `pipeline plan` shows"
        " the difference, and an apply of the file undoes this"
    )


def with_status(now: "InForce", name: str, status: Status) -> Changed:
    """The document in force with another status. Raises `Failure` where there is none to change."""
    document = copy.deepcopy(now.document)
    journeys = journeys_of(document)
    if name not in journeys:
        near = nearest(name, journeys)
        remedy = f"did you mean `{near}`?" if near else "see `pipeline doctor` for what is in force"
        raise Failure(f"no journey `{shown(name)}` is in force: {remedy}", CHECK_FAILED)
    made = journeys[name]
    before = made.get("status", "active")
    if before == "retired":
        raise Failure(
            f"`{shown(name)}` is retired and opens nothing: end its open waits with `pipeline apply"
            " RULEBOOK --open-waits JOURNEY=drop`, or write another status in its file",
            CHECK_FAILED,
        )
    if before == status:
        return Changed(None, made["version"])
    made.pop("status", None)
    if status != "active":
        made["status"] = status
    return Changed(document, made["version"])
