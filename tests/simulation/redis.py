"""Redis with a memory of what it was: the production memory store, rolled back and failed over."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

from pipeline.adapters.memory_store import MemoryStore
from pipeline.ports import Change, Entry, Mark, Progress, StoreUnavailable
from tests.simulation.network import Lost, Network, Service

T = TypeVar("T")
HISTORY = 60.0
"""Seconds of the past that can come back."""
_attempts = count()


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waited")


class Server(MemoryStore):
    """One Redis. Changed partitions are copied first, so that a snapshot costs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[int, int] = {}
        self.past: deque[tuple[float, dict[int, Any], dict[int, int]]] = deque()

    def write(
        self, partition: int, expected: Mark | None, change: Change, token: int, now: float
    ) -> bool:
        """As `commit.lua`: sent again after a lost reply it says what became of it."""
        if self.tokens.get(partition) == token:
            return True
        self._keep(partition, now)
        written = at_once(self.commit(partition, expected, change))
        if written:
            self.tokens[partition] = token
        return written

    def cut(self, partition: int, internal: bool, upto: Mark, now: float) -> None:
        self._keep(partition, now)
        at_once(self.trim(partition, internal=internal, upto=upto))

    def _keep(self, partition: int, now: float) -> None:
        self.past.append((now, dict(self._partitions), dict(self.tokens)))
        while self.past[0][0] < now - HISTORY:
            self.past.popleft()
        if partition in self._partitions:
            self._partitions[partition] = self._partitions[partition].copy()

    def as_of(self, then: float) -> "Server":
        """A copy as this one was at an instant within the history."""
        place = bisect_right([item[0] for item in self.past], then)
        copy = Server()
        if place < len(self.past):
            _, copy._partitions, copy.tokens = self.past[place]
        else:
            copy._partitions, copy.tokens = dict(self._partitions), dict(self.tokens)
        copy._partitions = {p: state.copy() for p, state in copy._partitions.items()}
        copy.tokens = dict(copy.tokens)
        return copy

    def earliest(self) -> int | None:
        """When something is due next, anywhere."""
        firsts = [state.index[0][0] for state in self._partitions.values() if state.index]
        return min(firsts, default=None)

    def state(self, partition: int) -> Any:
        return self._of(partition)


class Redis:
    """The primary, and for a while after a failover the old one beside it."""

    def __init__(self) -> None:
        self.service = Service("redis")
        self.primary = Server()
        self.old: Server | None = None
        self.stuck: set[str] = set()
        """Processes that still talk to the old primary."""

    def of(self, process: str) -> Server:
        if self.old is not None and process in self.stuck:
            return self.old
        return self.primary


class Client:
    """Fulfils `Store` for one process."""

    def __init__(
        self,
        network: Network,
        redis: Redis,
        process: str,
        committed: Callable[[int, Mark | None, Change, bool], None],
    ) -> None:
        self._network, self._redis, self._process = network, redis, process
        self._committed = committed

    async def _ask(self, effect: Callable[[Server], T]) -> T:
        """Repeated while there is no answer, as `Retrying` does, and given up at times."""
        while True:
            try:
                reply = self._network.request(
                    self._redis.service, lambda: effect(self._redis.of(self._process))
                )
                answer: T = await reply
            except Lost as lost:
                if self._network.loop.rng.random() < 0.3:
                    raise StoreUnavailable("Redis: no answer") from lost
            else:
                return answer

    async def watermark(self, partition: int) -> Mark | None:
        return await self._ask(lambda server: at_once(server.watermark(partition)))

    async def load(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        return await self._ask(lambda server: at_once(server.load(partition, keys)))

    async def load_at(
        self, partition: int, keys: Sequence[bytes]
    ) -> tuple[Mark | None, list[bytes | None]]:
        return await self._ask(lambda server: at_once(server.load_at(partition, keys)))

    async def due_at(
        self, partition: int, until: int, limit: int, skip: int = 0
    ) -> tuple[Mark | None, list[bytes]]:
        return await self._ask(lambda server: at_once(server.due_at(partition, until, limit, skip)))

    async def due(self, partition: int, until: int, limit: int, skip: int = 0) -> list[bytes]:
        return await self._ask(lambda server: at_once(server.due(partition, until, limit, skip)))

    async def commit(self, partition: int, expected: Mark | None, change: Change) -> bool:
        token = next(_attempts)
        now = self._network.loop

        def write(server: Server) -> bool:
            written = server.write(partition, expected, change, token, now.now)
            self._committed(partition, expected, change, written)
            return written

        return await self._ask(write)

    async def outbox(
        self, partition: int, *, internal: bool, after: Mark | None, limit: int
    ) -> list[Entry]:
        return await self._ask(
            lambda server: at_once(
                server.outbox(partition, internal=internal, after=after, limit=limit)
            )
        )

    async def trim(self, partition: int, *, internal: bool, upto: Mark) -> None:
        now = self._network.loop
        await self._ask(lambda server: server.cut(partition, internal, upto, now.now))

    async def progress(self, partitions: Iterable[int]) -> Mapping[int, Progress]:
        return await self._ask(lambda server: at_once(server.progress(partitions)))
