"""What all commands share."""

import asyncio
import contextlib

import pytest

from pipeline.commands.common import going_on


async def test_a_cancellation_that_a_client_swallows_ends_the_command_at_its_next_step() -> None:
    reached: list[str] = []

    async def command() -> None:
        going_on()
        reached.append("begun")
        with contextlib.suppress(asyncio.CancelledError):  # as clients do
            await asyncio.sleep(3600)
        reached.append("swallowed")
        going_on()
        reached.append("went on")

    task = asyncio.create_task(command())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reached == ["begun", "swallowed"]
