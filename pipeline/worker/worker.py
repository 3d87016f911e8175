"""One worker: a Faust app with the normalize and the state agent, relays, barrier and doors."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from pipeline.adapters.metrics import Metrics
from pipeline.bootstrap import Parts, connected
from pipeline.domain.times import SECOND
from pipeline.process.garbage import Garbage
from pipeline.process.guard import Rebuild
from pipeline.process.normalize import Normalized, Normalizer
from pipeline.process.state import Committed, Halted
from pipeline.settings import Settings
from pipeline.worker import memory
from pipeline.worker.doors import doors
from pipeline.worker.lanes import HandlerFailed
from pipeline.worker.ledger import Batch
from pipeline.worker.logs import logger
from pipeline.worker.options import Options
from pipeline.worker.partitions import Partitions
from pipeline.worker.transport import BatchApp, make_app, run

AUDIT_SECONDS: Final = 2.0
"""How often the store is looked at, also where nothing comes in."""


class Worker:
    """Runs until stopped. Raises what makes going on impossible, in one line."""

    def __init__(self, settings: Settings, parts: Parts, metrics: Metrics) -> None:
        """Put the app together; nothing connects yet."""
        self.settings = settings
        self.parts = parts
        self.metrics = metrics
        self.garbage = Garbage()
        self.guard = parts.guard(self._lost)
        names = settings.names
        self.normalizer = Normalizer(
            settings.partitions, settings.region, names.events, names.dead_letters
        )
        self.barrier = self.parts.barrier(
            lambda took: self.metrics.barrier_seconds.observe(took / SECOND)
        )
        self.partitions = Partitions(
            topic=names.events,
            prefix=names.prefix,
            partitions=settings.partitions,
            store=self.parts.store,
            internal=self.parts.publisher,
            outward=self.parts.outward,
            urgent=frozenset({names.triggers}),
            barrier=self.barrier,
            committed=self._committed,
            overtaken=self.metrics.overtaken.inc,
            fail=self._fail,
            check=self.guard.check,
        )
        self.app: BatchApp = make_app(
            Options(settings.kafka, names.worker_group, settings.instance),
            raw=names.raw,
            events=names.events,
            normalize=self._normalize,
            apply=self._apply,
            hooks=self.partitions,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then leave the group in order."""
        auditing = asyncio.create_task(self._audit(), name="audit")
        try:
            await run(self.app, stop)
        except HandlerFailed as failed:
            if isinstance(failed.__cause__, Halted):
                raise failed.__cause__ from None
            raise
        finally:
            auditing.cancel()
            await asyncio.wait([auditing])
            await self.partitions.close()

    async def _audit(self) -> None:
        try:
            while True:
                await asyncio.sleep(AUDIT_SECONDS)
                await self.partitions.audit(self.app.rewind)
        except Exception as error:  # noqa: BLE001  # run raises it
            self._fail(error)

    async def _normalize(self, topic: str, partition: int, batch: Batch) -> None:
        result = self.normalizer.normalize(topic, partition, batch)
        self.metrics.batch_size.labels("normalize").observe(len(batch))
        self._watch(partition, result, batch)
        await self.parts.publisher.publish(result.events)
        await self.parts.publisher.publish(result.dead_letters)
        self.metrics.count(self.metrics.raw_events, result.counts)

    def _watch(self, partition: int, result: Normalized, batch: Batch) -> None:
        wrong = self.garbage.take(partition, len(batch), result)
        if wrong is None:
            return
        reason, _ = next(iter(result.counts.most_common(1)), ("unusable", 0))
        raise Halted(
            f"{self.settings.names.raw} partition {partition}, up to {batch[-1].offset}: {wrong},"
            f" most of them {reason}: mend what writes there (`pipeline deadletters list` shows"
            " where); to leave them out, move the offsets of group"
            f" {self.settings.names.worker_group} on with kafka-consumer-groups"
        )

    async def _apply(self, topic: str, partition: int, batch: Batch) -> None:
        self.metrics.batch_size.labels("state").observe(len(batch))
        with self.metrics.commit_seconds.time():
            await self.partitions.apply(self.app.rewind, partition, batch)
        age = self.parts.clock.now() - batch[-1].timestamp
        self.metrics.watermark_age.labels(str(partition)).set(max(0, age) / SECOND)

    def _committed(self, partition: int, change: Committed) -> None:
        self.metrics.count(self.metrics.records, change.counts)
        self.metrics.commit_size.observe(change.counts["taken"])
        for entry in change.outward:
            self.metrics.published.labels(entry.topic).inc()
        for labels, count in change.outcomes.items():
            self.metrics.outcomes.labels(*labels).inc(count)
        for lateness in change.lateness:
            self.metrics.trigger_lateness.observe(lateness / SECOND)

    def _lost(self) -> None:
        logger().error("redis lost its state; the log is folded again from its start")

    def _fail(self, error: BaseException) -> None:
        self.app.fail(error)

    def ready(self) -> str | None:
        """Why the worker is not ready, or None."""
        if self.app.failure is not None:
            return "failed"
        return None if self.app.lag() or self.partitions.owned else "no partitions yet"

    def observe(self) -> None:
        """Bring gauges up to date."""
        for tp, lag in self.app.lag().items():
            self.metrics.lag.labels(tp.topic, str(tp.partition)).set(lag)
        self.metrics.owned.set(len(self.partitions.owned))
        self.metrics.cached.set(self.partitions.kept)
        since = self.barrier.state.overdue_since
        waiting = 0 if since is None else self.parts.clock.now() - since
        self.metrics.tick_age.set(waiting / SECOND)


async def serve(
    settings: Settings,
    stop: asyncio.Event,
    opened: Callable[[int], None] = lambda _: None,
    rebuild: Rebuild | None = None,
    *,
    repeats: bool = False,
) -> None:
    """Connect, open the doors (`opened` is told their port), work until `stop`.

    Raises `LogUnavailable`, `StoreUnavailable`, `Halted`, `PortTaken`, or what a handler raised.
    """
    memory.settle()
    asyncio.get_running_loop().set_exception_handler(_note)
    metrics = Metrics()
    async with connected(settings) as parts:
        worker = Worker(settings, parts, metrics)
        await worker.guard.enter(rebuild, repeats=repeats)
        host, port = settings.http_host, settings.http_port
        async with doors(host, port, metrics, worker.ready, worker.observe) as bound:
            opened(bound)
            logger().info("worker started", port=bound)
            await worker.run(stop)
            logger().info("worker stopped")


def _note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody waited for, without its text: that may hold what an event holds."""
    error = context.get("exception")
    logger().warning("loop", what=context.get("message"), error=type(error).__name__)
