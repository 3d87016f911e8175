"""`explain --json`: one document with everything that the words are made of, and the words."""

from typing import Any

from pipeline.commands.looking_back import Told
from pipeline.commands.people import Found
from pipeline.commands.raw_events import Arrived
from pipeline.commands.stories import Story
from pipeline.commands.timeline import timeline
from pipeline.domain.times import format_instant

Json = dict[str, Any]


def as_json(told: Told) -> Json:
    """The whole answer."""
    return {
        "rulebook": told.shelf.current,
        "people": [person(one) for one in told.people],
        "identity": identity(told),
        "stories": [_story(story, told) for story in told.stories],
        "misses": told.misses,
    }


def person(found: Found) -> Json:
    """Who was found, and along which ids."""
    profile = found.profile
    return {
        "userId": found.ref.id if found.ref.kind == "person" else None,
        "anonymousIds": [found.ref.id] if found.ref.kind == "device" else profile.devices,
        "formerUserIds": profile.user_ids,
        "foundBy": found.via,
        "erased": found.erased,
    }


def identity(told: Told) -> list[Json]:
    """Links and merges among the raw events that were searched."""
    if any(one.erased for one in told.people):
        return []
    known: set[tuple[str, str]] = set()
    made = []
    for arrived in told.raw.events:
        event = arrived.event
        text = None
        if event.type == "alias" and event.previous_id:
            text = f"alias: {event.previous_id} is {event.user_id} from now on"
        elif event.user_id and event.anonymous_id:
            pair = (event.user_id, event.anonymous_id)
            text = None if pair in known else f"device {pair[1]} is used by {pair[0]}"
            known.add(pair)
        if text is not None:
            made.append(
                {"at": format_instant(event.time), "text": text, "event": arrived.as_json()}
            )
    return sorted(made, key=lambda each: str(each["at"]))


def rulebooks_of(story: Story, told: Told) -> list[str]:
    """Digests of the rulebooks on record that have the version that it went by."""
    return [
        digest
        for digest, document in told.shelf.documents.items()
        if any(
            made["journey"] == story.journey and made["version"] == story.version
            for made in document["journeys"]
        )
    ]


def _story(story: Story, told: Told) -> Json:
    return {
        "journey": story.journey,
        "version": story.version,
        "rulebooks": rulebooks_of(story, told),
        "key": story.key,
        "erased": story.erased,
        "anchor": {**story.anchor, **_raw(story.raw)},
        "timeline": [entry._asdict() for entry in timeline(story, told)],
        "evidence": story.evidence,
        "waiting": story.waiting,
        "held": story.held,
        "decisions": story.decisions,
        "triggers": story.triggers,
        "retractions": story.retractions,
    }


def _raw(raw: Arrived | None) -> Json:
    """The anchor as it was sent; null where the topic does not have it any more."""
    if raw is None:
        return {"arrivedAt": None, "record": None}
    event = raw.event
    record = {
        "type": event.type,
        "userId": event.user_id,
        "anonymousId": event.anonymous_id,
        "properties": event.properties,
    }
    return {"arrivedAt": format_instant(raw.at), "record": record}
