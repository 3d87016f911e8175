"""A real Redis for the tests marked `redis` and a broker for those marked `kafka`."""

import asyncio
import os
import uuid
from collections.abc import Iterator

import pytest

from pipeline.local import LocalError, Redis, parts
from pipeline.names import Names


@pytest.fixture
def names() -> Names:
    """Names of a test's own on shared servers."""
    return Names(f"t{uuid.uuid4().hex[:10]}.")


@pytest.fixture(scope="session")
def redis_part() -> Iterator[Redis]:
    """A Redis that is shared."""
    with asyncio.Runner() as runner:
        part = Redis()
        try:
            runner.run(part.start())
        except LocalError as error:
            pytest.skip(str(error))
        yield part
        runner.run(part.close())


@pytest.fixture(scope="session")
def servers() -> Iterator[str]:
    """Bootstrap servers of a broker with transactions."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    running = parts(bootstrap_servers=given, redis_url="redis://unused")
    with asyncio.Runner() as runner:
        try:
            addresses = runner.run(running.__aenter__())
        except LocalError as error:
            pytest.skip(str(error))
        if addresses.transactions:
            yield addresses.bootstrap_servers
        runner.run(running.__aexit__(None, None, None))
        if not addresses.transactions:
            pytest.skip("only a stand-in for Kafka on this machine")
