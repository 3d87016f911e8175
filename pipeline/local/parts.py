"""Starts what is not given: a broker by the best way this machine has, and Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.local.docker import DockerKafka
from pipeline.local.errors import LocalError, MissingError
from pipeline.local.kafka import Broker, Kafka
from pipeline.local.part import Part, Say, quiet
from pipeline.local.redis import Redis
from pipeline.local.standin import StandIn

AnyPart = TypeVar("AnyPart", bound=Part)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts are. `broker_kind` is given, docker, java or stand-in."""

    bootstrap_servers: str
    redis_url: str
    broker_kind: str
    transactions: bool


@asynccontextmanager
async def parts(
    *,
    bootstrap_servers: str | None,
    redis_url: str | None,
    data: Path | None = None,
    say: Say = quiet,
) -> AsyncIterator[Addresses]:
    """Runs the parts that are not given until the block ends; `data` keeps their state.

    A given address is passed on as it is: whether it answers is for its user to find out.
    """
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.TaskGroup() as starting:
                broker = bootstrap_servers or starting.create_task(
                    start_broker(stack, data and data / "kafka", say)
                )
                redis = redis_url or starting.create_task(
                    _start(stack, Redis(data and data / "redis", say))
                )
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        yield _addresses(
            broker if isinstance(broker, str) else broker.result(),
            redis if isinstance(redis, str) else redis.result(),
        )


def _addresses(broker: str | Broker, redis: str | Redis) -> Addresses:
    return Addresses(
        bootstrap_servers=broker if isinstance(broker, str) else broker.address,
        redis_url=redis if isinstance(redis, str) else redis.address,
        broker_kind="given" if isinstance(broker, str) else broker.kind,
        transactions=isinstance(broker, str) or broker.transactions,
    )


async def start_broker(stack: AsyncExitStack, home: Path | None = None, say: Say = quiet) -> Broker:
    """Starts a broker by the first way that this machine has: Docker, Java, the stand-in."""
    missing: list[str] = []
    for way in (DockerKafka, Kafka, StandIn):
        broker: Broker = way(home, say)
        try:
            await _start(stack, broker)
        except MissingError as error:
            missing.append(str(error))
            continue
        if not broker.transactions:
            say(
                f"no Docker or Java 17 with Maven ({'; '.join(missing)}): using a stand-in for"
                " Kafka, in memory and without transactions, so at least once; for a demo only"
            )
        return broker
    raise LocalError(
        "no Kafka: set KAFKA_BOOTSTRAP_SERVERS, or install Docker, or Java 17 and Maven"
        f" ({'; '.join(missing)})"
    )


async def _start(stack: AsyncExitStack, part: AnyPart) -> AnyPart:
    stack.push_async_callback(part.close)
    await part.start()
    return part
