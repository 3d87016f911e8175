"""Apache Kafka in a container, through testcontainers, where a Docker daemon answers."""

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

from pipeline.local.errors import LocalError, MissingError
from pipeline.local.java import deploy_folder, kafka_version
from pipeline.local.kafka import COMMON, HEAP, Broker

if TYPE_CHECKING:
    from docker.models.containers import Container
    from testcontainers.core.container import DockerContainer

_ANSWER_SECONDS = 5
_DATA = "/var/lib/kafka/data"


class DockerKafka(Broker):
    """The official image as a container. testcontainers' reaper removes it if we are killed."""

    kind = "docker"
    _box: "DockerContainer | None" = None

    async def command(self) -> list[str]:
        """Has none: Docker runs the container."""
        raise NotImplementedError

    async def start(self) -> None:
        """Creates the container, or starts the stopped one, and returns when it answers."""
        await asyncio.to_thread(self._run)
        for _ in range(int(self.ready_seconds * 10)):
            with contextlib.suppress(OSError):
                if await self.answers():
                    return
            await asyncio.sleep(0.1)
        raise LocalError(f"Kafka in Docker did not answer at {self.address}: see `docker logs`")

    async def stop(self) -> None:
        """Stops the container; port and data stay."""
        if self._box is not None:
            await asyncio.to_thread(self._container().stop, timeout=int(self.stop_seconds))

    def kill(self) -> None:
        """Kills the container's process; port and data stay."""
        if self._box is not None:
            with contextlib.suppress(Exception):  # it may have ended by itself
                self._container().kill()

    async def close(self) -> None:
        """Removes the container."""
        if self._box is not None:
            if not self.temporary:
                await self.stop()
            await asyncio.to_thread(self._box.stop)
            self._box = None
        await super().close()

    def _container(self) -> "Container":
        assert self._box is not None
        return self._box.get_wrapped_container()

    def _run(self) -> None:
        if self._box is not None:
            self._container().start()
            return
        version = kafka_version((deploy_folder() / "pom.xml").read_text())
        _check_daemon()
        from testcontainers.core.container import DockerContainer

        self.say(f"starting Apache Kafka {version} in Docker")
        box = DockerContainer(f"apache/kafka:{version}")
        # Docker takes an address too; testcontainers' type does not know. Not on every interface.
        box.ports[f"{self.port}/tcp"] = ("127.0.0.1", self.port)  # type: ignore[assignment]
        for key, value in self._settings().items():
            box = box.with_env(f"KAFKA_{key.replace('.', '_').upper()}", value)
        if not self.temporary:
            data = self.home / "data"
            data.mkdir(exist_ok=True)
            data.chmod(0o777)  # the image's user is not ours
            box = box.with_volume_mapping(str(data), _DATA, "rw")
        try:
            box.start()
        except Exception as error:
            with contextlib.suppress(Exception):
                box.stop()
            why = " ".join(str(error).split())[:300]
            raise MissingError(f"Docker could not run apache/kafka:{version}: {why}") from error
        self._box = box

    def _settings(self) -> dict[str, str]:
        return {
            **COMMON,
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": "1@localhost:29093",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "listeners": f"PLAINTEXT://0.0.0.0:{self.port},CONTROLLER://localhost:29093",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": _DATA,
            "heap.opts": HEAP,
        }


def _check_daemon() -> None:
    """Raises when no daemon answers.

    A socket file without a daemon is tried first by hand: Docker's client leaks its socket then.
    """
    try:
        from docker.context import ContextAPI
        from testcontainers.core.docker_client import DockerClient
    except ImportError:
        raise MissingError("no Docker client: run `make install`") from None
    context = ContextAPI.get_current_context()
    host = os.environ.get("DOCKER_HOST") or (context.Host if context else "")
    if not host.startswith("unix://"):
        raise MissingError(f"Docker's daemon is not on this machine: {host}")
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(host.removeprefix("unix://"))
        with contextlib.closing(DockerClient(timeout=_ANSWER_SECONDS).client) as client:
            client.ping()
    except Exception:  # whatever it is, this way is closed
        raise MissingError("no Docker daemon answers") from None
