"""A broker and a Redis of this folder's own: its tests stop and kill them."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from pipeline.local import Kafka, LocalError, Redis
from tests.e2e.harness import Stage
from tests.e2e.quiet import Quiet, quiet_run


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One start for all tests; each has a prefix of its own."""
    folder: Path = tmp_path_factory.mktemp("stage")
    made = Stage(Kafka(folder / "kafka"), Redis(folder / "redis"))
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def start() -> None:
            for part in (made.kafka, made.redis):
                stack.push_async_callback(part.close)
                await part.start()

        try:
            runner.run(start())
        except LocalError as error:
            runner.run(stack.aclose())
            pytest.skip(str(error))
        yield made
        made.kafka.kill()  # nobody needs its data: no orderly end
        runner.run(stack.aclose())


@pytest.fixture(scope="session")
def quiet(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Quiet:
    """A run without any fault, which several tests look at."""
    with asyncio.Runner() as runner:
        return runner.run(quiet_run(stage, tmp_path_factory.mktemp("quiet")))
