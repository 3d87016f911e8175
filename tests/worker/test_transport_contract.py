"""The private names of Faust, mode and aiokafka that the transport stands on.

When a new release breaks one of these, look at pipeline/worker before raising the pin.
"""

import inspect
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import cast

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import (
    Assignment,
    Subscription,
    SubscriptionState,
    TopicPartitionState,
)
from faust import App
from faust.app.base import BootStrategy
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import ServiceThread, WorkerThread

from pipeline.settings import KafkaSettings
from pipeline.worker.consumer import BatchConsumer
from pipeline.worker.ledger import Batch
from pipeline.worker.options import Options
from pipeline.worker.thread import BatchThread
from pipeline.worker.transport import BatchApp, make_app


async def nothing(topic: str, partition: int, records: Batch) -> None:
    pass


@pytest_asyncio.fixture
async def app() -> AsyncIterator[BatchApp]:
    options = Options(KafkaSettings("a:1,b:2"), "group")
    app = make_app(options, raw="raw", events="events", normalize=nothing, apply=nothing)
    yield app
    cast(
        BatchConsumer, app.consumer
    )._thread.thread_loop.close()  # else closed by the thread, which never ran


def test_versions() -> None:
    assert version("faust-streaming").startswith("0.15.")
    assert version("aiokafka").startswith("0.14.")


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (Consumer, "getmany ack commit perform_seek on_partitions_assigned _new_offset"),
        (Consumer, "on_partitions_revoked _filter_tps_with_pending_acks _add_gap _should_commit"),
        (Consumer, "_get_active_partitions on_buffer_full on_buffer_drop verify_event_path"),
        (Consumer, "stop_flow _drain_messages _commit_tps _commit_offsets"),
        (driver.Consumer, "_new_consumer_thread highwater assignment"),
        (driver.AIOKafkaConsumerThread, "__post_init__ _create_worker_consumer"),
        (driver.AIOKafkaConsumerThread, "_ensure_consumer call_thread on_crash"),
        (App, "_create_directories _on_agent_error crash_reason crashed transport Settings"),
        (BootStrategy, "enable_web enable_kafka_producer"),
        (ServiceThread, "Worker"),
        (Fetcher, "fetched_records _create_fetch_waiter _notify"),
        (FetchResult, "getall has_more"),
        (FetchError, "check_raise"),
        (PartitionRecords, "_consumer_record"),
        (SubscriptionState, "fetch_context wait_for_assignment reassignment_in_progress"),
        (AIOKafkaConsumer, "seek committed beginning_offsets end_offsets"),
        (SubscriptionState, "subscription"),
        (Subscription, "assignment"),
        (Assignment, "state_value"),
        (TopicPartitionState, "position has_valid_position"),
    ],
)
def test_names_are_there(owner: type, names: str) -> None:
    assert [name for name in names.split() if not hasattr(owner, name)] == []


@pytest.mark.parametrize(
    ("ours", "base"),
    [
        (BatchConsumer, driver.Consumer),
        (BatchThread, driver.AIOKafkaConsumerThread),
        (BatchApp, App),
    ],
)
def test_every_override_overrides_something(ours: type, base: type) -> None:
    own = {"fetch", "begin", "starts", "_fetch", "_begin", "_starts", "_check_lost", "_position"}
    own |= {
        "_wait_for_room",
        "_find_strays",
        "_flowing",
        "_strayed",
        "_message",
        "lag",
        "give_up",
        "_take_over",
        "rewind",
        "fail",
    }
    strays = [
        name
        for name, value in vars(ours).items()
        if inspect.isfunction(value) and name not in own and not hasattr(base, name)
    ]
    assert strays == []


def test_aiokafka_takes_our_arguments() -> None:
    taken = inspect.signature(AIOKafkaConsumer).parameters
    for name in (
        "group_instance_id max_poll_interval_ms rebalance_timeout_ms fetch_min_bytes "
        "isolation_level security_protocol sasl_mechanism sasl_plain_username "
        "sasl_plain_password ssl_context"
    ).split():
        assert name in taken


def test_a_seek_drops_what_aiokafka_has_buffered() -> None:
    assert "self._fetcher.seek_to" in inspect.getsource(AIOKafkaConsumer.seek)
    assert "del self._records[tp]" in inspect.getsource(Fetcher.seek_to)


def test_taking_does_what_aiokafka_does_between_fetches() -> None:
    taken = inspect.getsource(Fetcher.fetched_records)
    for use in (
        "self._subscriptions.reassignment_in_progress",
        "self._subscriptions.is_assigned(tp)",
        "res_or_error.getall(max_records)",
        "self._notify(self._wait_consume_future)",
        "self._create_fetch_waiter()",
    ):
        assert use in taken
    assert "self._consumer_record(tp, record)" in inspect.getsource(
        PartitionRecords._unpack_records
    )


def test_the_drain_asks_what_we_answer() -> None:
    drain = inspect.getsource(Consumer._drain_messages)
    for use in ("self.getmany", "self._read_offset.__getitem__", "self._read_offset.__setitem__"):
        assert use in drain
    commit = inspect.getsource(Consumer.force_commit) + inspect.getsource(
        Consumer._filter_committable_offsets
    )
    assert "_filter_tps_with_pending_acks" in commit
    assert "self._new_offset(tp)" in commit


def test_the_worker_thread_may_be_a_daemon() -> None:
    assert "self.daemon = False" in inspect.getsource(WorkerThread.__init__)


@pytest.mark.asyncio
async def test_what_an_instance_has(app: BatchApp) -> None:
    consumer = app.consumer
    assert isinstance(consumer, BatchConsumer)
    assert isinstance(consumer._thread, BatchThread)
    for name in "_unacked_messages _committed_offset flow_active can_resume_flow".split():
        assert hasattr(consumer, name)
    tp = TP("raw", 0)
    consumer._read_offset[tp] = 9
    assert consumer._read_offset[tp] is None
    assert consumer.commit_interval == Options(KafkaSettings("a:1"), "group").commit
    assert set(app.agents) == {"normalize", "apply"}


@pytest.mark.asyncio
async def test_acks_go_to_the_ledger(app: BatchApp) -> None:
    class Record:
        offset, timestamp, timestamp_type = 4, 1000, 0

    consumer, tp = app.consumer, TP("raw", 0)
    assert isinstance(consumer, BatchConsumer)
    batch = app.ledger.deliver(tp, app.ledger.begin(tp, 4), [Record()], 5)
    assert batch is not None
    message = consumer._message(batch)
    message.incref(1)
    event = await app.topic("raw", schema=app.agents["normalize"].channel.schema).decode(message)
    assert event.value is batch
    event.ack()
    assert list(consumer._filter_tps_with_pending_acks()) == [tp]
    assert consumer._filter_committable_offsets([tp]) == {tp: 5}
    assert not consumer._acked[tp]


@pytest.mark.asyncio
async def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC_DISABLE_LEADER", "0")
    monkeypatch.setenv("BROKER_URL", "kafka://elsewhere:1")
    monkeypatch.setenv("WEB_ENABLED", "1")
    options = Options(KafkaSettings("a:1"), "group")
    app = make_app(options, raw="raw", events="events", normalize=nothing, apply=nothing)
    assert app.conf.topic_disable_leader
    assert "elsewhere" not in str(app.conf.broker)
    assert not app.boot_strategy._should_enable_web()


def test_a_password_is_not_shown() -> None:
    kafka = KafkaSettings("a:1", "SASL_SSL", "SCRAM-SHA-512", "u", "secret")
    assert "secret" not in repr(Options(kafka, "g"))
