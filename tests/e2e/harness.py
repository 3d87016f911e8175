"""A pipeline of a test's own on shared parts: topics, a rulebook, workers, and a reader."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Set
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from pipeline.adapters.topics import Topics, specs
from pipeline.commands.reach import reach
from pipeline.domain.times import format_instant, parse_instant
from pipeline.local import Kafka, Redis
from pipeline.local.worker import Worker
from pipeline.names import Names
from pipeline.process.rulebook_change import apply_rulebook
from pipeline.rulebook.load import document_digest, load_document
from pipeline.settings import KafkaSettings, Settings
from tests.e2e.load import Json, Load, signatures
from tests.e2e.looking import metrics

PARTITIONS = 8
QUIET_SECONDS = 1.5
"""So long nothing more must come once all is there."""


@dataclass(frozen=True)
class Stage:
    """The parts, which can be stopped and killed and come back on their ports."""

    kafka: Kafka
    redis: Redis


def now() -> int:
    """Milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass
class Read:
    """What a consumer with read_committed has seen, in order, and when."""

    triggers: list[tuple[int, Json]] = field(default_factory=list)
    decisions: list[tuple[int, Json]] = field(default_factory=list)
    dead: list[Mapping[str, bytes]] = field(default_factory=list)

    def of(self, kind: str) -> list[Json]:
        return [value for _, value in self.triggers if value["type"] == kind]

    def lateness(self) -> list[float]:
        """Seconds from each trigger's deadline until a consumer had it."""
        sent = [(seen, value) for seen, value in self.triggers if value["type"] == "trigger"]
        return sorted((seen - (parse_instant(v["deadline"]) or 0)) / 1000 for seen, v in sent)

    def fired_late(self) -> list[float]:
        """Seconds from each trigger's deadline until it was fired, log time."""
        return sorted(
            ((parse_instant(v["firedAt"]) or 0) - (parse_instant(v["deadline"]) or 0)) / 1000
            for v in self.of("trigger")
        )


class Pipe:
    """Topics, rulebook, workers and reader under one prefix."""

    def __init__(self, stage: Stage, folder: Path, book: Mapping[str, str]) -> None:
        """`book` has the files of the rulebook."""
        self.stage, self.folder, self.book = stage, folder, book
        self.names = Names(f"{folder.name[-30:].replace('_', '-')}-{time.monotonic_ns():x}.")
        self.settings = Settings(
            kafka=KafkaSettings(stage.kafka.address),
            redis_url=stage.redis.address,
            partitions=PARTITIONS,
            names=self.names,
        )
        self.workers: list[Worker] = []
        self.read = Read()

    def worker(self) -> Worker:
        """Another one, not started yet."""
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka.servers or "",
            "REDIS_URL": self.settings.redis_url or "",
            "PIPELINE_PARTITIONS": str(PARTITIONS),
            "PIPELINE_PREFIX": self.names.prefix,
        }
        made = Worker(environment, home=self.folder / f"worker-{len(self.workers)}")
        self.workers.append(made)
        return made

    async def prepare(self) -> None:
        """Topics, and the rulebook in force."""
        folder = self.folder / "rulebook"
        for name, text in self.book.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        document = load_document(folder)
        await Topics(self.settings.kafka).create(specs(self.names, PARTITIONS))
        async with reach(self.settings) as opened:
            log = await opened.log()
            await apply_rulebook(document, document_digest(document), log, PARTITIONS)

    async def send(self, load: Load) -> int:
        """Write all when it is due, whatever the brokers do meanwhile; returns when it began."""
        begin = now()
        producer = AIOKafkaProducer(
            bootstrap_servers=self.stage.kafka.address, enable_idempotence=True, linger_ms=2
        )
        await producer.start()
        try:
            acks = []
            for sending in load.sendings:
                ahead = begin / 1000 + sending.due - time.time()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                value = sending.value(begin)
                acks.append(await producer.send(self.names.raw, value, key=sending.key))
            await asyncio.gather(*acks)
        finally:
            await producer.stop()
        return begin

    async def write(self, *values: bytes) -> None:
        """Write records as they are."""
        producer = AIOKafkaProducer(bootstrap_servers=self.stage.kafka.address)
        await producer.start()
        try:
            for value in values:
                await producer.send(self.names.raw, value)
        finally:
            await producer.stop()

    async def sign_late(self, load: Load) -> set[str]:
        """Sign every loan that has fired; returns the triggers that must be taken back."""
        made = list(signatures(load))
        at = {"timestamp": format_instant(now())}
        await self.write(*(orjson.dumps(call | at) for _, call in made))
        return {trigger for trigger, _ in made}

    async def until(self, reached: Callable[[], bool], seconds: float) -> bool:
        """Whether it was reached in time, and then some quiet."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if reached():
                await asyncio.sleep(QUIET_SECONDS)
                return True
            await asyncio.sleep(0.05)
        return False

    async def decided(self, load: Load, seconds: float) -> None:
        """All waits are decided and what fired is there, or the time is up: `verify` tells."""
        waits, fired = len(load.waits), len(load.fired)
        await self.until(
            lambda: len(self.read.decisions) >= waits and len(self.read.triggers) >= fired, seconds
        )

    async def owned(self) -> int:
        """State partitions of all workers that answer."""
        counts = [0.0]
        for worker in self.workers:
            with contextlib.suppress(OSError, TimeoutError):
                found = await metrics(worker.port)
                counts.append(found["pipeline_partitions_owned", ""])
        return int(sum(counts))

    async def taken_over(self, seconds: float) -> float:
        """Wait until every partition has an owner; the seconds that took."""
        begun = time.monotonic()
        while await self.owned() != PARTITIONS:
            assert time.monotonic() - begun < seconds, "partitions without an owner"
            await asyncio.sleep(0.1)
        return time.monotonic() - begun

    def fallen(self) -> list[str]:
        """The last lines of each worker that does not run."""
        return [w.log.read_text()[-1500:] for w in self.workers if not w.running()]

    async def follow(self, ready: asyncio.Event) -> None:
        """Read triggers, decisions and dead letters until cancelled."""
        names = self.names
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.stage.kafka.address,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            topics = (names.triggers, names.decisions, names.dead_letters)
            consumer.assign([TopicPartition(t, p) for t in topics for p in range(6)])
            ready.set()
            while True:
                record = await consumer.getone()
                if record.topic == names.dead_letters:
                    self.read.dead.append(dict(record.headers))
                    continue
                trigger = record.topic == names.triggers
                kept = self.read.triggers if trigger else self.read.decisions
                kept.append((now(), orjson.loads(record.value)))
        finally:
            await consumer.stop()


@asynccontextmanager
async def pipe(
    stage: Stage, folder: Path, *, workers: int, book: Mapping[str, str]
) -> AsyncIterator[Pipe]:
    """A pipeline that runs while the block does; its workers' logs stay in `folder`."""
    made = Pipe(stage, folder, book)
    await made.prepare()
    async with AsyncExitStack() as stack:
        for _ in range(workers):
            stack.push_async_callback(made.worker().close)
        ready = asyncio.Event()
        following = asyncio.create_task(made.follow(ready))

        async def stop_following() -> None:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following

        stack.push_async_callback(stop_following)
        await asyncio.gather(*(worker.start() for worker in made.workers), ready.wait())
        await made.taken_over(30)
        yield made
        for worker in made.workers[workers:]:
            stack.push_async_callback(worker.close)


def verify(load: Load, pipe: Pipe, retracted: Set[str] = frozenset(), dead: int = 0) -> None:
    """Every wait has its one outcome, every trigger is there once, and nothing else is."""
    read = pipe.read
    sent = Counter(trigger["id"] for trigger in read.of("trigger"))
    assert {i: n for i, n in sent.items() if n > 1} == {}, "triggers more than once"
    found: dict[tuple[str, str], list[tuple[str, str | None]]] = {}
    for _, decision in read.decisions:
        place = found.setdefault((decision["journey"], decision["key"]), [])
        place.append((decision["outcome"], decision["reason"]))
    wanted = {place: [(wait.outcome, wait.reason)] for place, wait in load.waits.items()}
    wrong = {
        place: (found.get(place, []), wanted.get(place))
        for place in wanted.keys() | found.keys()
        if found.get(place) != wanted.get(place)
    }
    assert not wrong, f"{len(wrong)} of {len(wanted)} (found, wanted): {list(wrong.items())[:5]}"
    assert sent.keys() == load.fired
    for trigger in read.of("trigger"):
        wait = load.waits[trigger["journey"], trigger["key"]]
        assert (trigger["id"], trigger["to"], trigger["userId"]) == wait[2:]
    taken_back = Counter(each["id"] for each in read.of("retraction"))
    assert taken_back == Counter(retracted), read.of("retraction")[:3]
    assert len(read.dead) == dead
