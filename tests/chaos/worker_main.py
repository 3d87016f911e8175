"""`pipeline worker`, but it dies or freezes at a named point when told to.

SIGUSR1 makes it read the file `order` in its working directory. The product does not know: its
methods are wrapped here. `CHAOS_MUTANT` breaks it on purpose, to see that the oracle finds it;
`CHAOS_LATE` makes its threads come late.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from pipeline.adapters.kafka_log import KafkaLog
from pipeline.adapters.kafka_publishers import KafkaPublisher
from pipeline.adapters.kafka_transactions import TransactionalPublisher
from pipeline.adapters.redis_store import RedisStore
from pipeline.cli import main
from pipeline.worker.partitions import Partitions
from tests.chaos import lateness
from tests.chaos.mutants import MUTANTS
from tests.chaos.points import ORDER

Method = Callable[..., Awaitable[Any]]


class _Order:
    """What was ordered: at most one thing at a time."""

    point = ""
    left = 0
    action = signal.SIGKILL

    def read(self, *_: object) -> None:
        self.point = ""
        with contextlib.suppress(OSError, ValueError):
            point, left, action = Path(ORDER).read_text().split()
            self.left = int(left)
            self.action = signal.SIGSTOP if action == "freeze" else signal.SIGKILL
            self.point = point

    def reached(self, point: str) -> None:
        if point != self.point:
            return
        self.left -= 1
        if self.left <= 0:
            self.point = ""
            os.kill(os.getpid(), self.action)


ORDERED: Final = _Order()


def _wrap(owner: Any, name: str, before: str, after: str, *, if_any: bool = False) -> None:
    """Points around a method; with `if_any` only where its first argument is not empty."""
    inner: Method = getattr(owner, name)

    async def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        counts = not if_any or bool(args[0])
        if counts:
            ORDERED.reached(before)
        result = await inner(self, *args, **kwargs)
        if counts:
            ORDERED.reached(after)
        return result

    setattr(owner, name, wrapped)


def _wrap_middle(owner: Any, name: str, point: str) -> None:
    """A point shortly after a method has begun: the request is out, the reply is not in."""
    inner: Method = getattr(owner, name)

    async def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        if point != ORDERED.point:
            return await inner(self, *args, **kwargs)
        under_way = asyncio.ensure_future(inner(self, *args, **kwargs))
        await asyncio.sleep(0.0005)
        ORDERED.reached(point)
        return await under_way

    setattr(owner, name, wrapped)


def install() -> None:
    """Wrap the product's methods."""
    _wrap(RedisStore, "commit", "before-commit", "after-commit")
    _wrap_middle(RedisStore, "commit", "in-commit")
    _wrap(RedisStore, "trim", "before-trim", "after-trim")
    _wrap(KafkaPublisher, "publish", "before-internal", "after-internal", if_any=True)
    _wrap(TransactionalPublisher, "publish", "before-outward", "after-outward", if_any=True)
    _wrap(TransactionalPublisher, "open", "before-open", "after-open")
    _wrap(AIOKafkaProducer, "commit_transaction", "in-transaction", "after-transaction")
    _wrap(KafkaLog, "append", "before-tick", "after-tick")
    _wrap(Partitions, "on_assigned", "before-takeover", "after-takeover")
    _wrap(Partitions, "on_revoked", "before-revocation", "after-revocation")


if __name__ == "__main__":
    mutant = os.environ.get("CHAOS_MUTANT")
    if mutant:
        MUTANTS[mutant]()
    if os.environ.get("CHAOS_LATE"):
        lateness.install()
    install()
    signal.signal(signal.SIGUSR1, ORDERED.read)
    sys.argv = ["pipeline", "worker"]
    main()
