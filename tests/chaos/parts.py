"""The parts of a run: brokers with a way of its own for each worker, Redis, and the workers."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import redis.asyncio
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from pipeline.local import Kafka, LocalError, Redis
from pipeline.local.kafka import COMMON
from pipeline.local.ports import free_ports
from pipeline.local.worker import Worker
from tests.chaos.points import ORDER
from tests.chaos.proxy import Link

ROOT = Path(__file__).parents[2]


class Node(Kafka):
    """A broker, one of one or of three; each worker has a listener, behind a link, of its own."""

    def __init__(self, home: Path, number: int, ports: Sequence[Sequence[int]], workers: int):
        """`ports` has, of each node, those for clients, the controller and each worker."""
        super().__init__(home)
        self.number, self._all = number, ports
        self._ports = list(ports[number][:2])
        self.links = [Link(port) for port in ports[number][2:]]
        assert len(self.links) == workers

    @property
    def address(self) -> str:
        """The bootstrap servers: all of them."""
        return ",".join(f"127.0.0.1:{ports[0]}" for ports in self._all)

    async def answers(self) -> bool:
        """Tells whether this one is part of the cluster."""
        client = AIOKafkaClient(
            bootstrap_servers=f"127.0.0.1:{self.port}", request_timeout_ms=5_000
        )
        try:
            await client.bootstrap()
            return any(each.nodeId == self.number + 1 for each in client.cluster.brokers())
        except KafkaError:
            return False
        finally:
            await client.close()

    def _settings(self) -> list[tuple[str, str]]:
        count, own = len(self._all), self._all[self.number]
        voters = (f"{i + 1}@127.0.0.1:{ports[1]}" for i, ports in enumerate(self._all))
        listeners = {f"W{i}": port for i, port in enumerate(own[2:])} | {"PLAINTEXT": own[0]}
        advertised = {f"W{i}": link.port for i, link in enumerate(self.links)}
        advertised["PLAINTEXT"] = own[0]
        settings = dict(COMMON) | {
            "process.roles": "broker,controller",
            "node.id": str(self.number + 1),
            "controller.quorum.voters": ",".join(voters),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listeners": _listeners(listeners | {"CONTROLLER": own[1]}),
            "advertised.listeners": _listeners(advertised),
            "listener.security.protocol.map": ",".join(
                f"{name}:PLAINTEXT" for name in [*listeners, "CONTROLLER"]
            ),
            "log.dirs": str(self.home / "data"),
        }
        if count > 1:
            settings |= {
                "offsets.topic.replication.factor": str(count),
                "transaction.state.log.replication.factor": str(count),
                "transaction.state.log.min.isr": "2",
                "min.insync.replicas": "2",
                "replica.lag.time.max.ms": "5000",
            }
        return list(settings.items())


def _listeners(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


async def cluster(folder: Path, brokers: int, workers: int) -> list[Node]:
    """The nodes with their links open, not started yet."""
    free = free_ports(brokers * (2 + workers))
    ports = [free[i::brokers] for i in range(brokers)]
    nodes = [Node(folder / f"kafka-{i}", i, ports, workers) for i in range(brokers)]
    await asyncio.gather(*(link.start() for node in nodes for link in node.links))
    return nodes


async def in_sync(nodes: Sequence[Node], seconds: float) -> bool:
    """Wait until every replica has all there is."""
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(5):
                admin = AIOKafkaAdminClient(bootstrap_servers=nodes[0].address)
                try:
                    await admin.start()
                    topics: list[Any] = await admin.describe_topics()
                finally:
                    await admin.close()
            partitions = [p for topic in topics for p in topic["partitions"]]
            if partitions and all(len(p["isr"]) == len(p["replicas"]) for p in partitions):
                return True
        await asyncio.sleep(0.3)
    return False


class Store(Redis):
    """A Redis that may be the replica of another."""

    primary: int | None = None
    """The port of whom it follows."""

    async def command(self) -> list[str]:
        """As it was, and whom it follows."""
        words = await super().command()
        return (
            words if self.primary is None else [*words, "--replicaof", f"127.0.0.1 {self.primary}"]
        )

    def client(self) -> Any:
        """For the harness; goes by no link."""
        return redis.asyncio.Redis(port=self.port, socket_timeout=5, protocol=2)

    async def ask(self, *words: str) -> Any:
        """One command."""
        client = self.client()
        try:
            return await client.execute_command(*words)
        finally:
            await client.aclose()

    async def synchronized(self, seconds: float) -> bool:
        """Wait until it has what its primary has."""
        until = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < until:
            with contextlib.suppress(RedisError, OSError):
                found = await self.ask("INFO", "replication")
                text = found if isinstance(found, dict) else {}
                if text.get("master_link_status") == "up":
                    return True
            await asyncio.sleep(0.1)
        return False


class ChaosWorker(Worker):
    """A worker that is started again whenever it ends, and takes orders to die at a point."""

    def __init__(self, number: int, environment: Mapping[str, str], home: Path, link: Link):
        here = os.environ.get("PYTHONPATH")
        path = str(ROOT) if not here else f"{ROOT}{os.pathsep}{here}"
        super().__init__({**environment, "PYTHONPATH": path}, home=home)
        self.number, self.link = number, link
        self.lock = asyncio.Lock()
        """Held by the fault that has it in hand."""
        self.down_until = 0.0
        self.ready = False
        self.barriers = 0.0
        """So many it has run."""

    async def command(self) -> list[str]:
        """The launcher of this package."""
        return [sys.executable, "-m", "tests.chaos.worker_main"]

    @property
    def status(self) -> int | None:
        """How its process ended; None while it runs."""
        child = self._child
        return None if child is None else child._server.poll()

    def signal(self, number: signal.Signals) -> None:
        """If it runs."""
        if self.running() and self.pid is not None:
            os.kill(self.pid, number)

    def order(self, point: str, times: int, action: str) -> None:
        """Die (`kill`) or stop (`freeze`) at a point when it is reached for the n-th time."""
        (self.home / ORDER).write_text(f"{point} {times} {action}")
        self.signal(signal.SIGUSR1)

    def withdraw(self) -> None:
        """No order any more."""
        (self.home / ORDER).write_text("")
        self.signal(signal.SIGUSR1)

    def stopped(self) -> bool:
        """Whether it is frozen."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    async def revive(self) -> str | None:
        """Start it (again); why that failed."""
        self.kill()
        try:
            await self.start()
        except LocalError as error:
            return str(error)
        return None
