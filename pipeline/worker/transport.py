"""The worker's Faust app: two agents that are handed whole partition batches.

    app = make_app(options, raw=..., events=..., normalize=..., apply=..., hooks=...)
    await run(app, stop)

Which rules of Faust are changed and why: README "Decisions" and the heads of consumer, thread,
ledger and lanes.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, ClassVar, cast

import faust
from faust.app.base import BootStrategy
from faust.transport.drivers.aiokafka import Transport as KafkaTransport
from faust.types import TP, AgentT, AppT, Message, StreamT
from faust.types.settings import Settings

from pipeline.worker.consumer import BatchConsumer
from pipeline.worker.lanes import Handler, Lanes
from pipeline.worker.ledger import Ledger
from pipeline.worker.options import Hooks, NoHooks, Options
from pipeline.worker.shared import Shared

LEAVE = 20.0  # seconds for Faust to stop before it is left behind
LOOK = 0.2  # how often a crash inside Faust is looked for


class WorkerFailed(Exception):
    """Faust gave up and left no exception."""


class _Settings(Settings):
    def getenv(self, env_name: str) -> Any:
        """None: Faust lets the environment override what it is told."""


class _Boot(BootStrategy):
    enable_web = False
    enable_kafka_producer = False  # ours are idempotent or transactional


class _AsIs(faust.Schema[Any, Any]):
    def compile(self, app: AppT, **kwargs: Any) -> Any:
        async def decode(message: Message, *, propagate: bool = False) -> Any:
            return app.create_event(None, message.value, None, message)

        return decode


class BatchTransport(KafkaTransport):
    """Faust's Kafka transport with our consumer, and what both sides share."""

    Consumer: ClassVar[Any] = BatchConsumer

    def __init__(
        self, app: "BatchApp", options: Options, handlers: Mapping[str, Handler], hooks: Hooks
    ) -> None:
        super().__init__(app.conf.broker_consumer, app)
        lanes = Lanes(app.ledger, handlers, options.stuck, app.fail, options.together)
        topics = frozenset(handlers)
        self.shared = Shared(options, hooks, topics, app.ledger, lanes, app.fail)


class BatchApp(faust.App):
    """Faust's app without tables, web, producer and topics of its own."""

    Settings = _Settings
    BootStrategy = _Boot

    def __init__(self, options: Options) -> None:
        self.ledger = Ledger(options.depth)
        self.failure: BaseException | None = None
        self.failed = asyncio.Event()
        super().__init__(
            options.group,
            broker="kafka://" + (options.kafka.servers or "").replace(",", ";"),
            autodiscover=False,
            store="memory://",
            table_standby_replicas=0,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=False,
            broker_commit_interval=options.commit,
            broker_commit_every=1 << 30,
            broker_session_timeout=options.session,
            broker_heartbeat_interval=options.heartbeat,
        )

    def fail(self, exc: BaseException) -> None:
        """End the worker: from now on nothing is begun and nothing is committed."""
        self.ledger.frozen = True
        if self.failure is None:
            self.failure = exc
        self.failed.set()

    async def rewind(self, tp: TP, offset: int) -> bool:
        """See `BatchConsumer.rewind`."""
        return await cast(BatchConsumer, self.consumer).rewind(tp, offset)

    def lag(self) -> dict[TP, int]:
        """See `BatchConsumer.lag`."""
        return cast(BatchConsumer, self.consumer).lag()

    async def _on_agent_error(self, agent: AgentT[Any], exc: BaseException) -> None:
        self.fail(exc)  # and not, as Faust does, commit and start the agent again

    def _create_directories(self) -> None:
        """None are needed."""


def make_app(
    options: Options,
    *,
    raw: str,
    events: str,
    normalize: Handler,
    apply: Handler,
    hooks: Hooks | None = None,
) -> BatchApp:
    """To be called inside the event loop that runs it."""
    app = BatchApp(options)
    handlers = {raw: normalize, events: apply}
    transport = BatchTransport(app, options, handlers, hooks or NoHooks())
    app.transport, lanes = transport, transport.shared.lanes

    async def hand_on(stream: StreamT[Any]) -> None:
        async for event in cast(faust.Stream[Any], stream).noack().events():
            lanes.put(event)

    for topic, name in ((raw, "normalize"), (events, "apply")):
        channel = app.topic(topic, schema=_AsIs(), allow_empty=True)
        app.agent(channel, name=name)(hand_on)
    return app


async def run(app: BatchApp, stop: asyncio.Event) -> None:
    """Until stop is set, then leave the group in order. Raises what made the worker fail."""
    starting = asyncio.ensure_future(app.start())
    starting.add_done_callback(lambda task: _failed_start(app, task))
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(_failure(app))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not app.failed.is_set():
            await cast(BatchConsumer, app.consumer).give_up()
    finally:
        for task in waits:
            task.cancel()
        await _end(app, starting)
    if app.failure is not None:
        raise app.failure


def _failed_start(app: BatchApp, task: asyncio.Future[None]) -> None:
    if not task.cancelled() and (exc := task.exception()):
        app.fail(exc)


async def _failure(app: BatchApp) -> None:
    while not app.failed.is_set():
        if app.crashed:
            app.fail(app.crash_reason or WorkerFailed("Faust crashed and does not say why"))
        try:
            async with asyncio.timeout(LOOK):
                await app.failed.wait()
        except TimeoutError:
            pass


async def _end(app: BatchApp, starting: Awaitable[None]) -> None:
    shared = cast(BatchTransport, app.transport).shared
    try:
        await shared.lanes.drain(app.ledger.tracked(), 0)
        async with asyncio.timeout(LEAVE):
            await app.stop()
            await starting
    except Exception as exc:  # noqa: BLE001 - run raises it
        app.fail(exc)
    for _ in range(3):  # what mode's thread has put into this loop last
        await asyncio.sleep(0)
