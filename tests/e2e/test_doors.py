"""A worker's HTTP doors and logs: what they tell, and what they must not."""

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.adapters.metrics import Metrics
from tests.e2e.harness import PARTITIONS
from tests.e2e.load import CANARIES
from tests.e2e.looking import log_faults
from tests.e2e.quiet import BROKEN, Quiet

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

LOOPBACK = "0100007F"


def test_health_and_readiness(quiet: Quiet) -> None:
    assert (quiet.answers["/health"], quiet.health) == (200, b"ok\n")
    assert (quiet.answers["/ready"], quiet.ready) == (200, b"ok\n")


def test_fausts_own_pages_are_not_served(quiet: Quiet) -> None:
    """One port on loopback, with three pages."""
    served = {path for path, status in quiet.answers.items() if status != 404}
    assert served == {"/health", "/ready", "/metrics"}
    if quiet.listening is None:
        pytest.skip("this system does not tell who listens where")
    assert quiet.listening == {(LOOPBACK, quiet.port)}


def test_every_metric_of_the_list_is_served(quiet: Quiet) -> None:
    listed = {family.name for family in Metrics().registry.collect()}
    families = text_string_to_metric_families(quiet.text.decode())
    assert {family.name.removesuffix("_created") for family in families} == listed


def test_metrics_move_with_the_load(quiet: Quiet) -> None:
    def moved(name: str, labels: str = "") -> float:
        return quiet.after.get((name, labels), 0) - quiet.before.get((name, labels), 0)

    names, calls = quiet.pipe.names, quiet.load.calls() + len(quiet.late)
    fired = len(quiet.load.fired)
    assert moved("pipeline_raw_events_total", "outcome=event") == calls
    refused = [
        moved(name, labels)
        for name, labels in quiet.after
        if name == "pipeline_raw_events_total" and labels != "outcome=event"
    ]
    assert sum(refused) == len(BROKEN)
    assert moved("pipeline_records_total", "outcome=taken") > calls
    for topic, count in (
        (names.triggers, fired + len(quiet.late)),
        (names.decisions, len(quiet.load.waits)),
    ):
        assert moved("pipeline_published_total", f"topic={topic}") == count
    assert moved("pipeline_trigger_lateness_seconds_count") == fired
    outcomes = [
        moved(name, labels)
        for name, labels in quiet.after
        if name == "pipeline_outcomes_total" and "outcome=fired" in labels
    ]
    assert sum(outcomes) == fired
    for name in ("pipeline_apply_seconds_count", "pipeline_barrier_seconds_count"):
        assert moved(name) > 0, name
    for stage in ("normalize", "state"):
        assert moved("pipeline_batch_records_count", f"stage={stage}") > 0
    assert quiet.after["pipeline_partitions_owned", ""] == PARTITIONS
    assert quiet.after["pipeline_tick_age_seconds", ""] == 0
    assert quiet.after["pipeline_overtaken_total", ""] == 0
    lag = {
        labels: value
        for (name, labels), value in quiet.after.items()
        if name == "pipeline_lag_records"
    }
    assert len(lag) == 2 * PARTITIONS
    assert set(lag.values()) == {0}
    ages = [
        value
        for (name, _), value in quiet.after.items()
        if name == "pipeline_watermark_age_seconds"
    ]
    assert len(ages) == PARTITIONS
    assert all(0 <= age < 30 for age in ages)


def test_neither_metrics_nor_logs_hold_anybodys_data(quiet: Quiet) -> None:
    assert [c for c in CANARIES if c.encode() in quiet.text] == []
    assert b"loan" not in quiet.text.lower()
    assert log_faults(quiet.folder) == []


def test_the_log_tells_of_start_and_stop(quiet: Quiet) -> None:
    log = quiet.folder / "worker-0" / "worker.log"
    lines = [orjson.loads(line) for line in log.read_text().splitlines()]
    told = [line["event"] for line in lines]
    assert told[0] == "worker started"
    assert told[-1] == "worker stopped"
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    assert {line["level"] for line in lines} <= {"info", "warning"}
