"""Writes a prepared load to a topic: at once, or each record at its own time.

A process of its own on librdkafka, so that what it costs is small beside what is measured. It keeps
to the times that were intended, however late the brokers are, and tells the worst delay in ms.

    python -m tests.bench.send SERVERS TOPIC FILE [BEGIN]

FILE has a line for each record: seconds after BEGIN (an instant in ms), key, value, between tabs.
"""

import sys
import time
from pathlib import Path

from confluent_kafka import Producer

SLOT = 0.002
"""Seconds: what is due within one goes out together, late by no more."""


def main(servers: str, topic: str, file: str, begin: str = "") -> None:
    """Send all, wait until the brokers have it, print the worst delay."""
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "linger.ms": 1 if begin else 20,
            "partitioner": "murmur2",
            "log_level": 3,  # a broker that has just started makes it warn
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    failed: list[str] = []
    worst = 0.0

    def delivered(error: object, _: object) -> None:
        if error is not None:
            failed.append(str(error))

    with Path(file).open("rb") as lines:
        for line in lines:
            due, key, value = line.rstrip(b"\n").split(b"\t", 2)
            if begin:
                at = int(begin) / 1000 + float(due)
                while (ahead := at - time.time()) > 0:
                    time.sleep(max(ahead, SLOT))  # to the very instant it would take a core
                    producer.poll(0)
                worst = max(worst, -ahead)
            while True:
                try:
                    producer.produce(topic, value, key, on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.05)
    producer.flush(120)
    if failed:
        sys.exit(f"{len(failed)} records were not delivered: {failed[0]}")
    print(round(worst * 1000))


if __name__ == "__main__":
    main(*sys.argv[1:])
