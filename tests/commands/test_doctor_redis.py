"""What `doctor` says about a Redis that would lose state."""

import asyncio

import pytest

from pipeline.adapters.redis_client import connect
from pipeline.commands.doctor_redis import Finding, redis
from pipeline.settings import Settings
from tests.commands.running import now
from tests.redis_cluster import Cluster

pytestmark = pytest.mark.kafka

SOUND = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "always"}


def findings(url: str, at: int, **config: str) -> list[Finding]:
    async def look() -> list[Finding]:
        client = connect(url)
        try:
            for name, value in config.items():
                await client.config_set(name.replace("_", "-"), value)
            return await redis(Settings(redis_url=url), at)
        finally:
            for name, value in SOUND.items():
                await client.config_set(name, value)
            await client.aclose()

    return asyncio.run(look())


@pytest.mark.parametrize(
    ("config", "level", "said"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "fatal", "may drop state when memory is short"),
        ({"appendonly": "no"}, "warn", "keeps no append-only file"),
        ({"appendfsync": "no"}, "warn", "appendfsync no"),
    ],
)
def test_a_setting_that_loses_state_is_told_with_its_remedy(
    addresses: tuple[str, str], config: dict[str, str], level: str, said: str
) -> None:
    wrong = [found for found in findings(addresses[1], now(), **config) if found.level != "ok"]
    assert [found.level for found in wrong] == [level]
    assert said in wrong[0].what
    assert "config set" in wrong[0].remedy


@pytest.mark.redis
def test_every_server_of_a_cluster_is_looked_at(redis_cluster: Cluster) -> None:
    sound = findings(redis_cluster.address, now())
    assert {found.level for found in sound} == {"ok"}
    assert sound[0].what == "the Redis cluster has 3 primaries"
    assert len({found.what for found in sound}) == len(sound)
    other = redis_cluster.nodes[2]
    wrong = findings(other.address, now(), maxmemory_policy="allkeys-lru")
    wrong = [found for found in wrong if found.level != "ok"]
    assert [found.level for found in wrong] == ["fatal"]
    assert wrong[0].what.startswith(f"127.0.0.1:{other.port}: Redis may drop state")


def test_clocks_that_differ_are_told(addresses: tuple[str, str]) -> None:
    assert {found.level for found in findings(addresses[1], now())} == {"ok"}
    wrong = [f for f in findings(addresses[1], now() - 60_000) if f.level != "ok"]
    assert [found.level for found in wrong] == ["warn"]
    assert "differ by 60.0 s" in wrong[0].what or "differ by 59.9 s" in wrong[0].what
