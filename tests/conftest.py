"""For all tests."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from pipeline.local import LocalError
from tests.redis_cluster import Cluster, running

# how long an example takes says something of the machine, not of the claim
settings.register_profile("pipeline", deadline=None)
settings.load_profile("pipeline")

# a shell that runs the tests in the background has them ignore Ctrl-C, and they their children
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def broken_on_purpose() -> Iterator[None]:
    """`MUTANT` names a way to break the product, to see whether tests notice."""
    name = os.environ.get("MUTANT")
    if name is None:
        yield
        return
    from tests.simulation.mutants import MUTANTS  # everything, for this alone

    with MUTANTS[name]():
        yield


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[Cluster]:
    """Three Redis servers that are one, shared."""
    with asyncio.Runner() as runner:
        opened = running()
        try:
            cluster = runner.run(opened.__aenter__())
        except LocalError as error:
            pytest.skip(str(error))
        yield cluster
        runner.run(opened.__aexit__(None, None, None))
