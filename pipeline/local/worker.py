"""A worker as a process of its own, as in production: `python -m pipeline worker`."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.local.part import Part, Say, quiet
from pipeline.local.ports import free_ports


class Worker(Part):
    """One worker process; it answers when the group has given it partitions."""

    name = "Worker"
    stop_seconds = 30.0

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        port: int | None = None,
        home: Path | None = None,
        say: Say = quiet,
    ) -> None:
        super().__init__(home, say)
        self.port = port or free_ports(1)[0]
        self.environment = {**environment, "PIPELINE_HTTP": f"127.0.0.1:{self.port}"}

    @property
    def address(self) -> str:
        """Its HTTP doors."""
        return f"http://127.0.0.1:{self.port}"

    async def command(self) -> list[str]:
        """Returns the command line; settings go by the environment."""
        return [sys.executable, "-m", "pipeline", "worker"]

    async def answers(self) -> bool:
        """Tells whether the worker is ready."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"GET /ready HTTP/1.0\r\n\r\n")
            await writer.drain()
            return b" 200 " in await reader.readline()
        finally:
            writer.close()

    async def close(self) -> None:
        """Lets it leave the group in order, so that the next one need not wait for it."""
        await self.stop()
        await super().close()
