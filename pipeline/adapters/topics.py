"""The pipeline's topics: what they must be; creates those that are missing, tells differences."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from pipeline.adapters.kafka_client import client_args, translated
from pipeline.names import Names
from pipeline.ports import MAX_RECORD, LogUnavailable
from pipeline.settings import KafkaSettings

_DAY_MS: Final = 24 * 60 * 60 * 1000
_FOR_EVER: Final = "-1"
_RAW_PARTITIONS: Final = 8
_OUTWARD_PARTITIONS: Final = 6
_SAFE_REPLICAS: Final = 3
_VISIBLE_SECONDS: Final = 30.0
_CREATE: Final = "run `pipeline topics create`"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic must be."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    fixed: bool = False
    """Another number of partitions makes the state wrong, not only slow."""
    foreign: bool = False
    """Others may have made it, for their own ends: only what breaks us counts as a difference."""


class Difference(NamedTuple):
    """One thing of one topic that is not as it must be."""

    topic: str
    what: str
    found: str
    wanted: str
    remedy: str
    fatal: bool


def specs(names: Names, partitions: int) -> list[TopicSpec]:
    """All topics; `partitions` is that of `segment.events`."""
    large = {"max.message.bytes": str(MAX_RECORD + 64 * 1024)}
    compacted = {"cleanup.policy": "compact", **large}

    def days(count: int) -> dict[str, str]:
        return {"cleanup.policy": "delete", "retention.ms": str(count * _DAY_MS), **large}

    forever = {"cleanup.policy": "delete", "retention.ms": _FOR_EVER, **large}
    # a state that has to be built again needs the log back to the oldest backup; 30 days
    events = {**days(30), "message.timestamp.type": "LogAppendTime"}
    return [
        TopicSpec(names.raw, _RAW_PARTITIONS, days(30), foreign=True),
        TopicSpec(names.events, partitions, events, fixed=True),
        TopicSpec(names.triggers, _OUTWARD_PARTITIONS, days(30)),
        TopicSpec(names.decisions, _OUTWARD_PARTITIONS, days(90)),
        TopicSpec(names.shadow, _OUTWARD_PARTITIONS, days(90)),
        TopicSpec(names.contacts, _OUTWARD_PARTITIONS, compacted),
        TopicSpec(names.optins, _OUTWARD_PARTITIONS, compacted),
        TopicSpec(names.evidence, _OUTWARD_PARTITIONS, forever),
        TopicSpec(names.dead_letters, _OUTWARD_PARTITIONS, days(30)),
        TopicSpec(names.outbound, _OUTWARD_PARTITIONS, days(7)),
    ]


class Topics:
    """Creates and checks topics on a cluster."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._args = client_args(kafka)

    async def create(self, wanted: Sequence[TopicSpec]) -> list[str]:
        """Create what is missing, wait until it can be used, and return the names.

        Raises:
            LogUnavailable: where the cluster can't be reached or refuses.
        """
        async with self._admin("creating topics") as admin:
            found = await _partitions(admin)
            missing = [spec for spec in wanted if spec.name not in found]
            if missing:
                replicas = min(_SAFE_REPLICAS, len((await admin.describe_cluster())["brokers"]))
                answer = await admin.create_topics([_new(spec, replicas) for spec in missing])
                for name, code, *message in answer.topic_errors:
                    if code not in {0, TopicAlreadyExistsError.errno}:
                        raise LogUnavailable(_refused(name, code, message))
            await _visible(admin, wanted)
        return [spec.name for spec in missing]

    async def check(self, wanted: Sequence[TopicSpec]) -> list[Difference]:
        """All that differs from what topics must be; nothing where all is well."""
        async with self._admin("checking topics") as admin:
            found = await _partitions(admin)
            there = [spec for spec in wanted if spec.name in found]
            configs = await _configs(admin, [spec.name for spec in there])
        differences = [
            Difference(spec.name, "topic", "missing", "present", _CREATE, fatal=True)
            for spec in wanted
            if spec.name not in found
        ]
        for spec in there:
            differences += _compare(spec, found[spec.name], configs[spec.name])
        return differences

    @asynccontextmanager
    async def _admin(self, what: str) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(**self._args)
        with translated(what):
            try:
                await admin.start()
                yield admin
            finally:
                await admin.close()


def _new(spec: TopicSpec, replicas: int) -> NewTopic:
    config = dict(spec.config)
    if replicas >= _SAFE_REPLICAS:
        config["min.insync.replicas"] = str(replicas - 1)
    return NewTopic(spec.name, spec.partitions, replicas, topic_configs=config)


def _refused(name: str, code: int, message: Sequence[str | None]) -> str:
    text = next((part for part in message if part), for_code(code).__name__)
    return f"Kafka: topic {name} was not created: {text}: check the broker's policy and rights"


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """By topic the number of partitions that have a leader, 0 while it has none at all."""
    return {
        topic["topic"]: sum(partition["leader"] >= 0 for partition in topic["partitions"])
        for topic in await admin.describe_topics()
        if topic["error_code"] == 0
    }


async def _visible(admin: AIOKafkaAdminClient, wanted: Sequence[TopicSpec]) -> None:
    async with asyncio.timeout(_VISIBLE_SECONDS):
        while True:
            found = await _partitions(admin)
            if all(found.get(spec.name) for spec in wanted):
                return
            await asyncio.sleep(0.05)


async def _configs(
    admin: AIOKafkaAdminClient, names: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    if not names:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, Mapping[str, str]] = {}
    for answer in await admin.describe_configs(asked):
        for code, message, _, name, entries in answer.resources:
            if code:
                raise KafkaError(f"topic {name}: {message or for_code(code).__name__}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _compare(spec: TopicSpec, partitions: int, config: Mapping[str, Any]) -> list[Difference]:
    differences: list[Difference] = []

    def differs(what: str, found: object, wanted: object, remedy: str, *, fatal: bool) -> None:
        differences.append(Difference(spec.name, what, str(found), str(wanted), remedy, fatal))

    if partitions != spec.partitions and not spec.foreign:
        remedy = (
            f"set PIPELINE_PARTITIONS={partitions}: the number is fixed once records are there"
            if spec.fixed
            else "leave it, or move to a new topic: keys would change places"
        )
        differs("partitions", partitions, spec.partitions, remedy, fatal=spec.fixed)
    for name, wanted in spec.config.items():
        found = config.get(name)
        if _satisfies(name, found, wanted):
            continue
        if spec.foreign and name != "cleanup.policy":
            continue
        fatal = name in {"cleanup.policy", "message.timestamp.type"}
        remedy = f"kafka-configs --alter --topic {spec.name} --add-config {name}={wanted}"
        differs(name, found, wanted, remedy, fatal=fatal)
    return differences


def _satisfies(name: str, found: str | None, wanted: str) -> bool:
    """Retention and size may be larger than asked for."""
    if found is None or name not in {"retention.ms", "max.message.bytes"}:
        return found == wanted
    if found == _FOR_EVER:
        return True
    return wanted != _FOR_EVER and int(found) >= int(wanted)
