"""A pipeline that runs when it is told to: real Kafka and Redis, the worker's parts in-process."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson

from pipeline.adapters.kafka_connection import Connection
from pipeline.adapters.kafka_log import KafkaLog
from pipeline.adapters.kafka_publishers import KafkaPublisher
from pipeline.adapters.kafka_reader import KafkaReader, Kept
from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_store import RedisStore
from pipeline.adapters.topics import Topics, specs
from pipeline.domain.times import format_instant
from pipeline.names import Names
from pipeline.ports import Entry, Mark
from pipeline.process.normalize import Normalizer
from pipeline.process.portion import Place
from pipeline.process.state import StateProcess
from pipeline.settings import KafkaSettings, Settings
from pipeline.wire.records import Tick, encode_control

HOUR = 3_600_000


class Told(NamedTuple):
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """The JSON values of `--json`."""
        return [orjson.loads(line) for line in self.out.splitlines()]

    @property
    def last(self) -> str:
        """The last line."""
        return self.out.rstrip("\n").rsplit("\n", 1)[-1]


def now() -> int:
    """Milliseconds."""
    return time.time_ns() // 1_000_000


def ago(hours: float) -> str:
    """An event time."""
    return format_instant(now() - int(hours * HOUR))


class Running:
    """Takes what stands in the log when `pump` is called, as workers would."""

    def __init__(self, servers: str, redis_url: str, prefix: str, partitions: int = 2) -> None:
        self.settings = Settings(
            kafka=KafkaSettings(servers),
            redis_url=redis_url,
            partitions=partitions,
            names=Names(prefix),
        )
        names = self.names = self.settings.names
        self.environ = {
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "REDIS_URL": redis_url,
            "PIPELINE_PREFIX": prefix,
            "PIPELINE_PARTITIONS": str(partitions),
        }
        self.connection = Connection(self.settings.kafka)
        self.store = RedisStore(RedisLink(redis_url), names)
        self.reader = KafkaReader(self.settings.kafka, self.connection)
        self.publisher = KafkaPublisher(self.settings.kafka, linger=0.0)
        self.log = KafkaLog(names, self.connection, self.publisher)
        self._raw: dict[int, int] = {}
        self._processes: list[StateProcess] = []
        self._normalizer = Normalizer(partitions, "US", names.events, names.dead_letters)

    async def start(self) -> None:
        """Create the topics."""
        await Topics(self.settings.kafka).create(specs(self.names, self.settings.partitions))
        await self.publisher.start()
        for number in range(self.settings.partitions):
            place = Place(number, self.settings.partitions, self.names.prefix, self.names.events)
            process = StateProcess(place, self.store, lambda _: None)
            await process.open()
            self._processes.append(process)

    async def close(self) -> None:
        """Let go."""
        await self.publisher.close()
        await self.connection.close()
        await self.store.close()

    async def send(self, *events: Mapping[str, Any] | bytes) -> None:
        """Write to the raw topic."""
        values = [e if isinstance(e, bytes) else orjson.dumps(e) for e in events]
        await self.publisher.publish(
            [Entry(Mark(0, 0), self.names.raw, b"k", value) for value in values]
        )

    async def tick(self) -> None:
        """Let everything that is due by now be decided."""
        for number in range(self.settings.partitions):
            await self.log.append(number, encode_control(Tick(now())))
        await self.pump()

    async def pump(self) -> None:
        """Until nobody has anything left to take."""
        while await self._normalize() | await self._fold():
            pass

    async def _normalize(self) -> bool:
        records: list[Kept] = []
        begin = {n: self._raw.get(n, 0) for n in await self.reader.ends(self.names.raw)}
        async for kept in self.reader.read(self.names.raw, begin=begin):
            self._raw[kept.partition] = kept.offset + 1
            records.append(kept)
        for record in records:
            made = self._normalizer.normalize(self.names.raw, record.partition, [record])
            await self.publisher.publish(made.events + made.dead_letters)
        return bool(records)

    async def _fold(self) -> bool:
        begin = {p.place.partition: p.watermark.offset for p in self._processes}
        found: dict[int, list[Kept]] = {}
        async for kept in self.reader.read(self.names.events, begin=begin):
            found.setdefault(kept.partition, []).append(kept)
        for number, records in found.items():
            await self._processes[number].apply(records)
            for internal in (True, False):
                await self._relay(number, internal=internal)
        return bool(found)

    async def _relay(self, number: int, *, internal: bool) -> None:
        entries = await self.store.outbox(number, internal=internal, after=None, limit=10_000)
        if entries:
            await self.publisher.publish(entries)
            await self.store.trim(number, internal=internal, upto=entries[-1].mark)


def identify(user: str, phone: str | None = None, **more: Any) -> dict[str, Any]:
    """An identify call with a voice and sms opt-in of long ago."""
    opted = ago(72)
    entry = {"subscribed": True, "timestamp": opted, "ip": "203.0.113.9", "source": "booking_flow"}
    channels: Sequence[str] = ("voice", "sms") if phone else ()
    traits = {"firstName": "Rebecca", "optIn": [{"channel": c, **entry} for c in channels]}
    return {
        "type": "identify",
        "userId": user,
        "timestamp": ago(60),
        "traits": traits | ({"phone": phone} if phone else {}),
        **more,
    }


def track(user: str, event: str, hours: float = 0, **more: Any) -> dict[str, Any]:
    """A track call some hours ago."""
    return {"type": "track", "userId": user, "event": event, "timestamp": ago(hours), **more}


@contextmanager
def working(running: Running, runner: asyncio.Runner) -> Iterator[None]:
    """Workers run while the block does."""
    over = threading.Event()

    async def pump() -> None:
        while not over.is_set():
            await running.pump()
            await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: runner.run(pump()))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
