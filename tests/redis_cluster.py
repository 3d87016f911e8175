"""A real Redis Cluster of three servers on this machine."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.crc import key_slot

from pipeline.adapters.redis_client import connect
from pipeline.local import Redis
from pipeline.local.ports import free_ports

SLOTS = 16_384
_NODES = 3


class Node(Redis):
    """One server of it."""

    _bus: int | None = None

    @property
    def bus(self) -> int:
        """The port on which the servers speak with each other."""
        if self._bus is None:
            (self._bus,) = free_ports(1)
        return self._bus

    async def command(self) -> list[str]:
        return [
            *await super().command(),
            *("--cluster-enabled", "yes", "--cluster-port", str(self.bus)),
            *("--cluster-node-timeout", "1500"),
            *("--repl-diskless-sync-delay", "0"),
        ]

    async def ask(self, *command: Any) -> Any:
        """One command, to this server."""
        client: Any = connect(self.address)
        try:
            return await client.execute_command(*command)
        finally:
            await client.aclose()

    async def keys(self, slot: int) -> list[bytes]:
        """What it has of a slot; redis-py's CLUSTER GETKEYSINSLOT takes keys for text."""
        _, found = await self.ask("SCAN", 0, "COUNT", 1_000_000)
        return [key for key in found if key_slot(key) == slot]

    async def sound(self) -> bool:
        """Whether it says that every slot is served."""
        state: Any = await self.ask("CLUSTER INFO")
        return bool(state["cluster_state"] == "ok")


class Cluster:
    """Primaries with a third of the slots each, and those that were added as replicas."""

    def __init__(self, home: Path | None = None) -> None:
        self.nodes = [Node(home and home / f"node-{n}") for n in range(_NODES)]

    @property
    def address(self) -> str:
        """Of any one, as `REDIS_URL` takes it."""
        return self.nodes[0].address

    async def start(self) -> None:
        """Start the servers and make them one."""
        await asyncio.gather(*(node.start() for node in self.nodes))
        each = SLOTS // _NODES + 1
        for number, node in enumerate(self.nodes):
            last = min(SLOTS, (number + 1) * each) - 1
            await node.ask("CLUSTER ADDSLOTSRANGE", number * each, last)
            await node.ask("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            await self._meet(node)
        await self.until_sound()

    async def add(self) -> Node:
        """Start one more, which has no slot yet."""
        node = Node()
        self.nodes.append(node)
        await node.start()
        await self._meet(node)
        await _until(node.sound)
        return node

    async def add_replica(self, of: Node) -> Node:
        """Start one more, which follows that one."""
        node = await self.add()
        await node.ask("CLUSTER REPLICATE", await of.ask("CLUSTER MYID"))

        async def follows() -> bool:
            state: Any = await node.ask("INFO", "replication")
            return bool(state.get("master_link_status") == "up")

        await _until(follows)
        return node

    async def holder(self, slot: int) -> Node:
        """The server that has a slot."""
        for begin, end, (_, port, *_), *_ in await self.nodes[0].ask("CLUSTER SLOTS"):
            if begin <= slot <= end:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    async def move(self, slot: int, to: Node | None = None, pause: float = 0.0) -> Node:
        """Hand a slot over to another server, key by key; returns who has it now."""
        source = await self.holder(slot)
        target = to or next(node for node in self.nodes if node is not source)
        there, here = await target.ask("CLUSTER MYID"), await source.ask("CLUSTER MYID")
        await target.ask("CLUSTER SETSLOT", slot, "IMPORTING", here)
        await source.ask("CLUSTER SETSLOT", slot, "MIGRATING", there)
        while keys := await source.keys(slot):
            some = keys[:10]
            await source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *some)
            await asyncio.sleep(pause)
        for node in (target, source):
            await node.ask("CLUSTER SETSLOT", slot, "NODE", there)
        return target

    async def until_sound(self) -> None:
        """Wait until all say that every slot is served."""
        for node in self.nodes:
            await _until(node.sound)

    async def close(self) -> None:
        await asyncio.gather(*(node.close() for node in self.nodes))

    async def _meet(self, node: Node) -> None:
        first = self.nodes[0]
        await node.ask("CLUSTER MEET", "127.0.0.1", first.port, first.bus)


async def _until(reached: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await reached():
            return
        await asyncio.sleep(0.05)


@asynccontextmanager
async def running(home: Path | None = None) -> AsyncIterator[Cluster]:
    """One that runs while the block does."""
    cluster = Cluster(home)
    try:
        async with asyncio.timeout(30):
            await cluster.start()
        yield cluster
    finally:
        await cluster.close()
