"""What `doctor` looks at in the brokers' settings: whether what is acknowledged stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pipeline.adapters.kafka_client import client_args, translated
from pipeline.adapters.kafka_guard import KafkaGuardLog
from pipeline.adapters.kafka_transactions import TRANSACTION_SECONDS
from pipeline.adapters.topics import specs
from pipeline.commands.doctor_redis import Finding
from pipeline.commands.reach import Reach
from pipeline.commands.tables import count_of
from pipeline.process.belonging import Refused, same
from pipeline.rulebook.steps import afters
from pipeline.settings import Settings
from pipeline.wire.state import VERSION, Identity, UnreadableState, decode_identity

SAFE_REPLICAS: Final = 3
RENEWED_MINUTES: Final = 24 * 60
"""The relays write their places again once a day."""
_MINUTE: Final = 60_000
_DAY: Final = 24 * 60 * _MINUTE
_INTERNAL: Final = ("__consumer_offsets", "__transaction_state")
_LOST: Final = "what was acknowledged can be lost: opt-outs, cancels and triggers with it"
_TWICE: Final = "the places of the relays can be lost: what was published is published again"


@dataclass(frozen=True, slots=True)
class Durability:
    """What the brokers say of themselves. `replicas`: the fewest of any partition, by topic."""

    brokers: int
    replicas: Mapping[str, int]
    topics: Mapping[str, Mapping[str, str]]
    broker: Mapping[str, str]


async def look(settings: Settings) -> Durability:
    """Ask the brokers. Raises `LogUnavailable`."""
    names = [spec.name for spec in specs(settings.names, settings.partitions)]
    admin = AIOKafkaAdminClient(**client_args(settings.kafka))
    with translated("reading the brokers' settings"):
        try:
            await admin.start()
            brokers = (await admin.describe_cluster())["brokers"]
            topics = await admin.describe_topics()
            there = {topic["topic"] for topic in topics}
            asked = [ConfigResource(ConfigResourceType.TOPIC, n) for n in names if n in there]
            asked.append(ConfigResource(ConfigResourceType.BROKER, str(brokers[0]["node_id"])))
            configs = _configs(await admin.describe_configs(asked))
        finally:
            await admin.close()
    wanted = {*names, *_INTERNAL}
    replicas = {
        topic["topic"]: min(len(each["replicas"]) for each in topic["partitions"])
        for topic in topics
        if topic["topic"] in wanted and topic["partitions"]
    }
    broker = configs.pop(str(brokers[0]["node_id"]), {})
    return Durability(len(brokers), replicas, configs, broker)


def _configs(answers: Sequence[Any]) -> dict[str, Mapping[str, str]]:
    """Those that may be seen; a broker's settings need a right of their own."""
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for code, _, _, name, entries in answer.resources
        if not code
    }


def judge(found: Durability) -> list[Finding]:
    """What of it endangers the promises."""
    return [*_replicas(found), *_topics(found), *_broker(found.broker)]


def _replicas(found: Durability) -> list[Finding]:
    if found.brokers < SAFE_REPLICAS:
        text = f"{count_of(found.brokers, 'broker')}: records have no {SAFE_REPLICAS} replicas"
        return [Finding("warn", text, f"run {SAFE_REPLICAS} brokers or more", breaks=_LOST)]
    few = {name: count for name, count in found.replicas.items() if count < SAFE_REPLICAS}
    return [
        Finding(
            "warn",
            f"topic {name} has {count_of(count, 'replica')}",
            "raise it with kafka-reassign-partitions",
            breaks=_TWICE if name in _INTERNAL else _LOST,
        )
        for name, count in few.items()
    ] or [Finding("ok", f"every topic has {SAFE_REPLICAS} replicas or more")]


def _topics(found: Durability) -> list[Finding]:
    findings: list[Finding] = []
    for name, config in found.topics.items():
        replicas, least = found.replicas.get(name, 1), int(config.get("min.insync.replicas", 1))
        alter = f"kafka-configs --alter --topic {name} --add-config"
        if config.get("unclean.leader.election.enable") == "true":
            text = f"topic {name}: unclean.leader.election.enable is true"
            remedy = f"{alter} unclean.leader.election.enable=false"
            findings.append(
                Finding("fatal" if replicas > 1 else "warn", text, remedy, breaks=_LOST)
            )
        if replicas > 1 and least < 2:  # noqa: PLR2004
            text = f"topic {name}: min.insync.replicas is {least}"
            remedy = f"{alter} min.insync.replicas={replicas - 1}"
            findings.append(Finding("warn", text, remedy, breaks=_LOST))
        if replicas > 1 and least >= replicas:
            text = f"topic {name}: min.insync.replicas is {least} of {replicas}"
            breaks = "nothing can be written while one broker is down"
            remedy = f"{alter} min.insync.replicas={replicas - 1}"
            findings.append(Finding("warn", text, remedy, breaks=breaks))
    return findings or [Finding("ok", "no unclean elections, and enough replicas in sync")]


def _broker(config: Mapping[str, str]) -> list[Finding]:
    findings: list[Finding] = []
    minutes = int(config.get("offsets.retention.minutes") or 0)
    if not config:
        text = "the brokers do not tell their settings (DescribeConfigs on the cluster)"
        remedy = "see that offsets.retention.minutes is 10080 or more"
        findings.append(Finding("warn", text, remedy, breaks=_TWICE))
    elif minutes < 2 * RENEWED_MINUTES:
        text = f"offsets.retention.minutes is {minutes}; the relays renew their places once a day"
        findings.append(Finding("fatal", text, "make it 10080 or more", breaks=_TWICE))
    else:
        text = f"workers may be down for {minutes / RENEWED_MINUTES - 1:.0f} days before Kafka"
        findings.append(Finding("ok", f"{text} forgets what was published"))
    longest = int(config.get("transaction.max.timeout.ms") or 0)
    if config and longest < TRANSACTION_SECONDS * 1000:
        text = f"transaction.max.timeout.ms is {longest}"
        breaks = "the relays can't open their producers: no trigger goes out"
        findings.append(Finding("fatal", text, "make it 10000 or more", breaks=breaks))
    return findings


async def durability(settings: Settings) -> list[Finding]:
    """Replicas, elections, and how long offsets are kept."""
    return judge(await look(settings))


async def retention(pipeline: Reach, now: int) -> list[Finding]:
    """What the log must still hold: all that was not taken, and what a lost Redis is made of."""
    events = pipeline.settings.names.events
    config = (await look(pipeline.settings)).topics.get(events, {})
    kept = int(config.get("retention.ms", -1))
    findings: list[Finding] = []
    if int(config.get("retention.bytes", -1)) >= 0:
        findings.append(
            Finding(
                "warn",
                f"topic {events}: retention.bytes is {config['retention.bytes']}",
                f"kafka-configs --alter --topic {events} --add-config retention.bytes=-1",
                breaks="a burst deletes records that were not taken yet; a worker then halts",
            )
        )
    if kept < 0:
        return [*findings, Finding("ok", f"{events} keeps everything: Redis can be built again")]
    findings.append(await _unread(pipeline, kept, now))
    longest = _longest_wait((await pipeline.in_force()).document)
    text = f"{events} keeps {kept / _DAY:.0f} days"
    if longest > kept:
        breaks = "of a Redis that is built again, waits that began before the log does are gone"
        found = f"{text}, the longest wait takes {longest / _DAY:.0f}"
        findings.append(Finding("warn", found, f"make it {longest} ms or more", breaks=breaks))
    elif any((await pipeline.reader.starts(events, range(pipeline.settings.partitions))).values()):
        breaks = (
            "a lost Redis needs a backup no older than that; --rebuild alone would miss the rest"
        )
        findings.append(Finding("ok", f"{text} and has deleted what is older", breaks=breaks))
    else:
        findings.append(Finding("ok", f"{text} and still begins at its start"))
    return findings


async def _unread(pipeline: Reach, kept: int, now: int) -> Finding:
    """How old the oldest record is that no state has taken."""
    events = pipeline.settings.names.events
    ends = await pipeline.reader.ends(events)
    oldest = now
    for number, progress in (await pipeline.store.progress(ends)).items():
        if progress.watermark.offset < ends[number]:
            record = await pipeline.reader.at(events, number, progress.watermark.offset)
            oldest = min(oldest, record.timestamp if record else now)
    age = now - oldest
    text = f"the oldest record that was not taken is {age / _MINUTE:.0f} minutes old"
    if age > kept // 2:
        breaks = f"retention ({kept / _DAY:.1f} days) deletes it unread; the worker then halts"
        return Finding("fatal", text, "start workers, or raise retention.ms", breaks=breaks)
    return Finding("ok", text)


def _longest_wait(document: Mapping[str, Any]) -> int:
    journeys = document.get("journeys", [])
    return max((max(afters(step)) for made in journeys for step in made["steps"]), default=0)


async def belonging(pipeline: Reach) -> list[Finding]:
    """Whether a worker would begin: Redis holds the state of this log."""
    settings = pipeline.settings
    names, partitions = settings.names, settings.partitions
    log = KafkaGuardLog(settings.kafka, names, partitions, pipeline.connection)
    value = await pipeline.store.identity()
    if value is None:
        return [Finding("ok", "no worker has begun with this Redis yet")]
    cluster, topic = await log.source()
    mine = Identity(VERSION, "", names.events, partitions, cluster, topic, ())
    try:
        known = decode_identity(value)
        same(known, mine)
    except (Refused, UnreadableState) as error:
        return [Finding("fatal", str(error), breaks="workers refuse to begin")]
    return [Finding("ok", f"Redis holds the state of this log (instance {known.instance})")]
