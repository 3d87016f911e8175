"""Finds the stories of a trigger or a person in the topics and the store."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipeline.adapters.kafka_reader import Kept
from pipeline.commands.contact_json import held_steps
from pipeline.commands.misses import start_misses
from pipeline.commands.past import Past
from pipeline.commands.people import Found, People
from pipeline.commands.raw_events import RawEvents
from pipeline.commands.stories import Pile, Story
from pipeline.domain.events import CHANNEL_KIND
from pipeline.domain.ids import key_text
from pipeline.domain.refs import Ref
from pipeline.domain.shadow import is_shadow
from pipeline.domain.turn import Rules
from pipeline.process.shelf import rules_of
from pipeline.wire.state import Shelf

Json = dict[str, Any]


@dataclass(slots=True)
class Told:
    """The answer: who it is about, their stories, and what came near to starting one.

    `rules` and `shelf` are the rulebooks on record. `raw` holds everything that they did where the
    raw topic was searched, else only what records name.
    """

    people: list[Found]
    rules: Rules
    shelf: Shelf
    raw: RawEvents
    stories: list[Story] = field(default_factory=list)
    misses: list[Json] = field(default_factory=list)


class LookingBack:
    """Reads the outward topics from their beginning; keeps only what is asked for."""

    def __init__(self, past: Past, seen: Callable[[int], None]) -> None:
        """`seen` is told how many records were looked at."""
        self._past = past
        self._seen = seen
        self._people = People(past)

    async def at_trigger(self, id_: str) -> Told:
        """By a trigger's or decision's id. Of the raw topic only what records name is read."""
        needle = f'"{id_}"'.encode()
        decisions, sent = await self._read(lambda kept: needle in (kept.value or b""))
        pile = Pile()
        pile.add(
            [record for record in decisions if record["id"] == id_],
            [record for record in sent if record["id"] == id_],
        )
        told = await self._begin([])
        told.stories = pile.all()
        for _, name in sorted({who for story in told.stories for who in story.who}):
            known = {one.ref for one in told.people}
            told.people += [o for o in await self._people.find(name) if o.ref not in known]
        await told.raw.fetch({place for story in told.stories for place in story.places()})
        await self._complete(told)
        return told

    async def at_person(self, id_: str, journey: str | None, key: str | None) -> Told:
        """By whatever `contact` finds a person by; searches the raw topic for all they did."""
        told = await self._begin(await self._people.find(id_))
        ids = {id_}.union(*(one.own_ids for one in told.people))
        keys = {each.encode() for each in ids}
        decisions, sent = await self._read(lambda kept: kept.key in keys)

        def asked(record: Json) -> bool:
            return journey in {None, record["journey"]} and key in {None, key_text(record["key"])}

        pile = Pile()
        pile.add(filter(asked, decisions), filter(asked, sent))
        for one in told.people:
            for waiting in (step.as_json() for step in one.open_steps(told.rules)):
                if asked(waiting):
                    pile.of(waiting).waiting.append(waiting)
            for held in filter(asked, held_steps(one.profile)):
                pile.of(held).held.append(held)
        told.stories = pile.all()
        places = {place for story in told.stories for place in story.places()}
        await told.raw.search(ids, places, self._seen)
        if not any(one.erased for one in told.people) and key is None:
            told.misses = list(_misses(told, decisions, journey))
        await self._complete(told)
        return told

    async def _begin(self, people: list[Found]) -> Told:
        shelf = (await self._past.in_force()).shelf
        return Told(people, rules_of(shelf), shelf, RawEvents(self._past))

    async def _read(self, wanted: Callable[[Kept], bool]) -> tuple[list[Json], list[Json]]:
        names = self._past.settings.names
        found: list[list[Json]] = []
        for topic in (names.decisions, names.triggers):
            records = self._past.reader.read(topic, wanted=wanted, seen=self._seen)
            found.append([orjson.loads(kept.value) async for kept in records if kept.value])
        return found[0], found[1]

    async def _complete(self, told: Told) -> None:
        """Raw anchors, evidence, and what may not be shown any more."""
        for story in told.stories:
            story.raw = told.raw.find(story.anchor)
            if await self._is_erased(story.who):
                story.redact()
        about = {pair for story in told.stories for pair in _about(story, told.people)}
        evidence = await self._evidence({to for to, _ in about}) if about else []
        for story in told.stories:
            mine = set() if story.erased else _about(story, told.people)
            story.evidence = [e for e in evidence if (e["address"], e["channel"]) in mine]

    async def _is_erased(self, who: Iterable[tuple[str, str]]) -> bool:
        for name, id_ in who:
            ref = Ref("person" if name == "userId" else "device", id_)
            if await self._people.erased(ref):
                return True
        return False

    async def _evidence(self, addresses: Collection[str]) -> list[Json]:
        keys = {address.encode() for address in addresses}
        records = self._past.reader.read(
            self._past.settings.names.evidence, wanted=lambda kept: kept.key in keys
        )
        return [orjson.loads(kept.value) async for kept in records if kept.value]


def _about(story: Story, people: list[Found]) -> set[tuple[str, str]]:
    """Addresses and channels: those of the records, and where open steps would go by now."""
    found = set(story.addresses)
    for waiting in story.waiting:
        for one in people:
            to = one.profile.book(CHANNEL_KIND[waiting["channel"]]).primary()
            found |= {(to, waiting["channel"])} if to is not None else set()
    return found


def _misses(told: Told, decisions: Iterable[Json], journey: str | None) -> Iterator[Json]:
    """Of the journeys in force; an event that a record names as a start is told of there."""
    records = [*decisions, *(w for story in told.stories for w in (*story.waiting, *story.held))]
    by_message = {(each["journey"], each["anchor"]["messageId"]) for each in records}
    for each in told.rules.current.journeys:
        if is_shadow(each.name):
            continue
        if journey in {None, each.name}:
            started = {message for name, message in by_message if name == each.name}
            yield from start_misses(each, told.raw.events, started)
