"""What was started ends with its starter, however that one ends, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import pytest

from pipeline.local.ports import is_open

STARTER = Path(__file__).with_name("starter.py")


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """Where the starter's temporary folders go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    yield folder
    assert [path.name for path in folder.iterdir() if path.name.startswith("pipeline-")] == []


async def started(temporary: Path, *argv: str) -> tuple[asyncio.subprocess.Process, list[int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(STARTER),
        *argv,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        pytest.skip("this machine can't start it")
    kafka, redis = json.loads(line)
    ports = [urlparse(f"//{kafka}").port, urlparse(redis).port]
    return process, [port for port in ports if port is not None and port != 1]


async def all_closed(ports: list[int], temporary: Path) -> None:
    """Waits for the guards: after a kill they give the servers up to five seconds."""
    for _ in range(100):
        if not any(is_open(port) for port in ports) and not any(temporary.glob("pipeline-*")):
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"still there: {[port for port in ports if is_open(port)]}")


@pytest.mark.redis
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_a_signal_to_the_starter_ends_its_part(by: signal.Signals, temporary: Path) -> None:
    process, ports = await started(temporary)
    assert len(ports) == 1
    assert is_open(ports[0])
    process.send_signal(by)
    await process.wait()
    await all_closed(ports, temporary)


@pytest.mark.kafka
async def test_kill_nine_of_the_starter_ends_both_parts(temporary: Path) -> None:
    process, ports = await started(temporary, "kafka")
    assert len(ports) == 2
    assert all(is_open(port) for port in ports)
    process.kill()
    await process.wait()
    await all_closed(ports, temporary)
