"""The broker of a benchmark, and what one run has of its own: topics on it, and a Redis."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from pipeline.adapters.topics import Topics, TopicSpec, specs
from pipeline.local import Kafka, Redis
from pipeline.local.kafka import HEAP
from pipeline.names import Names
from pipeline.settings import KafkaSettings, Settings
from tests import redis_cluster
from tests.bench.job import PARTITIONS, WAIT
from tests.bench.systems import OURS, System


class BenchKafka(Kafka):
    """Waits for all members of a new group, as brokers do by default (the tests' one does not).

    Otherwise the first worker begins alone, and the second one's arrival stops it again. Its code
    is compiled as that of brokers which run for long.
    """

    jvm = (HEAP,)

    def _settings(self) -> list[tuple[str, str]]:
        return [*super()._settings(), ("group.initial.rebalance.delay.ms", "3000")]


@dataclass(frozen=True)
class Stage:
    """A broker that was started for the benchmark alone: its CPU time is the run's."""

    kafka: Kafka
    folder: Path


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Start the broker; stop it at the end."""
    kafka = BenchKafka()  # in a folder that goes however this program ends
    try:
        await kafka.start()
        yield Stage(kafka, folder)
    finally:
        kafka.kill()  # nobody needs its data
        await kafka.close()


@dataclass(frozen=True)
class Run:
    """One system on topics and a Redis of its own, whose writes are on disk when acknowledged."""

    stage: Stage
    redis: str
    """Its address, or one of its addresses."""
    redis_pids: list[int]
    system: System
    names: Names
    folder: Path
    wait: float = WAIT
    partitions: int = PARTITIONS

    @property
    def pids(self) -> dict[str, list[int]]:
        """Process ids by part."""
        assert self.stage.kafka.pid
        return {"broker": [self.stage.kafka.pid], "redis": self.redis_pids}

    @property
    def settings(self) -> Settings:
        """As the commands take them."""
        return Settings(
            kafka=KafkaSettings(self.stage.kafka.address),
            redis_url=self.redis,
            partitions=self.partitions,
            names=self.names,
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """As the workers take them."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.stage.kafka.address,
            "REDIS_URL": self.redis,
            "PIPELINE_PARTITIONS": str(self.partitions),
            "PIPELINE_PREFIX": self.names.prefix,
            "BENCH_WAIT": str(self.wait),
        }

    @property
    def copies(self) -> str:
        """Where the ceiling writes."""
        return self.names.of("copies")

    def size(self, *, raw: bool = False) -> int:
        """Bytes of the topics of this run in the broker's files; `raw`: of the raw one, too."""
        data = self.stage.kafka.home / "data"
        return sum(
            file.stat().st_size
            for file in data.glob(f"*{self.names.prefix}*/*.log")
            if raw or not file.parent.name.startswith(self.names.raw)
        )


@asynccontextmanager
async def run_of(
    stage: Stage,
    system: System,
    nth: int,
    wait: float = WAIT,
    partitions: int = PARTITIONS,
    *,
    cluster: bool = False,
) -> AsyncIterator[Run]:
    """Topics and a Redis for the block; afterwards all of it goes. `nth` makes its name unique."""
    prefix = f"{system.name}{nth}."
    folder = stage.folder / prefix
    folder.mkdir()
    async with _three() if cluster else _one() as (address, pids):
        run = Run(stage, address, pids, system, Names(prefix), folder, wait, partitions)
        await Topics(run.settings.kafka).create(_topics(run))
        try:
            yield run
        finally:
            await _clear(run)


@asynccontextmanager
async def _one() -> AsyncIterator[tuple[str, list[int]]]:
    async with Redis() as server:
        assert server.pid
        yield server.address, [server.pid]


@asynccontextmanager
async def _three() -> AsyncIterator[tuple[str, list[int]]]:
    async with redis_cluster.running() as cluster:
        yield cluster.address, [node.pid for node in cluster.nodes if node.pid]


def _topics(run: Run) -> list[TopicSpec]:
    names, wanted = run.names, specs(run.names, run.partitions)
    if run.system == OURS:
        return wanted
    if run.system.copies:
        return [*(w for w in wanted if w.name == names.raw), TopicSpec(run.copies, run.partitions)]
    common = {names.raw, names.contacts, names.optins, names.triggers}
    return [spec for spec in wanted if spec.name in common]


async def _clear(run: Run) -> None:
    """The disk as it was: the topics, also those that a peer made for itself, and the folder."""
    admin = AIOKafkaAdminClient(bootstrap_servers=run.stage.kafka.address)
    await admin.start()
    try:
        own = [name for name in await admin.list_topics() if run.names.prefix in name]
        await admin.delete_topics(own)
    finally:
        await admin.close()
    await asyncio.to_thread(shutil.rmtree, run.folder, ignore_errors=True)
