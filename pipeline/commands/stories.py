"""What the topics and the store tell of waits, put together by anchor."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipeline.adapters.kafka_reader import Kept
from pipeline.commands.open_waits import OpenStep
from pipeline.commands.people import People
from pipeline.commands.reach import Reach
from pipeline.domain.events import Source
from pipeline.domain.ids import key_text
from pipeline.process.shelf import rules_of
from pipeline.wire.segment import decode

Json = dict[str, Any]


@dataclass(slots=True)
class Story:
    """All records about one anchor of one journey, each as it was written."""

    journey: str
    key: str | None
    anchor: Json
    raw: Json | None = None
    decisions: list[Json] = field(default_factory=list)
    triggers: list[Json] = field(default_factory=list)
    retractions: list[Json] = field(default_factory=list)
    waiting: list[Json] = field(default_factory=list)

    def as_json(self) -> Json:
        """As `--json` prints it."""
        return {
            "journey": self.journey,
            "key": self.key,
            "anchor": {**self.anchor, "record": self.raw},
            "waiting": self.waiting,
            "decisions": self.decisions,
            "triggers": self.triggers,
            "retractions": self.retractions,
        }


class Stories:
    """Reads both outward topics from their beginning; keeps only what is asked for."""

    def __init__(self, pipeline: Reach, seen: Callable[[int], None]) -> None:
        self._pipeline = pipeline
        self._seen = seen

    async def of_trigger(self, id_: str) -> list[Story]:
        """By a trigger's or decision's id."""
        needle = f'"{id_}"'.encode()
        decisions, sent = await self._read(lambda kept: needle in (kept.value or b""))
        decisions = [record for record in decisions if record["id"] == id_]
        sent = [record for record in sent if record["id"] == id_]
        return await self._told(decisions, sent, [])

    async def of_person(self, id_: str, journey: str | None, key: str | None) -> list[Story]:
        """By whatever `contact` finds a person by."""
        people = await People(self._pipeline).find(id_)
        ids = {id_} | {known for one in people for known in one.own_ids}
        keys = {each.encode() for each in ids}
        decisions, sent = await self._read(lambda kept: kept.key in keys)
        rules = rules_of((await self._pipeline.in_force()).shelf)
        waiting = [step for one in people for step in one.open_steps(rules)]

        def asked(record: Json) -> bool:
            return journey in {None, record["journey"]} and key in {None, key_text(record["key"])}

        return await self._told(
            [record for record in decisions if asked(record)],
            [record for record in sent if asked(record)],
            [s for s in waiting if asked({"journey": s.journey, "key": s.key})],
        )

    async def _read(self, wanted: Callable[[Kept], bool]) -> tuple[list[Json], list[Json]]:
        names = self._pipeline.settings.names
        found: list[list[Json]] = []
        for topic in (names.decisions, names.triggers):
            records = self._pipeline.reader.read(topic, wanted=wanted, seen=self._seen)
            found.append([orjson.loads(kept.value) async for kept in records if kept.value])
        return found[0], found[1]

    async def _told(
        self, decisions: Iterable[Json], sent: Iterable[Json], waiting: Iterable[OpenStep]
    ) -> list[Story]:
        stories: dict[tuple[str, str, str], Story] = {}
        by_id: dict[str, Story] = {}

        def story(record: Json) -> Story:
            anchor = record["anchor"]
            place = anchor["source"]
            at = f"{place['topic']}/{place['partition']}/{place['offset']}"
            name = (record["journey"], anchor["messageId"], at)
            made = stories.setdefault(name, Story(record["journey"], record["key"], anchor))
            by_id[record["id"]] = made
            return made

        for record in decisions:
            story(record).decisions.append(record)
        retractions: list[Json] = []
        for record in sent:
            if record["type"] == "trigger":
                story(record).triggers.append(record)
            else:
                retractions.append(record)
        for record in retractions:
            if record["id"] in by_id:
                by_id[record["id"]].retractions.append(record)
        for step in waiting:
            story(step.as_json()).waiting.append(step.as_json())
        for each in stories.values():
            each.raw = await self._raw(each.anchor)
        return sorted(stories.values(), key=lambda each: each.anchor["timestamp"])

    async def _raw(self, anchor: Json) -> Json | None:
        """The anchor as it was sent; None where the topic does not have it any more."""
        place = anchor["source"]
        source = Source(place["topic"], place["partition"], place["offset"])
        kept = await self._pipeline.reader.at(source.topic, source.partition, source.offset)
        if kept is None:
            return None
        decoded = decode(kept.value, source, kept.timestamp, self._pipeline.settings.region)
        for event in decoded.events:
            if event.message_id == anchor["messageId"]:
                return {
                    "type": event.type,
                    "userId": event.user_id,
                    "anonymousId": event.anonymous_id,
                    "properties": event.properties,
                }
        return None
