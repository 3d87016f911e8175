"""A TCP proxy between a worker and a server, whose traffic can be broken."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import Final

_CHUNK: Final = 1 << 16
_DRIP_BYTES: Final = 300
_DRIP_SECONDS: Final = 0.01
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class _Pair:
    """A connection from the client and the one that was made for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    spoiled: bool = False
    """Bytes are missing: it can't go on when the link is mended."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def abort(self) -> None:
        """Both ends get a reset."""
        for writer in (self.client, self.server):
            if writer is None:
                continue
            with contextlib.suppress(OSError):
                linger = (socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.get_extra_info("socket").setsockopt(*linger)
            writer.transport.abort()


class Link:
    """Listens on a port of its own; `target` may be changed for connections to come."""

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self.delay = 0.0
        """Seconds that each chunk of bytes waits."""
        self.drip = False
        self.swallow_requests = self.swallow_replies = False
        """Half open: nobody is told that bytes get lost."""
        self._mended = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=_CHUNK)

    @property
    def port(self) -> int:
        """Where clients connect."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def reset(self) -> None:
        """Break all connections."""
        for pair in list(self._pairs):
            pair.abort()

    def heal(self) -> None:
        """Let all through again; what lost bytes is broken."""
        self.delay, self.drip = 0.0, False
        self.swallow_requests = self.swallow_replies = False
        self._mended.set()
        self._mended.clear()
        for pair in list(self._pairs):
            if pair.spoiled:
                pair.abort()

    def point(self, target: int) -> None:
        """Lead to another server from now on."""
        self.target = target
        self.reset()

    async def close(self) -> None:
        """Stop listening and break what is open."""
        if self._server is not None:
            self._server.close()
        self.reset()
        tasks = [task for pair in self._pairs for task in pair.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair(writer)
        self._pairs.add(pair)
        try:
            opened = await asyncio.open_connection("127.0.0.1", self.target, limit=_CHUNK)
            back, pair.server = opened
            pair.tasks = [
                asyncio.create_task(self._pump(pair, reader, pair.server, replies=False)),
                asyncio.create_task(self._pump(pair, back, writer, replies=True)),
            ]
            await asyncio.wait(pair.tasks, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            pass
        finally:
            for task in pair.tasks:
                task.cancel()
            await asyncio.gather(*pair.tasks, return_exceptions=True)
            pair.abort()
            self._pairs.discard(pair)

    async def _pump(
        self,
        pair: _Pair,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        replies: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self._swallows(replies=replies):
                    pair.spoiled = True
                elif self.drip:
                    await self._drip(writer, data)
                else:
                    writer.write(data)
                    await writer.drain()
        if self._swallows(replies=replies):
            await self._mended.wait()  # an end is not told either

    def _swallows(self, *, replies: bool) -> bool:
        return self.swallow_replies if replies else self.swallow_requests

    async def _drip(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for start in range(0, len(data), _DRIP_BYTES):
            writer.write(data[start : start + _DRIP_BYTES])
            await writer.drain()
            if self.drip:
                await asyncio.sleep(_DRIP_SECONDS)
