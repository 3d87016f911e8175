"""A real broker for the tests marked `kafka`."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.worker.worker_log import Log


@pytest.fixture(scope="session")
def servers() -> Iterator[str]:
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    from pipeline.local import start_broker

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            broker = runner.run(start_broker(stack))
            if not broker.transactions:
                pytest.skip("needs a Kafka broker: Docker, or Java 17 and Maven")
            yield broker.address
        finally:
            runner.run(stack.aclose())


@pytest_asyncio.fixture
async def log(servers: str) -> Log:
    log = Log(servers)
    await log.create()
    return log
