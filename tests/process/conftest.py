"""What tests of a changing rulebook begin with."""

import pytest

from tests.process.changing import Changing, journey


@pytest.fixture(params=["person", "key"])
def match(request: pytest.FixtureRequest) -> str:
    """Where the facts of a wait meet."""
    found: str = request.param
    return found


@pytest.fixture
async def world(match: str) -> Changing:
    """Somebody waits from 10:00 to 12:00, under version 1."""
    made = Changing()
    await made.apply("08:00", journey(match=match))
    await made.known("u1")
    await made.track("10:00", "u1", "Approved")
    return made
