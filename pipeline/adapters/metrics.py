"""Every metric there is, in one list; README prints its table from here.

Labels are topics, partitions and reasons from closed lists: never ids, numbers or names of people.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client import Counter as Count

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_SIZES: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000)


class Metrics:
    """One registry for a worker process."""

    def __init__(self) -> None:
        """All at zero; without a series that tells when each was made."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types
        self.registry = CollectorRegistry()
        self.raw_events = Count(
            "pipeline_raw_events",
            "Raw events by what normalize made of them: event, or the reason they were not taken",
            ["outcome"],
            registry=self.registry,
        )
        self.records = Count(
            "pipeline_records",
            "Internal records by what the fold made of them: taken, or the reason they were not",
            ["outcome"],
            registry=self.registry,
        )
        self.published = Count(
            "pipeline_published", "Outward records by topic", ["topic"], registry=self.registry
        )
        self.batch_size = Histogram(
            "pipeline_batch_records",
            "Records of a partition that were handed over at once",
            ["stage"],
            buckets=_SIZES,
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "pipeline_apply_seconds",
            "Time to fold and commit a batch",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.commit_size = Histogram(
            "pipeline_commit_records",
            "Records taken in one commit",
            buckets=_SIZES,
            registry=self.registry,
        )
        self.trigger_lateness = Histogram(
            "pipeline_trigger_lateness_seconds",
            "From a step's deadline to its firing, log time",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.outcomes = Count(
            "pipeline_outcomes",
            "Decisions and retractions of live journeys",
            ["journey", "outcome", "reason"],
            registry=self.registry,
        )
        self.watermark_age = Gauge(
            "pipeline_watermark_age_seconds",
            "Age of the newest record that a partition's state reflects when it was committed",
            ["partition"],
            registry=self.registry,
        )
        self.tick_age = Gauge(
            "pipeline_tick_age_seconds",
            "How long a partition's earliest due instant has been waiting; 0 when nothing is",
            registry=self.registry,
        )
        self.barrier_seconds = Histogram(
            "pipeline_barrier_seconds",
            "Time of a barrier, from noting the raw ends to the ticks",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.lag = Gauge(
            "pipeline_lag_records",
            "Records between what is handled and the end of the log",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.overtaken = Count(
            "pipeline_overtaken",
            "Commits that found another watermark and went back to it",
            registry=self.registry,
        )
        self.owned = Gauge(
            "pipeline_partitions_owned", "State partitions of this worker", registry=self.registry
        )
        self.cached = Gauge(
            "pipeline_cached_entities",
            "People, devices, addresses and cases that this worker has in memory",
            registry=self.registry,
        )

    def count(self, counter: Count, counts: Counter[str] | Mapping[str, int]) -> None:
        """Add counts by their one label."""
        for label, number in counts.items():
            counter.labels(label).inc(number)

    def text(self) -> bytes:
        """In Prometheus' format."""
        return generate_latest(self.registry)
