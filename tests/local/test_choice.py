"""Which broker and Redis are taken, and what is said when there is none."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from pipeline.local import LocalError, java, parts, start_broker
from pipeline.local.errors import MissingError
from pipeline.local.ports import free_ports, kept_ports


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Docker, Java, Maven, Redis and jars fetched before."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.delenv("JAVA_HOME", raising=False)


def not_installed(*_: object) -> None:
    """Stands for importlib's answer about a wheel that is not installed."""


async def test_given_addresses_are_passed_on() -> None:
    async with parts(bootstrap_servers="broker:9092", redis_url="redis://r:1") as addresses:
        assert addresses.bootstrap_servers == "broker:9092"
        assert addresses.redis_url == "redis://r:1"
        assert addresses.broker_kind == "given"
        assert addresses.transactions


@pytest.mark.usefixtures("bare_machine")
async def test_without_any_broker_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", not_installed)
    with pytest.raises(LocalError) as said:
        async with parts(bootstrap_servers=None, redis_url="redis://r:1"):
            pass
    line = str(said.value)
    assert line.startswith("no Kafka: set KAFKA_BOOTSTRAP_SERVERS, or install Docker, or Java 17")
    assert "no Docker daemon answers; no Java" in line
    assert "\n" not in line


@pytest.mark.usefixtures("bare_machine")
async def test_without_any_redis_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", not_installed)
    with pytest.raises(LocalError, match="no Redis: set REDIS_URL, install redis-server") as said:
        async with parts(bootstrap_servers="broker:9092", redis_url=None):
            pass
    assert "\n" not in str(said.value)


@pytest.mark.usefixtures("bare_machine")
async def test_without_docker_and_java_the_stand_in_says_that_it_is_one() -> None:
    said: list[str] = []
    async with AsyncExitStack() as stack:
        broker = await start_broker(stack, None, said.append)
        assert (broker.kind, broker.transactions) == ("stand-in", False)
    assert "without transactions" in said[0]


@pytest.mark.usefixtures("bare_machine")
async def test_a_maven_without_network_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho '[ERROR] Unknown host'\necho '[ERROR] more'\nexit 1\n")
    maven.chmod(0o755)
    with pytest.raises(
        MissingError, match=r"^Maven could not fetch Apache Kafka .*: Unknown host$"
    ):
        await java.jars(lambda _: None)
    assert list((tmp_path / "pipeline").iterdir()) == []


def test_the_pom_names_the_version() -> None:
    pom = (java.deploy_folder() / "pom.xml").read_text()
    assert java.kafka_version(pom).startswith("4.1.")


def test_kept_ports_are_the_same_again(tmp_path: Path) -> None:
    ports = kept_ports(tmp_path / "ports", 2)
    assert kept_ports(tmp_path / "ports", 2) == ports
    assert len(set(free_ports(20))) == 20
