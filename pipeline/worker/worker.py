"""One worker: a Faust app with the normalize and the state agent, relays, barrier and doors."""

import asyncio
import gc
from collections.abc import Callable
from typing import Final

from pipeline.adapters.metrics import Metrics
from pipeline.bootstrap import Parts, connected
from pipeline.domain.times import SECOND
from pipeline.process.normalize import Normalizer
from pipeline.process.state import Committed, Halted
from pipeline.settings import Settings
from pipeline.worker.doors import doors
from pipeline.worker.lanes import HandlerFailed
from pipeline.worker.ledger import Batch
from pipeline.worker.logs import logger
from pipeline.worker.options import Options
from pipeline.worker.partitions import Partitions
from pipeline.worker.transport import BatchApp, make_app, run

BAD_RUN_MAX: Final = 1000
"""So many unusable raw records in a row mean that something is wrong with all of them."""


class Worker:
    """Runs until stopped. Raises what makes going on impossible, in one line."""

    def __init__(self, settings: Settings, parts: Parts, metrics: Metrics) -> None:
        """Put the app together; nothing connects yet."""
        self.settings = settings
        self.parts = parts
        self.metrics = metrics
        self.bad_run: dict[int, int] = {}
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
        )
        self.app: BatchApp = make_app(
            Options(settings.kafka, names.worker_group),
            raw=names.raw,
            events=names.events,
            normalize=self._normalize,
            apply=self._apply,
            hooks=self.partitions,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then leave the group in order."""
        try:
            await run(self.app, stop)
        except HandlerFailed as failed:
            if isinstance(failed.__cause__, Halted):
                raise failed.__cause__ from None
            raise
        finally:
            await self.partitions.close()

    async def _normalize(self, topic: str, partition: int, batch: Batch) -> None:
        result = self.normalizer.normalize(topic, partition, batch)
        self.metrics.batch_size.labels("normalize").observe(len(batch))
        await self.parts.publisher.publish(result.events)
        await self.parts.publisher.publish(result.dead_letters)
        self.metrics.count(self.metrics.raw_events, result.counts)
        self._watch(partition, result.bad_run, len(batch))

    def _watch(self, partition: int, run: int, records: int) -> None:
        """A topic of garbage must not be drained into the dead letters."""
        before = self.bad_run.get(partition, 0)
        self.bad_run[partition] = before + run if run == records else run
        if self.bad_run[partition] > BAD_RUN_MAX:
            raise Halted(
                f"{self.settings.names.raw} partition {partition}: more than {BAD_RUN_MAX} unusable"
                " records in a row: look at `pipeline deadletters list` and what writes there"
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
        for lateness in change.lateness:
            self.metrics.trigger_lateness.observe(lateness / SECOND)

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
        since = self.barrier.state.waiting_since
        waiting = 0 if since is None else self.parts.clock.now() - since
        self.metrics.tick_age.set(waiting / SECOND)


async def serve(
    settings: Settings, stop: asyncio.Event, opened: Callable[[int], None] = lambda _: None
) -> None:
    """Connect, open the doors (`opened` is told their port), work until `stop`.

    Raises `LogUnavailable`, `StoreUnavailable`, `Halted`, `PortTaken`, or what a handler raised.
    """
    # a cache of entities makes Python's full collections long and finds no cycles in it; measured:
    # 18 % of the fold's time
    gc.set_threshold(100_000, 50, 100)
    metrics = Metrics()
    async with connected(settings) as parts:
        worker = Worker(settings, parts, metrics)
        host, port = settings.http_host, settings.http_port
        async with doors(host, port, metrics, worker.ready, worker.observe) as bound:
            opened(bound)
            logger().info("worker started", port=bound)
            await worker.run(stop)
            logger().info("worker stopped")
