"""Requests and replies: each takes a while, a server may be away, a reply may be lost.

What was sent is carried out even if the sender is killed or paused meanwhile.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.loop import SimLoop

_DELAYS = (0.0, 0.0, 0.0, 0.001, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02)


class Lost(Exception):
    """The reply did not come; whether the request arrived nobody knows."""


@dataclass
class Service:
    """One server, Kafka or Redis, as the network sees it."""

    name: str
    up: bool = True
    lost: float = 0.0
    """Share of requests whose request or reply is lost."""
    parked: list[tuple[Callable[..., None], tuple[Any, ...]]] = field(default_factory=list)


class Network:
    """Carries requests; `slow` stretches all delays. Counts them: faults come at a count."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.slow = 1.0
        self.requests = 0
        self.alarm: int | None = None
        self.on_alarm: Callable[[], None] = lambda: None

    def delay(self) -> float:
        draw = self.loop.rng.random()
        delay = _DELAYS[int(draw * 10)]
        return delay * self.slow if draw < 0.99 else 0.2 * self.slow

    def request(
        self, service: Service, effect: Callable[[], Any], after: float = 0.0
    ) -> "asyncio.Future[Any]":
        """The reply to come. Not before the instant `after`: what keeps an order gives it."""
        self.requests += 1
        if self.requests == self.alarm:
            self.on_alarm()
        reply = self.loop.create_future()
        delay = max(self.delay(), after - self.loop.now)
        self.loop.outside(delay, self._arrive, service, reply, effect)
        return reply

    def _arrive(
        self, service: Service, reply: "asyncio.Future[Any]", effect: Callable[[], Any]
    ) -> None:
        if not service.up:
            service.parked.append((self._arrive, (service, reply, effect)))
            return
        chance = self.loop.rng.random() if service.lost else 1.0
        if chance < service.lost / 3:
            self._answer(reply, Lost("the request was lost"), good=False)
            return
        try:
            result, good = effect(), True
        except Exception as error:  # noqa: BLE001  # the server's refusal goes back
            result, good = error, False
        if chance < service.lost:
            result, good = Lost("the reply was lost"), False
        delay = self.delay()
        if delay:
            self.loop.outside(delay, self._answer, reply, result, good)
        else:
            self._answer(reply, result, good)

    @staticmethod
    def _answer(reply: "asyncio.Future[Any]", result: Any, good: bool) -> None:
        if reply.done():
            return
        if good:
            reply.set_result(result)
        else:
            reply.set_exception(result)

    def away(self, service: Service) -> None:
        """Requests wait from now on."""
        service.up = False

    def back(self, service: Service) -> None:
        """In the order in which they came."""
        service.up = True
        parked, service.parked = service.parked, []
        for step, args in parked:
            step(*args)
