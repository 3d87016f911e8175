"""What must hold at every instant, and what must have come out at the end."""

from collections import defaultdict
from typing import Any

import orjson

from pipeline.domain.shadow import slot
from pipeline.domain.times import MINUTE, parse_instant
from pipeline.ports import Change, Mark
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


__all__ = ["Judge", "calls_of"]
