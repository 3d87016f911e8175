"""The Redis that is started: settings, restart, kill, a folder that is kept or in use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio

from pipeline.local import LocalError, Redis
from pipeline.local.ports import is_open

pytestmark = pytest.mark.redis


@asynccontextmanager
async def client(part: Redis) -> AsyncIterator[redis.asyncio.Redis]:
    connection = redis.asyncio.Redis.from_url(part.address, decode_responses=True)
    try:
        yield connection
    finally:
        await connection.aclose()


async def test_acknowledged_writes_survive_restart_and_kill_on_the_same_port() -> None:
    async with Redis() as part:
        address = part.address
        async with client(part) as connection:
            await connection.set("a", "1")
        await part.restart()
        async with client(part) as connection:
            assert await connection.get("a") == "1"
            await connection.set("b", "2")
        part.kill()
        assert not is_open(part.port)
        await part.start()
        async with client(part) as connection:
            assert await connection.mget("a", "b") == ["1", "2"]
        assert part.address == address
        home = part.home
    assert not is_open(part.port)
    assert not home.exists()


async def test_it_is_durable_and_never_evicts() -> None:
    async with Redis() as part, client(part) as connection:
        for name, value in [
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("maxmemory-policy", "noeviction"),
            ("bind", "127.0.0.1"),
        ]:
            assert (await connection.config_get(name))[name] == value


async def test_a_kept_folder_has_data_and_port_on_the_next_run(tmp_path: Path) -> None:
    async with Redis(tmp_path / "redis") as first, client(first) as connection:
        await connection.set("a", "1")
    async with Redis(tmp_path / "redis") as second, client(second) as connection:
        assert await connection.get("a") == "1"
        assert second.port == first.port


async def test_a_second_one_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with Redis(tmp_path) as first:
        with pytest.raises(LocalError, match=f"{tmp_path} is in use") as refused:
            await Redis(tmp_path).start()
        assert "\n" not in str(refused.value)
        async with client(first) as connection:
            assert await connection.ping()


async def test_one_that_ends_while_starting_says_why_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Redis(tmp_path)
    command = await part.command()

    async def wrong() -> list[str]:
        return [*command, "--maxmemory-policy", "sometimes"]

    monkeypatch.setattr(part, "command", wrong)
    with pytest.raises(LocalError, match="Redis ended while starting: ") as said:
        await part.start()
    assert "\n" not in str(said.value)
