"""A steady load whose results are known by construction, sent whatever happens meanwhile.

The stories are those of tests/e2e/load.py. Some records are sent again a while later, as a
producer's retry is; some loans that have fired are signed late, which must take the trigger back.
Each acknowledgement is timed: where what decides a wait was not in Kafka before its deadline, that
wait proves nothing and is counted apart.
"""

import asyncio
import heapq
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline.domain.times import format_instant
from tests.e2e.load import LOAN, STORIES, Json, Load, Sending, Wait, _Story

EVENTS_A_PERSON: Final = 4.77
AGAIN: Final = 0.05
"""Share of records that are sent once more."""
LATEST_AGAIN: Final = 15.0
SIGNED_LATE: Final = 0.2
"""Share of the loans that fired."""
SLACK: Final = 1.0
"""Seconds before a deadline at which all that decides it must have been acknowledged."""


@dataclass(order=True)
class _Due:
    at: float
    number: int
    sending: Sending = field(compare=False)
    user: str | None = field(compare=False)
    """Whose wait hangs on it; None for a repetition."""


@dataclass
class Sent:
    """What was sent, and what must come of it."""

    waits: dict[tuple[str, str], Wait] = field(default_factory=dict)
    retracted: set[str] = field(default_factory=set)
    """Triggers that must be taken back."""
    unproven: set[str] = field(default_factory=set)
    """Users of whose records one was not in Kafka in time."""
    messages: set[str] = field(default_factory=set)
    """Ids of all that was acknowledged."""
    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    """Seconds from due to acknowledged."""

    def owner(self, key: str) -> str:
        """The user of a wait's key."""
        return key.partition("-")[2]


class Traffic:
    """Sends to `topic`; `after` is the seconds from a start to its deadline."""

    def __init__(self, servers: str, topic: str, *, rate: float, after: float, seed: int) -> None:
        self.sent = Sent()
        self.begin = 0
        self._servers, self._topic, self._after = servers, topic, after
        self._pace = EVENTS_A_PERSON / rate
        self._seed = seed
        self._rng = random.Random(f"traffic {seed}")
        self._heap: list[_Due] = []
        self._numbers = iter(range(10**9))
        self._producer: Any = None
        self._acks: set[asyncio.Task[None]] = set()
        self._lastly = 0.0
        self.seen = 0
        """Of the triggers that a reader has, those that were looked at to sign them."""

    @property
    def last_deadline(self) -> float:
        """Seconds after the begin."""
        return self._lastly + self._after

    async def run(self, seconds: float) -> None:
        """Until all that belongs to the people of so many seconds is acknowledged."""
        self.begin = time.time_ns() // 1_000_000
        people, begun = 0, time.monotonic()
        try:
            while True:
                now = time.monotonic() - begun
                while people * self._pace < min(now + 1, seconds):
                    self._person(people)
                    people += 1
                while self._heap and self._heap[0].at <= now:
                    due = heapq.heappop(self._heap)
                    await self._send(due)
                if now >= seconds and not self._heap:
                    break
                await asyncio.sleep(0.01)
            while self._acks:
                await asyncio.wait(self._acks)
        finally:
            for task in self._acks:
                task.cancel()
            await asyncio.gather(*self._acks, return_exceptions=True)
        self.sent.counts["people"] = people

    def _person(self, number: int) -> None:
        load = Load()
        user = f"c{number}"
        begin = number * self._pace
        STORIES[number % len(STORIES)](_Story(user, number, begin, self._rng, load))
        self.sent.waits.update(load.waits)
        self._lastly = max(self._lastly, begin + 1)
        for sending in load.sendings:
            self._push(sending.due, sending, user)
            if self._rng.random() < AGAIN:
                later = sending.due + self._rng.uniform(0.05, LATEST_AGAIN)
                self._push(later, sending._replace(key=None), None)

    def _push(self, at: float, sending: Sending, user: str | None) -> None:
        heapq.heappush(self._heap, _Due(at, next(self._numbers), sending, user))

    async def _send(self, due: _Due) -> None:
        value = due.sending.value(self.begin)
        task = asyncio.create_task(self._sent(due, value))
        self._acks.add(task)
        task.add_done_callback(self._acks.discard)
        await asyncio.sleep(0)

    async def _sent(self, due: _Due, value: bytes) -> None:
        await self.write(value, due.sending.key)
        took = time.time() - self.begin / 1000
        sent = self.sent
        sent.slowest = max(sent.slowest, took - due.at)
        sent.counts["events"] += len(due.sending.calls)
        if due.user is None:
            sent.counts["repeated"] += len(due.sending.calls)
        else:
            person = int(due.user[1:]) * self._pace
            if took > person + self._after - SLACK:
                sent.unproven.add(due.user)
        sent.messages.update(call["messageId"] for call in due.sending.calls)

    async def write(self, value: bytes, key: bytes | None = None) -> None:
        """Returns when it is acknowledged, however often that takes a try."""
        while True:
            producer = self._producer
            try:
                if producer is not None:
                    await (await producer.send(self._topic, value, key=key))
                    return
            except KafkaError:
                self.sent.counts["sent again after an error"] += 1
                if producer is self._producer:
                    await self._reopen()
            await asyncio.sleep(0.2)

    async def open(self) -> None:
        """Connect."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            enable_idempotence=True,
            linger_ms=2,
            request_timeout_ms=10_000,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def close(self) -> None:
        """Let go."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(10):
                    await producer.stop()
            except (KafkaError, TimeoutError):
                pass

    async def _reopen(self) -> None:
        await self.close()
        while self._producer is None:
            try:
                await self.open()
            except KafkaError:
                await asyncio.sleep(0.5)

    async def sign(self, triggers: Iterator[Json]) -> None:
        """Sign some of the loans that these triggers are about; some as if it had been in time."""
        for trigger in triggers:
            wait = self.sent.waits.get((trigger["journey"], trigger["key"]))
            if trigger["journey"] != LOAN or wait is None or wait.trigger != trigger["id"]:
                continue
            rng = random.Random(f"sign {self._seed} {trigger['id']}")
            if rng.random() >= SIGNED_LATE or trigger["id"] in self.sent.retracted:
                continue
            in_time = rng.random() < 0.5
            at = trigger["deadline"] if in_time else format_instant(time.time_ns() // 1_000_000)
            message = f"late-{trigger['key']}"
            call = {
                "type": "track", "userId": wait.user, "event": "Signed", "messageId": message,
                "properties": {"loanId": trigger["key"]}, "timestamp": at,
            }  # fmt: skip
            await self.write(orjson.dumps(call))
            self.sent.retracted.add(trigger["id"])
            self.sent.counts["events"] += 1
            self.sent.counts["signed late"] += 1
            self.sent.messages.add(message)
