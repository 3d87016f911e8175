"""What `doctor` looks at in Kafka and in the state, one function each."""

import asyncio
from collections.abc import Iterator
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

from pipeline.adapters.kafka_client import abandon, client_args, stop
from pipeline.adapters.kafka_connection import Connection
from pipeline.adapters.kafka_offsets import GroupOffsets
from pipeline.adapters.topics import Topics, specs
from pipeline.commands.doctor_redis import CLOCK_MS, Finding
from pipeline.commands.reach import Reach
from pipeline.commands.tables import count_of, shown
from pipeline.ports import LogUnavailable
from pipeline.process.rulebook_change import InForce, in_force
from pipeline.rulebook.changes import journeys_of
from pipeline.settings import Settings

_SECONDS: Final = 15.0
_BREAKS: Final = {
    "topic": "nothing can be read or written",
    "partitions": "records go where their entity's state is not, or the order by key is lost",
    "cleanup.policy": "records that are still needed are deleted, or old ones stay for ever",
    "message.timestamp.type": "log time would be what producers claim",
    "retention.ms": "an old Redis, or a slow consumer, finds that what comes next is gone",
    "max.message.bytes": "large records are refused and the workers stop at them",
}
"""By setting of a topic."""


async def broker(settings: Settings) -> list[Finding]:
    """Whether brokers answer, and can do what the delivery mode needs."""
    servers = settings.kafka.servers
    connection = Connection(settings.kafka)
    try:
        async with asyncio.timeout(_SECONDS):
            client = await connection.client()
            count = len(client.cluster.brokers())
    except (KafkaError, OSError, TimeoutError) as error:
        why = (
            ""
            if isinstance(error, KafkaConnectionError)
            else f": {str(error) or type(error).__name__}"
        )
        text = f"no broker answers at {servers}{why}"
        remedy = "check that it runs, KAFKA_BOOTSTRAP_SERVERS, KAFKA_SECURITY_PROTOCOL and SASL"
        return [Finding("fatal", text, remedy, unreachable=True)]
    else:
        findings = [Finding("ok", f"{count_of(count, 'broker')} at {servers}")]
        findings.append(await _stable_offsets(settings, connection))
    finally:
        await connection.close()
    findings.append(await _delivery(settings))
    return findings


async def _stable_offsets(settings: Settings, connection: Connection) -> Finding:
    offsets = GroupOffsets(connection, patience=_SECONDS)
    names = settings.names
    try:
        await offsets.committed(names.relay_group, names.events, [0])
    except LogUnavailable as error:
        return Finding("fatal", str(error), "use Kafka 2.5 or later, or another compatible broker")
    return Finding("ok", "the broker tells stable group offsets (Kafka 2.5 or later)")


async def _delivery(settings: Settings) -> Finding:
    """Starts and ends a transaction of its own: what a broker says it can is not what it can."""
    if settings.delivery == "at-least-once":
        text = "delivery is at-least-once"
        breaks = "after a crash some triggers come twice"
        remedy = "set PIPELINE_DELIVERY=exactly-once if the broker can"
        return Finding("warn", text, remedy, breaks=breaks)
    producer = AIOKafkaProducer(
        **client_args(settings.kafka),
        transactional_id=settings.names.of("doctor"),
        request_timeout_ms=5_000,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            await producer.start()
            await producer.begin_transaction()
            await producer.abort_transaction()
        await stop(producer)
    except (KafkaError, OSError, TimeoutError, AssertionError) as error:
        await abandon(producer)
        text = f"the broker can't do transactions: {str(error) or type(error).__name__}"
        remedy = "use another broker, or set PIPELINE_DELIVERY=at-least-once"
        return Finding("fatal", text, remedy, breaks="no trigger can be published exactly once")
    return Finding("ok", "delivery is exactly-once: the broker does transactions")


async def topics(settings: Settings) -> list[Finding]:
    """What differs from what topics must be."""
    wanted = specs(settings.names, settings.partitions)
    differences = await Topics(settings.kafka).check(wanted)
    if not differences:
        return [Finding("ok", f"all {len(wanted)} topics are as they must be")]
    return [
        Finding(
            "fatal" if each.fatal else "warn",
            f"topic {each.topic}: {each.what} is {each.found}, not {each.wanted}",
            each.remedy,
            breaks=_BREAKS.get(each.what, ""),
        )
        for each in differences
    ]


async def state(pipeline: Reach) -> list[Finding]:
    """Watermarks and log belong together, and one rulebook is in force."""
    events = pipeline.settings.names.events
    ends = await pipeline.reader.ends(events)
    starts = await pipeline.reader.starts(events, list(ends))
    progress = await pipeline.store.progress(ends)
    marks = {number: at.watermark.offset for number, at in progress.items()}
    beyond = [number for number, mark in marks.items() if mark > ends[number]]
    lost = [n for n, mark in marks.items() if mark < starts[n] and starts[n] > 0]
    behind = sum(ends[n] - mark for n, mark in marks.items() if mark <= ends[n])
    if beyond:
        text = f"Redis is ahead of the log in partitions {beyond}: the topic was made anew"
        remedy = "restore the topic, or empty this prefix's keys in Redis and begin again"
        return [Finding("fatal", text, remedy, breaks="new records are skipped")]
    findings = [Finding("ok", f"state is within the log, {behind:,} records behind its end")]
    if lost:
        text = f"the log begins after where the state stands in partitions {lost}"
        remedy = "restore a newer backup of Redis; records in between are gone by retention"
        findings = [Finding("fatal", text, remedy, breaks="they were never taken into account")]
    now = await in_force(pipeline.store, len(ends))
    return [*findings, _rulebook(now), *_paused(now)]


def _rulebook(now: InForce) -> Finding:
    if now.digest is None and not now.differing():
        remedy = "run `pipeline apply RULEBOOK`"
        return Finding("warn", "no rulebook is in force", remedy, breaks="no journey begins")
    if differing := now.differing():
        text = f"partitions {differing} have another rulebook in force than partition 0"
        remedy = "see that all partitions have a worker, or apply it again"
        return Finding("warn", text, remedy, breaks="people are treated by different rules")
    count = len(now.document.get("journeys", []))
    return Finding("ok", f"rulebook {(now.digest or '')[:12]} is in force: {count} journeys")


def _paused(now: InForce) -> Iterator[Finding]:
    """An emergency that nobody ended: what comes due in it expires."""
    for name, made in journeys_of(now.document).items():
        if made.get("status") == "paused":
            remedy = "end it with `pipeline resume JOURNEY` once the reason is gone"
            yield Finding("warn", f"{shown(name)} is paused", remedy, breaks="nothing of it fires")


async def broker_clock(pipeline: Reach, now: int) -> list[Finding]:
    """The newest append times can't be later than now."""
    events = pipeline.settings.names.events
    newest = 0
    for number, end in (await pipeline.reader.ends(events)).items():
        kept = await pipeline.reader.at(events, number, end - 1)
        newest = max(newest, kept.timestamp if kept else 0)
    if newest - now > CLOCK_MS:
        text = f"the broker's clock is at least {(newest - now) / 1000:.1f} s ahead of this one"
        remedy = "keep both machines' time by NTP: it is the log's time"
        return [Finding("warn", text, remedy, breaks="deadlines come early or late")]
    return []
