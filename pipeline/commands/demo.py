"""`pipeline demo`: the main job on sample data, the real parts, in under a minute."""

import asyncio
import time
from dataclasses import replace
from typing import Any, Final

import click
import orjson
from rich.console import Console

from pipeline.commands.common import CHECK_FAILED, Failure, run, settings
from pipeline.commands.demo_tables import show
from pipeline.commands.sample import FOLDER, due_samples, read_samples
from pipeline.commands.system import System, check_alive, system
from pipeline.commands.tables import console, line
from pipeline.domain.times import MINUTE
from pipeline.names import Names
from pipeline.settings import Settings

PARTITIONS: Final = 8
"""Enough to show that entities are spread; few, so that the demo starts quickly."""
WORKERS: Final = 2
LOOK_SECONDS: Final = 0.25
TELL_SECONDS: Final = 3.0
PATIENCE_SECONDS: Final = 60.0


@click.command("demo")
@click.option("--json", "as_json", is_flag=True, help="What came out, one JSON value a line.")
def command(*, as_json: bool) -> None:
    """The main job on the sample data: starts what is missing, shows what came of it, stops."""
    run(_demo(as_json=as_json))


async def _demo(*, as_json: bool) -> None:
    screen = console(stderr=as_json)
    begun = time.monotonic()

    def say(text: str) -> None:
        line(screen, f"{time.monotonic() - begun:5.1f} s  {text}")

    async with system(
        _settings(),
        rulebook=FOLDER / "rulebook",
        workers=WORKERS,
        data=None,
        say=say,
    ) as running:
        await _send(running, say)
        await _wait(running, say)
        records = await _collect(running)
        say("stopping")
    if as_json:
        for topic, values in records.items():
            for value in values:
                click.echo(orjson.dumps({"topic": topic, "value": value}))
        return
    _tell(screen, records, time.monotonic() - begun)


def _tell(screen: Console, records: dict[str, list[Any]], seconds: float) -> None:
    show(screen, records)
    line(screen, "")
    line(
        screen, f"done in {seconds:.1f} s. Events: schemas/examples/events.jsonl, rules beside it."
    )
    line(screen, "Next: `pipeline up` keeps it running; README says how to write a journey.")


def _settings() -> Settings:
    """On a given broker the demo has names of its own and leaves others' topics alone."""
    found = replace(settings(), partitions=PARTITIONS)
    if found.kafka.servers or found.redis_url:
        prefix = f"{found.names.prefix}demo-{time.monotonic_ns():x}-"
        return replace(found, names=Names(prefix))
    return found


async def _send(running: System, say: Any) -> None:
    samples = read_samples()
    pause = sum(sample.pause_seconds for sample in samples)
    say(f"sending {len(samples)} records to {running.settings.names.raw} (over {pause:.0f} s)")
    publisher = running.reach.publisher
    clock = running.reach.clock
    told = time.monotonic()
    sending = due_samples(samples, running.settings.names.raw, clock.now)
    task = asyncio.create_task(_publish(sending, publisher))
    while not task.done():
        await asyncio.wait({task}, timeout=LOOK_SECONDS)
        check_alive(running)
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            say(f"deadlines pass: {await _decided(running)} waits decided so far")
    await task


async def _decided(running: System) -> int:
    decisions = running.reach.reader.read(running.settings.names.decisions)
    return len([decision async for decision in decisions])


async def _publish(sending: Any, publisher: Any) -> None:
    async for entry in sending:
        await publisher.publish([entry])


async def _wait(running: System, say: Any) -> None:
    """Until everything is taken and nothing is due within the next minute."""
    say("waiting until every wait is decided")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        check_alive(running)
        if await _settled(running):
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise Failure("the demo did not come to its end within a minute", CHECK_FAILED)


async def _settled(running: System) -> bool:
    log = running.log
    normalized = await log.normalized()
    if any(normalized.get(place, 0) < end for place, end in (await log.raw_ends()).items()):
        return False
    ends = await log.event_ends()
    progress = await running.reach.store.progress(range(running.settings.partitions))
    soon = running.reach.clock.now() + MINUTE
    return all(
        at.watermark.offset >= ends.get(number, 0)
        and at.unpublished is None
        and (at.due is None or at.due > soon)
        for number, at in progress.items()
    )


async def _collect(running: System) -> dict[str, list[Any]]:
    """What stands in the outward topics; waits until what is committed is published, too."""
    names, reader = running.settings.names, running.reach.reader
    store = running.reach.store
    numbers = range(running.settings.partitions)
    for _ in range(40):
        left = [await store.outbox(n, internal=False, after=None, limit=1) for n in numbers]
        if not any(left):
            break
        await asyncio.sleep(LOOK_SECONDS)
    records: dict[str, list[Any]] = {}
    for topic in ("journey.triggers", "journey.decisions", "consent.evidence", "segment.outbound"):
        records[topic] = [
            orjson.loads(kept.value) async for kept in reader.read(names.of(topic)) if kept.value
        ]
    for topic in ("contacts", "optins"):
        latest: dict[bytes | None, bytes | None] = {}
        async for kept in reader.read(names.of(topic)):
            latest[kept.key] = kept.value
        records[topic] = [orjson.loads(value) for value in latest.values() if value]
    records["segment.dead-letter"] = [
        {name: value.decode() for name, value in kept.headers}
        async for kept in reader.read(names.dead_letters)
    ]
    return records
