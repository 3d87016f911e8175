"""The broker of a benchmark, and what one run has of its own: topics on it, and a Redis."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient

from pipeline.adapters.topics import Topics, TopicSpec, specs
from pipeline.local import Kafka, Redis
from pipeline.settings import KafkaSettings, Names, Settings
from tests.bench.job import PARTITIONS, WAIT
from tests.bench.systems import OURS, System

_BY_APPEND: Final = {"message.timestamp.type": "LogAppendTime"}
"""So that the broker tells when an output was there."""


class BenchKafka(Kafka):
    """Waits for all members of a new group, as brokers do by default (the tests' one does not).

    Otherwise the first worker begins alone, and the second one's arrival stops it again.
    """

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
    redis: Redis
    system: System
    names: Names
    folder: Path
    wait: float = WAIT

    @property
    def pids(self) -> dict[str, list[int]]:
        """Process ids by part."""
        assert self.stage.kafka.pid
        assert self.redis.pid
        return {"broker": [self.stage.kafka.pid], "redis": [self.redis.pid]}

    @property
    def settings(self) -> Settings:
        """As the commands take them."""
        return Settings(
            kafka=KafkaSettings(self.stage.kafka.address),
            redis_url=self.redis.address,
            partitions=PARTITIONS,
            names=self.names,
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """As the workers take them."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.stage.kafka.address,
            "REDIS_URL": self.redis.address,
            "PIPELINE_PARTITIONS": str(PARTITIONS),
            "PIPELINE_PREFIX": self.names.prefix,
            "BENCH_WAIT": str(self.wait),
        }

    @property
    def copies(self) -> str:
        """Where the ceiling writes."""
        return self.names.of("copies")

    def size(self) -> int:
        """Bytes of all topics of this run but the raw one, as the broker's files have them."""
        data = self.stage.kafka.home / "data"
        return sum(
            file.stat().st_size
            for file in data.glob(f"*{self.names.prefix}*/*.log")
            if not file.parent.name.startswith(self.names.raw)
        )


@asynccontextmanager
async def run_of(stage: Stage, system: System, nth: int, wait: float = WAIT) -> AsyncIterator[Run]:
    """Topics and a Redis for the block; afterwards all of it goes."""
    prefix = f"{system.name}{nth}."
    folder = stage.folder / prefix
    folder.mkdir()
    async with Redis() as redis:
        run = Run(stage, redis, system, Names(prefix), folder, wait)
        await Topics(run.settings.kafka).create(_topics(run))
        try:
            yield run
        finally:
            await _clear(run)


def _topics(run: Run) -> list[TopicSpec]:
    names = run.names
    outward = {names.contacts, names.optins, names.triggers}
    wanted = [
        replace(spec, config={**spec.config, **_BY_APPEND}) if spec.name in outward else spec
        for spec in specs(names, PARTITIONS)
    ]
    if run.system == OURS:
        return wanted
    if run.system.copies:
        return [*(w for w in wanted if w.name == names.raw), TopicSpec(run.copies, PARTITIONS)]
    return [spec for spec in wanted if spec.name in outward | {names.raw}]


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
