"""`pipeline explain`: why a trigger fired, or why it did not. Shows personal data."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.common import Failure, json_option, print_json, reachable, run
from pipeline.commands.reasons import OUTCOMES, REASONS, RETRACTIONS

if TYPE_CHECKING:
    from pipeline.commands.stories import Story
    from pipeline.settings import Settings

Json = dict[str, Any]
_PROGRESS_FROM = 50_000


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

    TRIGGER_ID is the `id` of a trigger, a retraction or a decision.
    """
    if (trigger_id is None) == (user is None):
        raise Failure("explain: give a TRIGGER_ID, or --user ID")
    if user is None and (journey or key):
        raise Failure("explain: --journey and --key go with --user")
    stories = run(_stories(reachable(), trigger_id, user, journey, key))
    for nth, story in enumerate(stories):
        if as_json:
            print_json(story.as_json())
        else:
            _show(story, first=nth == 0)


async def _stories(
    settings: "Settings", id_: str | None, user: str | None, journey: str | None, key: str | None
) -> list["Story"]:
    from pipeline.commands.reach import not_found, reach
    from pipeline.commands.stories import Stories

    async with reach(settings) as pipeline:
        found = Stories(pipeline, _progress())
        if user is not None:
            stories = await found.of_person(user, journey, key)
        else:
            stories = await found.of_trigger(id_ or "")
    if not stories and user is not None:
        raise not_found(
            f"{user}: no wait of theirs was decided or is open: check the id by"
            " `pipeline contact`, and that an event starts the journey"
        )
    if not stories:
        raise not_found(
            f"{id_}: no trigger or decision has this id: what is not decided yet is told by"
            " `pipeline explain --user ID`"
        )
    return stories


def _progress() -> Callable[[int], None]:
    """Tells who waits long how far it is."""
    told = 0

    def seen(count: int) -> None:
        nonlocal told
        if count - told >= _PROGRESS_FROM:
            told = count
            click.echo(f"read {count:,} records", err=True)

    return seen


def _show(story: "Story", *, first: bool) -> None:
    from pipeline.commands.tables import console, line, shown

    out = console()
    if not first:
        line(out, "")
    key = f", key {story.key}" if story.key else ""
    line(out, f"{shown(story.journey)}{shown(key)}", "bold")
    for at, text in sorted(_told(story), key=lambda item: item[0]):
        line(out, f"  {at or ' ' * 24}  {shown(text)}")


def _told(story: "Story") -> Iterator[tuple[str, str]]:
    """The timeline: what happened when, in words."""
    anchor = story.anchor
    yield anchor["timestamp"], f"{_event(anchor)} starts the wait{_record(story.raw)}"
    deadlines = {
        (record["step"], record["deadline"])
        for record in [*story.decisions, *story.triggers, *story.waiting]
        # a start that opened nothing has none; where it is the instant of deciding, that is told
        if record.get("reason") not in {"missing_key", "once", "stale_start", "repeat"}
        and record.get("due") != record["deadline"]
    }
    for step, deadline in deadlines:
        yield deadline, f"deadline of step {step}"
    causes = {
        cause["messageId"]: cause
        for record in [*story.decisions, *story.retractions]
        if (cause := record.get("cause"))
    }
    for cause in causes.values():
        yield cause["timestamp"], f"{_event(cause)} speaks against it"
    for decision in story.decisions:
        yield decision["decidedAt"], _decision(decision)
    for trigger in story.triggers:
        yield from _trigger(trigger)
    for gone in story.retractions:
        words = RETRACTIONS.get(gone["reason"], "")
        yield gone["at"], f"retracted, {gone['reason']}: {words}"
    for wait in story.waiting:
        unless = f", unless {'; '.join(wait['unless'])}" if wait["unless"] else ""
        yield wait["due"], f"step {wait['step']} ({wait['channel']}) is to be decided{unless}"


def _decision(decision: Json) -> str:
    outcome, reason = decision["outcome"], decision["reason"]
    text = f"step {decision['step']} {outcome}: {OUTCOMES.get(outcome, '')}"
    if reason:
        text += f" ({reason}: {REASONS.get(reason, '')})"
    gates = ", ".join(f"{gate['gate']} {gate['verdict']}" for gate in decision["gates"])
    return text + (f"; gates: {gates}" if gates else "")


def _trigger(trigger: Json) -> Iterator[tuple[str, str]]:
    consent = trigger["consent"]
    place = _place(consent["evidence"])
    said = ", ".join(
        f"{name} {consent[name]}" for name in ("source", "ip", "text") if consent[name]
    )
    yield (
        consent["timestamp"],
        f"{trigger['to']} {consent['status']} to {consent['channel']} ({said}; evidence {place})",
    )
    sent = f"trigger {trigger['id']} to {trigger['to']} by {trigger['channel']}"
    yield trigger["firedAt"], f"{sent}, best before {trigger['expiresAt']}"


def _event(event: Json) -> str:
    return f"{event['event']} ({_place(event['source'])}, message {event['messageId']})"


def _record(raw: Json | None) -> str:
    if raw is None:
        return "; the record itself is no longer in the topic"
    who = ", ".join(f"{name} {raw[name]}" for name in ("userId", "anonymousId") if raw[name])
    properties = ", ".join(f"{name} {value}" for name, value in raw["properties"].items())
    return f": {who}" + (f"; {properties}" if properties else "")


def _place(source: Json) -> str:
    return f"{source['topic']} {source['partition']}:{source['offset']}"
