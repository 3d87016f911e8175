"""Commands called as a shell calls them, and servers for those marked `kafka`."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main
from pipeline.local import LocalError, parts
from tests.commands.remembered import Remembered
from tests.commands.running import Running, Told

REPOSITORY = Path(__file__).parents[2]
Call = Callable[..., Told]
Fill = Callable[[Remembered], Coroutine[Any, Any, None]]
Ask = Callable[..., Told]
"""Of how to fill a past, then the words of a command."""
Recall = Callable[..., Told]
"""Of a rulebook's document, then as `Ask`."""
IN_MEMORY = {"KAFKA_BOOTSTRAP_SERVERS": "memory:9092", "REDIS_URL": "redis://memory"}


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls `pipeline` with these words; keyword arguments are the environment."""
    for name in os.environ:
        if name.startswith(("PIPELINE_", "KAFKA_", "REDIS_")):
            monkeypatch.delenv(name)

    def calls(*words: object, **environ: str) -> Told:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["pipeline", *map(str, words)])
        capsys.readouterr()
        status: object = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        said = capsys.readouterr()
        return Told(status if isinstance(status, int) else 0, said.out, said.err)

    return calls


@pytest.fixture
def recall(call: Call, monkeypatch: pytest.MonkeyPatch) -> Recall:
    """Fills a past in memory under a rulebook, then calls `pipeline` against it."""

    def recalls(document: dict[str, Any], fill: Fill, *words: object) -> Told:
        past = Remembered()

        @asynccontextmanager
        async def reach(_: object) -> AsyncIterator[Remembered]:
            yield past

        async def filled() -> None:
            await past.enforce(document, "2026-03-01T00:00:00Z")
            await fill(past)

        asyncio.run(filled())
        monkeypatch.setattr("pipeline.commands.reach.reach", reach)
        return call(*words, **IN_MEMORY)

    return recalls


@pytest.fixture
def sample() -> Path:
    """The sample rulebook."""
    return REPOSITORY / "deploy" / "rulebook"


@pytest.fixture(scope="session")
def addresses() -> Iterator[tuple[str, str]]:
    """A broker and a Redis that all tests share."""
    running = parts(
        bootstrap_servers=os.environ.get("KAFKA_BOOTSTRAP_SERVERS"),
        redis_url=os.environ.get("REDIS_URL"),
    )
    with asyncio.Runner() as runner:
        try:
            found = runner.run(running.__aenter__())
        except LocalError as error:
            pytest.skip(str(error))
        if found.transactions:
            yield found.bootstrap_servers, found.redis_url
        runner.run(running.__aexit__(None, None, None))
        if not found.transactions:
            pytest.skip("only a stand-in for Kafka on this machine")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """The loop in which a module's pipeline lives; commands have their own."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def running(addresses: tuple[str, str], runner: asyncio.Runner) -> Iterator[Running]:
    """A pipeline of a module's own, topics created, nothing in it."""
    made = Running(*addresses, prefix=f"c{uuid.uuid4().hex[:8]}.")
    runner.run(made.start())
    yield made
    runner.run(made.close())


@pytest.fixture
def ask(call: Call, running: Running) -> Call:
    """Calls `pipeline` against the module's pipeline."""

    def asks(*words: object) -> Told:
        return call(*words, **running.environ)

    return asks
