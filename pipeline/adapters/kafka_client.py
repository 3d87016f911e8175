"""What all Kafka clients of the pipeline have in common."""

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    ProducerClosed,
    ProducerFenced,
)

from pipeline.ports import LogUnavailable
from pipeline.settings import KafkaSettings

MAX_BATCH: Final = 256 * 1024
"""Bytes of one record batch."""
FENCING: Final = (ProducerFenced, InvalidProducerEpoch)
_STOP_SECONDS: Final = 5.0
_ABANDON_SECONDS: Final = 1.0


def client_args(kafka: KafkaSettings) -> dict[str, Any]:
    """The arguments that every aiokafka client takes: where the brokers are, and credentials."""
    if kafka.servers is None:
        raise ValueError("no brokers are set: start one, or set KAFKA_BOOTSTRAP_SERVERS")
    args: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in kafka.servers.split(",")],
        "security_protocol": kafka.protocol,
        "client_id": "pipeline",
    }
    if kafka.protocol.startswith("SASL"):
        args["sasl_mechanism"] = kafka.mechanism or "PLAIN"
        args["sasl_plain_username"] = kafka.username
        args["sasl_plain_password"] = kafka.password
    if kafka.protocol.endswith("SSL"):
        args["ssl_context"] = ssl.create_default_context(cafile=kafka.ca_file)
    return args


def unavailable(error: BaseException, what: str) -> LogUnavailable:
    """The error of a Kafka client as one line."""
    text = str(error).partition("\n")[0] or type(error).__name__
    return LogUnavailable(f"Kafka: {what}: {text}: check the brokers and KAFKA_ settings")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turns what a Kafka client raises into `LogUnavailable`."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise unavailable(error, what) from error


async def stop(producer: AIOKafkaProducer) -> None:
    """Send what is pending and close; where that takes too long, `abandon`."""
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        await abandon(producer)


async def abandon(producer: AIOKafkaProducer) -> None:
    """End a producer soon, whatever it is doing: no new request is sent by it.

    `stop` of aiokafka 0.14 waits for pending batches, with idempotence without end; its private
    parts are the only way to let go of a producer whose broker does not answer.
    """
    producer._closed = True  # noqa: SLF001  # else its finalizer complains
    sender = producer._sender.sender_task  # noqa: SLF001
    if sender is not None:
        # the first time it waits for its requests under way, each further time it drops one
        wait = _ABANDON_SECONDS
        while not sender.done():
            sender.cancel()
            await asyncio.wait([sender], timeout=wait)
            wait = 0.05
        if not sender.cancelled():
            sender.exception()
    await producer.client.close()
    with contextlib.suppress(asyncio.InvalidStateError):
        producer._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001
    _read_outcome(producer)


def _read_outcome(producer: AIOKafkaProducer) -> None:
    """Look at how its last transaction ended: asyncio reports a failure that nobody looked at."""
    manager = producer._txn_manager  # noqa: SLF001
    waiter = None if manager is None else manager._transaction_waiter  # noqa: SLF001
    if waiter is not None and waiter.done() and not waiter.cancelled():
        waiter.exception()
