"""The job in Quix Streams 3.28.1: RocksDB state with changelog topics, exactly-once.

Two processes of one consumer group, as its user guide has it: a stateful step by device, `group_by`
for the person (which goes through a repartition topic), a stateful step for the profile, and for
"not signed" a session window that an approval opens and the partition's event time closes. Two
processes read eight raw partitions at their own pace, so a window may only close when all have come
to their end: the last record of each is a flush, which goes to every partition of the repartition
topic, and the eighth one there moves the time on. Commits every second: the default of five makes
longer transactions and lets readers wait.

    python -m tests.bench.peers.quix
"""

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from quixstreams import Application, State

from tests.bench.peers.rules import (
    APPROVED,
    Json,
    at_device,
    at_person,
    new_device,
    new_person,
    slim,
    to_call,
)

PREFIX = os.environ["PIPELINE_PREFIX"]
WAIT = float(os.environ["BENCH_WAIT"])
RAW_PARTITIONS: Final = 8
FLUSH_KEYS: Final = [f"flush-{number}" for number in range(64)]
"""So many that every partition has some."""
DAY_MS: Final = 86_400_000


def event_time(call: Json, _headers: Any, timestamp: float, _kind: Any) -> int:
    """Milliseconds."""
    if call["type"] == "flush":
        return int(timestamp)
    return int(datetime.fromisoformat(call["timestamp"]).timestamp() * 1000)


def by_device(call: Json, state: State) -> list[Json]:
    """Calls for their person."""
    if call["type"] == "flush":
        return [call | {"userId": key} for key in FLUSH_KEYS]
    call = slim(call)
    if "anonymousId" not in call:
        return [call]
    device = state.get("device") or new_device()
    passed = at_device(device, call)
    state.set("device", device)
    return passed


def by_person(call: Json, state: State) -> list[Json]:
    """What a call has to be published as; each value names its topic."""
    person = state.get("person") or new_person()
    outputs = [value | {"topic": topic} for topic, _, value in at_person(person, call)]
    state.set("person", person)
    return outputs


def moves_time(call: Json, state: State) -> bool:
    """Whether an approval opens a window, or the last flush closes all."""
    if call["type"] != "flush":
        return call.get("event") == APPROVED
    flushes = state.get("flushes", 0) + 1
    state.set("flushes", flushes)
    return bool(flushes == RAW_PARTITIONS)


def window_time(call: Json, _key: Any, timestamp: int, _headers: Any) -> int:
    """A flush is later than every window's end."""
    return timestamp + 3 * DAY_MS if call["type"] == "flush" else timestamp


def close(_: Any, user: str, __: int, ___: Any, state: State) -> Iterator[Json]:
    """Nothing more can come: whom to call."""
    person = state.get("person") or new_person()
    for topic, _key, value in to_call(person, user, WAIT):
        yield value | {"topic": topic}
    state.set("person", person)


def record_key(value: Json) -> str:
    """Opt-ins are kept by address and channel, all else by person."""
    if value["topic"] == "optins":
        return f"{value['address']}|{value['channel']}"
    return str(value["userId"])


def main() -> None:
    """Run until terminated."""
    app = Application(
        broker_address=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        consumer_group=f"{PREFIX}quix",
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=1.0,
        state_dir="state",
        loglevel="WARNING",
    )
    raw = app.topic(PREFIX + "segment.raw", key_deserializer="str", timestamp_extractor=event_time)
    outward = {
        name: app.topic(PREFIX + name, key_serializer="str")
        for name in ("contacts", "optins", "journey.triggers")
    }
    text = {"key_serializer": "str", "key_deserializer": "str"}
    calls = app.dataframe(raw).apply(by_device, stateful=True, expand=True)
    calls = calls.group_by(lambda call: call["userId"], name="person", **text)
    told = calls.filter(lambda call: call["type"] != "flush")
    told = told.apply(by_person, stateful=True, expand=True)
    told.to_topic(lambda value, *_: outward[value["topic"]], key=record_key)
    waits = calls.filter(moves_time, stateful=True).set_timestamp(window_time)
    waits = waits.session_window(int(WAIT * 1000), grace_ms=DAY_MS).count()
    ended = waits.final(closing_strategy="partition")
    ended = ended.apply(close, stateful=True, expand=True, metadata=True)
    ended.to_topic(lambda value, *_: outward[value["topic"]], key=record_key)
    app.run()


if __name__ == "__main__":
    main()
