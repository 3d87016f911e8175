"""What can be seen of a worker from outside: its pages, its log; and figures in words."""

import asyncio
import contextlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import orjson
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.load import CANARIES


def log_faults(folder: Path) -> list[str]:
    """Lines of the workers' logs that are no JSON, or that hold somebody's data."""
    lines = [
        line for log in folder.glob("worker-*/worker.log") for line in log.read_text().splitlines()
    ]
    assert lines
    return [line for line in lines if not _is_json(line) or any(c in line for c in CANARIES)]


def _is_json(line: str) -> bool:
    with contextlib.suppress(orjson.JSONDecodeError):
        return isinstance(orjson.loads(line), dict)
    return False


async def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def metrics(port: int) -> dict[tuple[str, str], float]:
    """A worker's samples by name and labels, these as `name=value,...`."""
    _, body = await get(port, "/metrics")
    return {
        (sample.name, ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


async def during(work: Awaitable[Any], fault: Awaitable[Any]) -> Any:
    """What the work gives, while the fault happens."""
    result, _ = await asyncio.gather(work, fault)
    return result


def summary(values: list[float]) -> str:
    """Median and largest."""
    if not values:
        return "none"
    return f"p50 {values[len(values) // 2]:.3f} s, max {values[-1]:.3f} s (n {len(values)})"
