"""Raw events of some people, read back from the raw topic with when they arrived."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pipeline.adapters.kafka_reader import Kept
from pipeline.commands.past import Past
from pipeline.domain.events import Event, Source
from pipeline.domain.times import format_instant
from pipeline.process.capture.sieve import Sieve
from pipeline.wire.segment import decode

Json = dict[str, Any]
Place: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event and the Kafka time (ms) of its record."""

    event: Event
    at: int

    def as_json(self) -> Json:
        """As records name an event, and when it arrived."""
        event = self.event
        return {
            "messageId": event.message_id,
            "event": event.name or event.type,
            "timestamp": format_instant(event.time),
            "arrivedAt": format_instant(self.at),
            "source": {
                "topic": event.source.topic,
                "partition": event.source.partition,
                "offset": event.source.offset,
            },
        }


@dataclass(slots=True)
class RawEvents:
    """What was read. `events` are those of the people searched for, in order of arrival."""

    past: Past
    events: list[Arrived] = field(default_factory=list)
    _by_place: dict[Place, list[Arrived]] = field(default_factory=dict)

    async def fetch(self, places: Iterable[Place]) -> None:
        """Read what stands at these places, one by one."""
        for place in set(places):
            kept = await self.past.reader.at(*place)
            if kept is not None:
                self._keep(kept)

    async def search(
        self, ids: Collection[str], places: Collection[Place], seen: Callable[[int], None]
    ) -> None:
        """Read the raw topic for all events under these ids, and what stands at the places."""
        sieve, wanted, theirs = Sieve(ids), set(places), set(ids)

        def may_be(kept: Kept) -> bool:
            here = (kept.topic, kept.partition, kept.offset) in wanted
            return here or (kept.value is not None and sieve.may_hold(kept.value))

        topic = self.past.settings.names.raw
        async for kept in self.past.reader.read(topic, wanted=may_be, seen=seen):
            for arrived in self._decoded(kept):
                event = arrived.event
                if theirs & {event.user_id, event.anonymous_id, event.previous_id}:
                    self.events.append(arrived)
            if (kept.topic, kept.partition, kept.offset) in wanted:
                self._keep(kept)
        self.events.sort(key=lambda arrived: arrived.at)

    def _keep(self, kept: Kept) -> None:
        self._by_place[kept.topic, kept.partition, kept.offset] = self._decoded(kept)

    def _decoded(self, kept: Kept) -> list[Arrived]:
        source = Source(kept.topic, kept.partition, kept.offset)
        region = self.past.settings.region
        events = decode(kept.value, source, kept.timestamp, region).events
        return [Arrived(event, kept.timestamp) for event in events]

    def find(self, named: Json) -> Arrived | None:
        """The event that a record names; None where the topic does not have it any more."""
        for arrived in self._by_place.get(place_of(named["source"]), ()):
            if arrived.event.message_id == named["messageId"]:
                return arrived
        return None


def place_of(source: Json) -> Place:
    """Topic, partition and offset."""
    return (source["topic"], source["partition"], source["offset"])
