"""`pipeline explain`: why a trigger fired, or why it did not. Shows personal data."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.common import Failure, json_option, print_json, reachable, run

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.commands.looking_back import Told
    from pipeline.settings import Settings

Json = dict[str, Any]
_PROGRESS_FROM = 50_000
_NAMES_MAX = 20


@click.command("explain")
@click.argument("trigger_id", required=False)
@click.option("--user", metavar="ID", help="Everything about one userId, anonymousId or phone.")
@click.option("--journey", help="Only this journey.")
@click.option("--key", help="Only this key.")
@json_option
def command(
    trigger_id: str | None, user: str | None, journey: str | None, key: str | None, as_json: bool
) -> None:
    """Tell the story of a trigger, or of what somebody's waits came to.

    TRIGGER_ID is the `id` of a trigger, a retraction or a decision. With --user the raw topic is
    searched for everything they did, and what came near to starting a journey is told, too.
    """
    if (trigger_id is None) == (user is None):
        raise Failure("explain: give a TRIGGER_ID, or --user ID")
    if user is None and (journey or key):
        raise Failure("explain: --journey and --key go with --user")
    told = run(_look_back(reachable(), trigger_id, user, journey, key))
    if as_json:
        from pipeline.commands.explain_json import as_json as document

        print_json(document(told))
    else:
        _show(told)


async def _look_back(
    settings: "Settings", id_: str | None, user: str | None, journey: str | None, key: str | None
) -> "Told":
    from pipeline.commands.looking_back import LookingBack
    from pipeline.commands.reach import not_found, reach

    async with reach(settings) as pipeline:
        back = LookingBack(pipeline, _progress())
        if user is None:
            told = await back.at_trigger(id_ or "")
        else:
            told = await back.at_person(user, journey, key)
    if told.stories or told.misses:
        return told
    if user is None:
        raise not_found(
            f"{id_}: no trigger or decision has this id: what is not decided yet is told by"
            " `pipeline explain --user ID`"
        )
    raise not_found(_nothing(told, user, journey, key))


def _nothing(told: "Told", user: str, journey: str | None, key: str | None) -> str:
    """Why there is nothing to tell, with what would help."""
    if not told.people and not told.raw.events:
        return (
            f"{user}: nobody has this userId, anonymousId, phone or email, and no event in the raw"
            " topic carries it: check its spelling, and `pipeline doctor` for how far workers are"
        )
    known = sorted(told.rules.versions)
    if journey is not None and journey not in known:
        listed = ", ".join(known) or "a journey of a rulebook in force: there is none"
        return f"there is no journey {journey}: write {listed}"
    if any(one.erased for one in told.people):
        return f"{user}: was erased, and no decision about them is on record"
    names = sorted({each.event.name or each.event.type for each in told.raw.events})
    seen = ", ".join(names[:_NAMES_MAX]) or "no events"
    only = "".join(f" with {n} {v}" for n, v in (("journey", journey), ("key", key)) if v)
    return (
        f"{user}: no wait of theirs{only} was decided or is open, and none of their events comes"
        f" near to starting one; seen in the raw topic: {seen}"
    )


def _progress() -> Callable[[int], None]:
    """Tells who waits long how far it is."""
    told = 0

    def seen(count: int) -> None:
        nonlocal told
        if count - told >= _PROGRESS_FROM:
            told = count
            click.echo(f"read {count:,} records", err=True)

    return seen


def _show(told: "Told") -> None:
    from pipeline.commands.explain_json import identity, person, rulebooks_of
    from pipeline.commands.tables import console, line, shown
    from pipeline.commands.timeline import timeline

    out = console()
    for one in map(person, told.people):
        line(out, shown(_who(one)))
    for each in identity(told):
        line(out, f"  {each['at']}  {shown(each['text'])} ({shown(_place(each['event']))})")
    for story in told.stories:
        line(out, "")
        key = f", key {story.key}" if story.key else ""
        line(out, f"{shown(story.journey)}, version {story.version}{shown(key)}", "bold")
        digests = [digest[:12] for digest in rulebooks_of(story, told)]
        rulebook = " or ".join(digests) or "no longer on record"
        now = f"; in force now {told.shelf.current[:12]}" if told.shelf.current else ""
        line(out, f"  rulebook {rulebook}{now}", "dim")
        for entry in timeline(story, told):
            line(out, f"  {entry.at}  {shown(entry.text)}")
            for gate in entry.gates:
                line(out, f"  {'':24}    {shown(gate)}")
    _show_misses(out, told)


def _show_misses(out: "Console", told: "Told") -> None:
    from pipeline.commands.tables import line, shown

    if told.misses:
        line(out, "")
        line(out, "started nothing", "bold")
    for miss in told.misses:
        event = miss["event"]
        times = f", {miss['count']} times, the last" if miss["count"] > 1 else ""
        where = f"{event['event']} ({_place(event)}, arrived {event['arrivedAt']}{times})"
        text = f"{miss['journey']}: {where}: {miss['text']}"
        line(out, f"  {event['timestamp']}  {shown(text)}")


def _who(person: Json) -> str:
    """Who was found, by all their ids."""
    text = " → ".join(person["foundBy"])
    ids = [f"earlier userId {each}" for each in person["formerUserIds"]]
    ids += [f"device {each}" for each in person["anonymousIds"] if each not in text]
    if person["erased"]:
        return f"{text}: erased; only ids, places and verdicts are shown"
    return text + (f"; {', '.join(ids)}" if ids else "")


def _place(event: Json) -> str:
    source = event["source"]
    return f"{source['topic']} {source['partition']}:{source['offset']}"
