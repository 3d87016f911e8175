"""The parts that are started where none is given: Kafka and Redis on this machine.

`demo`, `up`, tests and benchmarks use `parts`; tests of faults restart a `Kafka` or `Redis`.
What is started here ends with its starter, however that ends.
"""

from pipeline.local.errors import LocalError, MissingError
from pipeline.local.kafka import Broker, Kafka
from pipeline.local.parts import Addresses, parts, start_broker
from pipeline.local.redis import Redis

__all__ = [
    "Addresses",
    "Broker",
    "Kafka",
    "LocalError",
    "MissingError",
    "Redis",
    "parts",
    "start_broker",
]
