"""People who are merged just while an attempt of theirs waits its turn (limits of scope person).

Where what comes out is not for the oracle to say: it knows nothing of the alias.
"""

from random import Random

import orjson

from pipeline.domain.messages import InLine, Record
from pipeline.domain.times import format_instant
from pipeline.wire.records import decode
from tests.simulation.kafka import Written
from tests.simulation.system import NAMES, System

SHARE = 0.3
USERS = ("u1", "u2", "u3")


class Merger:
    """Looks at what is written to `segment.events`, and writes an alias to the raw topic."""

    def __init__(self, system: System, rng: Random) -> None:
        self.system = system
        self.merges = 0
        self._rng = rng

    def see(self, partition: int) -> None:
        """Something new stands in this partition."""
        read = decode(self.system.kafka.logs[NAMES.events, partition][-1].value or b"")
        if not isinstance(read, Record) or not isinstance(read.message, InLine):
            return
        if read.to.kind == "person" and self._rng.random() < SHARE:
            self.system.loop.outside(0.1 * self._rng.random(), self._merge, read.to.id)

    def _merge(self, user: str) -> None:
        self.merges += 1
        other = self._rng.choice([each for each in USERS if each != user])
        call = {
            "type": "alias",
            "userId": other,
            "previousId": user,
            "messageId": f"merge{self.merges}",
            "timestamp": format_instant(self.system.wall()),
        }
        raw = self._rng.randrange(self.system.raw_partitions)
        self.system.note("producer", f"{user} becomes {other}")
        self.system.kafka.append(NAMES.raw, raw, [Written(None, orjson.dumps(call))])
