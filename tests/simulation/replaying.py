"""That nothing is lost on the way in, and that the log folded again gives the same."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.messages import Position, Record
from pipeline.ports import Entry
from pipeline.process.normalize import Normalizer
from pipeline.process.portion import Place
from pipeline.process.state import Committed, StateProcess
from pipeline.wire.records import decode
from tests.simulation import kafka
from tests.simulation.redis import at_once
from tests.simulation.system import NAMES, System

Published = Mapping[tuple[int, str], list[kafka.Written]]


def lost(system: System, normalizer: Normalizer) -> Iterator[str]:
    """Raw records that became neither events that stand in the log nor a dead letter."""
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
            if Position(f"{NAMES.raw}/{number}", *entry.mark) not in events:
                yield f"an event of raw record {number}:{entry.mark} is lost"
        for entry in result.dead_letters:
            source = tuple(v for name, v in entry.headers if name.startswith("source"))
            if not letters[source]:
                yield f"raw record {number}:{entry.mark} has no dead letter"


def differences(system: System, published: Published) -> Iterator[str]:
    """Between what there is and what the log folded again from its start gives."""
    store = MemoryStore()
    made: list[Entry] = []

    def committed(change: Committed) -> None:
        made.extend(change.outward)

    for number in range(system.partitions):
        made.clear()
        place = Place(number, system.partitions, "", NAMES.events)
        process = StateProcess(place, store, committed)
        at_once(_fold(process, system.kafka.logs[NAMES.events, number]))
        yield from _of_state(number, system.redis.primary.state(number), store._of(number))
        yield from _of_outputs(number, made, published)


async def _fold(process: StateProcess, log: list[kafka.Record]) -> None:
    await process.open()
    await process.apply(log)


def _of_outputs(number: int, made: list[Entry], published: Published) -> Iterator[str]:
    again: defaultdict[str, list[kafka.Written]] = defaultdict(list)
    for entry in made:
        again[entry.topic].append(kafka.Written(entry.key, entry.value, entry.headers))
    topics = {topic for partition, topic in published if partition == number}
    for topic in sorted(topics | again.keys()):
        then = published.get((number, topic), [])
        if again[topic] != then:
            yield (
                f"{number} published {len(then)} records to {topic},"
                f" a replay {len(again[topic])}: {_first(again[topic], then)}"
            )


def _of_state(number: int, now: Any, then: Any) -> Iterator[str]:
    for name in ("watermark", "entities", "due"):
        if getattr(now, name) != getattr(then, name):
            text = _differing(getattr(now, name), getattr(then, name))
            yield f"{name} of {number} is not what a replay gives: {text}"


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
