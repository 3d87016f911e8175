"""What must hold at every instant, and what must have come out at the end."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.messages import Position, Record
from pipeline.domain.shadow import slot
from pipeline.domain.times import MINUTE, parse_instant
from pipeline.ports import Change, Entry, Mark
from pipeline.process.normalize import Normalizer
from pipeline.process.portion import Place
from pipeline.process.state import Committed, StateProcess
from pipeline.wire.records import decode
from pipeline.wire.state import LEDGER_KEY, decode_ledger
from tests.simulation import kafka
from tests.simulation.erasing import Erased
from tests.simulation.shown import Shown
from tests.simulation.system import NAMES, System

Json = dict[str, Any]
SKEW = 5 * MINUTE
"""An event time is at most so much later than its record's (rule 1)."""


class Judge:
    """Sees every commit of the store and every record that becomes visible."""

    def __init__(self, system: System, rulebooks: list[Json]) -> None:
        self.system = system
        self.triggers: dict[str, Json] = {}
        self.retractions: dict[str, Json] = {}
        self.published: defaultdict[tuple[int, str], list[kafka.Written]] = defaultdict(list)
        self.shadows: set[str] = set()
        """Ids of triggers of journeys in shadow, by their names inside."""
        self.decided: set[str] = set()
        """... and of all decisions."""
        self.decisions: list[Json] = []
        self._told: defaultdict[str, list[str]] = defaultdict(list)
        """What else tells of triggers and retractions, by their ids."""
        self._journeys = {
            (each["journey"], each["version"]): each
            for rulebook in rulebooks
            for each in rulebook["journeys"]
        }
        self._hours = "hours" in rulebooks[0].get("calling", {})
        self.compacted = Shown()
        self.erased = Erased()
        self._log_times: dict[tuple[int, Mark], tuple[int, int]] = {}
        system.on_commit = self._on_commit
        system.kafka.on_visible = self._on_visible

    # at every instant

    def _on_commit(self, partition: int, expected: Mark | None, change: Change) -> None:
        system = self.system
        end = system.kafka.end(NAMES.events, partition)
        mark = change.watermark
        if mark.offset > end or (mark.offset == end and mark.index):
            system.broken(f"watermark {mark} of {partition} is beyond the log's end {end}")
        if expected is not None and mark <= expected:
            system.broken(f"watermark of {partition} went from {expected} to {mark}")
        value = change.entities.get(LEDGER_KEY)
        if value is not None:
            ledger = decode_ledger(value)
            now = (ledger.log_time, ledger.clock)
            before = self._log_times.get((partition, expected)) if expected else None
            if before and (now[0] < before[0] or now[1] < before[1]):
                system.broken(f"log time of {partition} went back from {before} to {now}")
            known = self._log_times.setdefault((partition, mark), now)
            if known != now:
                system.broken(f"log time of {partition} at {mark} was {known} and is {now}")

    def _on_visible(self, producer: str, records: list[tuple[str, kafka.Record]]) -> None:
        partition = int(producer.split("-")[1])
        for topic, record in records:
            self.published[partition, topic].append(kafka.Written(*record[2:]))
        for topic, record in sorted(records, key=_caused_at):
            if topic != NAMES.dead_letters:  # they may be any bytes
                try:
                    value = None if record.value is None else orjson.loads(record.value)
                    self._look_at(topic, record.key, value)
                except Exception as error:  # noqa: BLE001 - it would be taken for the broker's
                    self.system.broken(f"the judge fails: {error!r}")

    def _look_at(self, topic: str, key: bytes | None, value: Json | None) -> None:
        if wrong := self.compacted.see(topic, key, value):
            self.system.broken(wrong)
        if value is None:
            return
        if topic == NAMES.triggers and value["type"] == "trigger":
            self._trigger(value)
        elif topic == NAMES.triggers:
            self._retraction(value)
        elif topic == NAMES.shadow:
            self._shadow(value)
        elif topic == NAMES.decisions:
            self.decided.add(value["id"])
            self.decisions.append(value)
            self._told[value["outcome"]].append(value["id"])
        elif topic == NAMES.outbound:
            self._told[value["event"]].append(value["properties"].get("triggerId", ""))

    def _trigger(self, trigger: Json) -> None:
        system, name = self.system, trigger["id"][:8]
        text = f"{trigger['journey']} {trigger['key']} {trigger['anchor']['messageId']}"
        system.note("triggers", f"{name} {text} to {trigger['to']} at {trigger['firedAt'][11:]}")
        if trigger["id"] in self.triggers:
            system.broken(f"trigger {name} was published twice")
        self.triggers[trigger["id"]] = trigger
        if wrong := self.compacted.consent(trigger):
            system.broken(f"trigger {name} {wrong}")
        fired = _ms(trigger["firedAt"])
        if fired < _ms(trigger["deadline"]):
            system.broken(f"trigger {name} before its deadline")
        if fired > _ms(trigger["expiresAt"]):
            system.broken(f"trigger {name} after its best-before")
        if self._hours and trigger["channel"] == "voice" and not 15 <= fired // MINUTE % 60 < 45:
            system.broken(f"trigger {name} out of hours")
        if self.erased.forbids(trigger):
            system.broken(f"trigger {name} after the erasure")
        if fired > system.wall():
            system.broken(f"trigger {name} says a time that is not yet")
        for cancel in self._cancels(trigger):
            system.broken(f"trigger {name} though {cancel} was in the raw topic before")

    def _retraction(self, retraction: Json) -> None:
        system, name = self.system, retraction["id"][:8]
        system.note("triggers", f"{name} retracted: {retraction['reason']}")
        if retraction["id"] not in self.triggers:
            system.broken(f"retraction of {name}, which was not sent")
        if retraction["id"] in self.retractions:
            system.broken(f"trigger {name} was retracted twice")
        self.retractions[retraction["id"]] = retraction

    def _shadow(self, value: Json) -> None:
        """Nothing comes of it, but it fires as seldom."""
        id_ = slot(value["id"])
        if "outcome" in value:
            self.decided.add(id_)
        elif value["type"] == "trigger":
            if id_ in self.shadows:
                self.system.broken(f"shadow trigger {value['id'][:8]} was published twice")
            self.shadows.add(id_)

    def _cancels(self, trigger: Json) -> list[str]:
        """Absence is complete: cancels that stood in the raw topic when it says it fired."""
        journey = self._journeys.get((trigger["journey"], trigger["version"]))
        if journey is None or not journey.get("key"):
            return []
        names = {_track(each) for each in journey.get("unless", []) if "where" not in each}
        found: list[str] = []
        for number in range(self.system.raw_partitions):
            for record in self.system.kafka.logs[NAMES.raw, number]:
                if record.timestamp <= _ms(trigger["firedAt"]):
                    found += [
                        call["messageId"]
                        for call in calls_of(record.value)
                        if call.get("event") in names - {None}
                        and _means(call, trigger, journey, record.timestamp + SKEW)
                    ]
        return found

    # at the end

    def told(self) -> None:
        """Each trigger and each retraction is told of wherever it is to be, once."""
        for name, ids in (
            ("fired", self.triggers),
            ("Journey Triggered", self.triggers),
            ("Journey Retracted", self.retractions),
        ):
            if sorted(self._told[name]) != sorted(ids):
                self.system.broken(f"{name!r} is said of {self._told[name]} and not of {[*ids]}")
        for wrong in self.erased.kept(self.triggers, self.retractions):
            self.system.broken(wrong)

    def account(self, normalizer: Normalizer) -> None:
        """Every raw record became events that stand in the log, or a dead letter."""
        system = self.system
        events: set[Position] = set()
        for number in range(system.partitions):
            for record in system.kafka.logs[NAMES.events, number]:
                read = decode(record.value or b"")
                if isinstance(read, Record) and read.position is not None:
                    events.add(read.position)
        letters = Counter(
            tuple(value for name, value in record.headers if name.startswith("source"))
            for record in system.kafka.logs[NAMES.dead_letters, 0]
        )
        for number in range(system.raw_partitions):
            log = system.kafka.logs[NAMES.raw, number]
            result = normalizer.normalize(NAMES.raw, number, log)
            for entry in result.events:
                position = Position(f"{NAMES.raw}/{number}", *entry.mark)
                if position not in events:
                    system.broken(f"an event of raw record {number}:{entry.mark} is lost")
            for entry in result.dead_letters:
                source = tuple(v for name, v in entry.headers if name.startswith("source"))
                if not letters[source]:
                    system.broken(f"raw record {number}:{entry.mark} has no dead letter")

    def replay(self) -> None:
        """The log folded again from its start gives the same state and the same outputs."""
        store = MemoryStore()
        made: list[Entry] = []

        def committed(change: Committed) -> None:
            made.extend(change.outward)

        for number in range(self.system.partitions):
            made.clear()
            place = Place(number, self.system.partitions, "", NAMES.events)
            process = StateProcess(place, store, committed)
            _at_once(_fold(process, self.system.kafka.logs[NAMES.events, number]))
            self._same_state(number, store)
            self._same_outputs(number, made)

    def _same_outputs(self, number: int, made: list[Entry]) -> None:
        again: defaultdict[str, list[kafka.Written]] = defaultdict(list)
        for entry in made:
            again[entry.topic].append(kafka.Written(entry.key, entry.value, entry.headers))
        topics = {topic for partition, topic in self.published if partition == number}
        for topic in sorted(topics | again.keys()):
            then = self.published[number, topic]
            if again[topic] != then:
                self.system.broken(
                    f"{number} published {len(then)} records to {topic},"
                    f" a replay {len(again[topic])}: {_first(again[topic], then)}"
                )

    def _same_state(self, number: int, store: MemoryStore) -> None:
        now, then = self.system.redis.primary.state(number), store._of(number)
        for name in ("watermark", "entities", "due"):
            if getattr(now, name) != getattr(then, name):
                text = _differing(getattr(now, name), getattr(then, name))
                self.system.broken(f"{name} of {number} is not what a replay gives: {text}")


def calls_of(value: bytes | None) -> list[Json]:
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return []
    if not isinstance(body, dict):
        return []
    batch = body.get("batch", [body])
    return [call for call in batch if isinstance(call, dict) and "messageId" in call]


def _track(pattern: Json) -> str | None:
    """The event's name; a rulebook that was read has it written out."""
    event = pattern.get("event")
    return event if pattern.get("type", "track") == "track" and isinstance(event, str) else None


def _means(call: Json, trigger: Json, journey: Json, latest: int) -> bool:
    if str((call.get("properties") or {}).get("loanId")) != trigger["key"]:
        return False
    ids = ("userId", "anonymousId") if trigger["userId"] is None else ("userId",)
    if journey.get("match") != "key" and any(call.get(name) != trigger[name] for name in ids):
        return False
    return min(latest, _ms(call["timestamp"])) >= _ms(trigger["anchor"]["timestamp"])


def _caused_at(item: tuple[str, kafka.Record]) -> tuple[int, ...]:
    headers = dict(item[1].headers)
    position = headers.get("position", b"0:" + headers.get("source-offset", b"0") + b":0")
    return tuple(int(part) for part in position.split(b":"))


def _ms(text: str) -> int:
    instant = parse_instant(text)
    assert instant is not None
    return instant


async def _fold(process: StateProcess, log: list[kafka.Record]) -> None:
    await process.open()
    await process.apply(log)


def _at_once(work: Any) -> None:
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waited")


def _first(made: list[kafka.Written], published: list[kafka.Written]) -> str:
    for place, (one, other) in enumerate(zip(made, published, strict=False)):
        if one != other:
            return f"{place}: {one} and not {other}"[:600]
    return "one goes on longer"


def _differing(now: Any, then: Any) -> str:
    if not isinstance(now, Mapping):
        return f"{now} and not {then}"
    for key in sorted(now.keys() | then.keys()):
        if now.get(key) != then.get(key):
            return f"{key!r}: {now.get(key)!r} and not {then.get(key)!r}"
    return ""


__all__ = ["Judge", "calls_of"]
