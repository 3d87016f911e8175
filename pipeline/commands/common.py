"""What commands share: how they fail, how they print, how they run a coroutine."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import click
import orjson

from pipeline.settings import Settings, load

T = TypeVar("T")

CHECK_FAILED: Final = 1
USAGE: Final = 2
OUT_OF_REACH: Final = 3


class Failure(Exception):
    """Ends a command with one line on stderr: what, where, what to do."""

    def __init__(self, message: str, status: int = USAGE) -> None:
        """`status` is the exit status: 1 a check failed, 2 usage or settings, 3 out of reach."""
        super().__init__(message)
        self.status = status


def settings() -> Settings:
    """The settings of the environment. Raises `SettingsError`."""
    return load(os.environ)  # noqa: TID251  # the one place that hands the environment over


def reachable() -> Settings:
    """The settings, for commands that speak to a running pipeline: both addresses are needed."""
    found = settings()
    missing = [
        name
        for name, value in (
            ("KAFKA_BOOTSTRAP_SERVERS", found.kafka.servers),
            ("REDIS_URL", found.redis_url),
        )
        if not value
    ]
    if missing:
        raise Failure(f"{' and '.join(missing)} not set: give the addresses that `up` prints")
    return found


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end. What clients log about is told by our own errors."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL + 1)
    return asyncio.run(coroutine)


def print_json(value: object) -> None:
    """One machine line."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON value a line.")
