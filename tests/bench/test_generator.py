"""The generator knows what must come: the product's own replay and the peers' rules agree."""

from dataclasses import replace

import pytest
import yaml

from pipeline.adapters.memory_store import MemoryStore
from pipeline.process.replay import Replay
from pipeline.rulebook.compile import canonical_document
from tests.bench.expected import Found, faults
from tests.bench.generator import Load, Pace, make
from tests.bench.job import RULEBOOK, WAIT

BEGIN = 1_772_323_200_000
PACE = Pace(BEGIN, span=120.0)


async def replayed(load: Load) -> Found:
    replay = Replay(MemoryStore(), partitions=4)
    replay.now = BEGIN - 1_000
    journey = yaml.safe_load(RULEBOOK % WAIT)
    await replay.enforce(canonical_document({"journeys": [journey]}), "d" * 32)
    for call in load.calls:
        await replay.feed(call.value, BEGIN + int(call.due * 1000))
    await replay.advance(BEGIN + int((PACE.length + 2 * WAIT) * 1000))
    assert not [e for e in replay.outputs if e.topic == "segment.dead-letter"]
    return Found.of(replay.outputs)


@pytest.mark.parametrize("belated", [0.0, 0.5])
async def test_our_replay_gives_what_the_generator_expects(belated: float) -> None:
    load = make(2_000, replace(PACE, belated=belated), seed=3)
    assert len(load.triggers) > 5
    assert faults(await replayed(load), [load]) == []
