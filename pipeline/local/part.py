"""What every started part can do: start, stop, be killed, and come back with its port and data."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.local.child import Child
from pipeline.local.errors import LocalError

Say = Callable[[str], None]
_POLL_SECONDS = 0.02


def quiet(_: str) -> None:
    """Says nothing."""


class Part(ABC):
    """A server on a loopback port with a folder of its own.

    `home` is kept; without one a temporary folder is used, which `close` removes.
    """

    name: str
    ready_seconds = 60.0
    stop_seconds = 20.0
    environment: Mapping[str, str] | None = None
    """Set for the server beside what it inherits; never on its command line, which all can see."""

    def __init__(self, home: Path | None = None, say: Say = quiet) -> None:
        self.say = say
        self._kept = None if home is None else home.absolute()
        self._home: Path | None = None
        self._child: Child | None = None

    @property
    def home(self) -> Path:
        """The folder with this part's data and log."""
        if self._home is None:
            if self._kept is None:
                self._home = Path(tempfile.mkdtemp(prefix=f"pipeline-{self.name.lower()}-"))
            else:
                self._kept.mkdir(parents=True, exist_ok=True)
                self._home = self._kept
        return self._home

    @property
    def temporary(self) -> bool:
        """Tells whether the data goes when the part is closed."""
        return self._kept is None

    @property
    def log(self) -> Path:
        """The file that has the server's output."""
        return self.home / f"{self.name.lower()}.log"

    @property
    @abstractmethod
    def address(self) -> str:
        """Where clients connect."""

    @abstractmethod
    async def command(self) -> list[str]:
        """Prepares the home and returns the server's command line."""

    @abstractmethod
    async def answers(self) -> bool:
        """Tells whether the server does its work by now."""

    def running(self) -> bool:
        """Tells whether the server runs."""
        return self._child is not None and self._child.running()

    @property
    def pid(self) -> int | None:
        """Process id of the server, None before it was started."""
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Starts the server and returns when it answers."""
        if self.running():
            return
        try:
            command = await self.command()
            self._child = Child.spawn(
                command,
                home=self.home,
                log=self.log,
                temporary=self.temporary,
                environment=self.environment,
            )
            await self._ready(self._child)
        except BaseException:
            self.kill()
            raise

    async def stop(self) -> None:
        """Stops the server in an orderly way; port and data stay."""
        if self._child is not None:
            await self._child.stop(self.stop_seconds)

    def kill(self) -> None:
        """Ends the server at once, as kill -9 does; port and data stay."""
        if self._child is not None:
            self._child.kill()

    async def restart(self) -> None:
        """Stops and starts the server on the same port and data."""
        await self.stop()
        await self.start()

    async def close(self) -> None:
        """Ends the server for good. Data that is not kept needs no orderly end."""
        if not self.temporary:
            await self.stop()
            return
        self.kill()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    async def __aenter__(self) -> Self:
        """Starts the part."""
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the part."""
        await self.close()

    async def _ready(self, child: Child) -> None:
        deadline = time.monotonic() + self.ready_seconds
        while time.monotonic() < deadline:
            if not child.running():
                raise LocalError(f"{self.name} ended while starting: {last_words(self.log)}")
            with contextlib.suppress(OSError):
                if await self.answers():
                    return
            await asyncio.sleep(_POLL_SECONDS)
        raise LocalError(
            f"{self.name} did not answer at {self.address} within {self.ready_seconds:.0f} s: "
            f"{last_words(self.log)}"
        )


def last_words(log: Path) -> str:
    """Returns the line of a server's log that best says why it ended."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines[-50:] if "ERROR" in line or "Exception" in line]
    return (telling or lines or ["it said nothing"])[-1][:300]
