"""The job in Bytewax 0.21.1, its newest release: state in the memory of its workers.

One dataflow on two processes that exchange keyed items by TCP, as its user guide has it: batches of
a thousand from Kafka, `stateful_batch` for device and person. A bounded input (`tail=False`) ends
with `on_eof`, the cheapest way there is to decide what did not happen: no timer, no flush, no
index of deadlines. No recovery store is set, so nothing is kept: a crash begins from offset 0, and
what was published comes again. Event times are never compared with a clock.

    python -m bytewax.run tests.bench.peers.bytewax_flow:flow -i 0 -a 'localhost:1;localhost:2'
"""

import os
from collections.abc import Iterable
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream, StatefulBatchLogic, Stream

from tests.bench.peers.rules import (
    Json,
    Output,
    at_device,
    at_person,
    new_device,
    new_person,
    slim,
    to_call,
)

BROKERS = [os.environ["KAFKA_BOOTSTRAP_SERVERS"]]
PREFIX = os.environ["PIPELINE_PREFIX"]
WAIT = float(os.environ["BENCH_WAIT"])


class Device(StatefulBatchLogic):
    """Passes calls on to their person."""

    def __init__(self, state: Json | None) -> None:
        self.state = state or new_device()

    def on_batch(self, values: list[Json]) -> tuple[Iterable[Json], bool]:
        """Calls of one device."""
        return [out for call in values for out in at_device(self.state, call)], self.RETAIN

    def snapshot(self) -> Json:
        """Asked for only where a recovery store is set."""
        return self.state


class Person(StatefulBatchLogic):
    """A profile."""

    def __init__(self, state: Json | None) -> None:
        self.state, self.user = state or new_person(), ""

    def on_batch(self, values: list[Json]) -> tuple[Iterable[Output], bool]:
        """Calls of one person."""
        self.user = values[0]["userId"]
        return [out for call in values for out in at_person(self.state, call)], self.RETAIN

    def on_eof(self) -> tuple[Iterable[Output], bool]:
        """Everything has been read."""
        return list(to_call(self.state, self.user, WAIT)), self.DISCARD

    def snapshot(self) -> Json:
        """Asked for only where a recovery store is set."""
        return self.state


def decoded(message: KafkaSourceMessage) -> Json:
    """The Segment call in a record."""
    return slim(orjson.loads(message.value))


def record(item: tuple[str, Output]) -> KafkaSinkMessage:
    """As Kafka takes it."""
    _, (topic, key, value) = item
    return KafkaSinkMessage(key.encode(), orjson.dumps(value), topic=PREFIX + topic)


def made() -> Any:
    """The dataflow."""
    flow = Dataflow("approved_not_signed")
    source = KafkaSource(BROKERS, [PREFIX + "segment.raw"], tail=False, batch_size=1000)
    calls: Stream = op.map("decode", op.input("raw", flow, source), decoded)
    split = op.branch("from a device?", calls, lambda call: "anonymousId" in call)
    devices: KeyedStream = op.key_on("by device", split.trues, lambda call: call["anonymousId"])
    known = op.key_rm("device's", op.stateful_batch("device", devices, Device))
    everybodys = op.merge("all", known, split.falses)
    people: KeyedStream = op.key_on("by person", everybodys, lambda call: call["userId"])
    outputs = op.map("record", op.stateful_batch("person", people, Person), record)
    kop.output("out", outputs, brokers=BROKERS, topic=PREFIX + "contacts")
    return flow


flow = made()
