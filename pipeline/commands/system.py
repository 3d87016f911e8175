"""The whole system on this machine: parts that are missing, topics, a rulebook, workers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipeline.adapters.kafka_log import KafkaLog
from pipeline.adapters.topics import Topics, specs
from pipeline.commands.common import CHECK_FAILED, Failure
from pipeline.commands.reach import Reach, reach
from pipeline.local import Addresses, parts
from pipeline.local.part import last_words
from pipeline.local.worker import Worker
from pipeline.process.rulebook_change import apply_rulebook
from pipeline.rulebook.load import Document, document_digest, load_document
from pipeline.settings import Settings

Say = Callable[[str], None]

NO_TRANSACTIONS: Final = (
    "this broker has no transactions: triggers are published at least once, not exactly once"
)


@dataclass(frozen=True, slots=True)
class System:
    """What runs, and where."""

    settings: Settings
    addresses: Addresses
    reach: Reach
    log: KafkaLog
    workers: list[Worker]

    def fallen(self) -> str | None:
        """A worker that ended by itself: its last words."""
        gone = next((worker for worker in self.workers if not worker.running()), None)
        return None if gone is None else last_words(gone.log)


@asynccontextmanager
async def system(
    settings: Settings,
    *,
    rulebook: Path,
    workers: int,
    data: Path | None,
    say: Say,
    ports: Callable[[int], int | None] = lambda _: None,
) -> AsyncIterator[System]:
    """Run everything until the block ends; what this started is stopped, also after a failure.

    `ports` gives a worker's HTTP port by its number; None: a free one.
    """
    document = load_document(rulebook)
    async with AsyncExitStack() as stack:
        given = (settings.kafka.servers, settings.redis_url)
        what = [name for name, value in zip(("broker", "Redis"), given, strict=True) if not value]
        if what:
            say(f"starting {' and '.join(what)}")
        addresses = await stack.enter_async_context(
            parts(
                bootstrap_servers=settings.kafka.servers,
                redis_url=settings.redis_url,
                data=data,
                say=say,
            )
        )
        found = _with(settings, addresses, say)
        say("creating topics")
        await Topics(found.kafka).create(specs(found.names, found.partitions))
        opened = await stack.enter_async_context(reach(found))
        log = await opened.log()
        await _enforce(opened, log, document, say)
        say(f"starting {workers} worker{'s' if workers > 1 else ''}")
        started = [
            Worker(_environment(found), port=ports(number), say=say) for number in range(workers)
        ]
        try:
            async with asyncio.TaskGroup() as group:
                for worker in started:
                    group.create_task(stack.enter_async_context(worker))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        yield System(found, addresses, opened, log, started)


def _with(settings: Settings, addresses: Addresses, say: Say) -> Settings:
    found = replace(
        settings,
        kafka=replace(settings.kafka, servers=addresses.bootstrap_servers),
        redis_url=addresses.redis_url,
    )
    if addresses.transactions or settings.delivery == "at-least-once":
        return found
    say(NO_TRANSACTIONS)
    return replace(found, delivery="at-least-once")


async def _enforce(opened: Reach, log: KafkaLog, document: Document, say: Say) -> None:
    digest = document_digest(document)
    if (await opened.in_force()).digest != digest:
        say("putting the rulebook in force")
        await apply_rulebook(document, digest, log, opened.settings.partitions)


def _environment(settings: Settings) -> dict[str, str]:
    """What a worker must know beside the environment that it inherits."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka.servers or "",
        "REDIS_URL": settings.redis_url or "",
        "PIPELINE_PARTITIONS": str(settings.partitions),
        "PIPELINE_PREFIX": settings.names.prefix,
        "PIPELINE_DELIVERY": settings.delivery,
    }


def check_alive(running: System) -> None:
    """Raises where a worker has ended by itself."""
    words = running.fallen()
    if words is not None:
        raise Failure(f"a worker ended: {words}", CHECK_FAILED)
