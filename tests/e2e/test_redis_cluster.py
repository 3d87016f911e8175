"""The whole pipeline on a Redis Cluster: the triggers are those of one Redis."""

from pathlib import Path

import pytest
from redis.crc import key_slot

from tests.e2e.harness import PARTITIONS, Stage, pipe, verify
from tests.e2e.load import make, rulebook
from tests.e2e.looking import during, log_faults
from tests.redis_cluster import Cluster

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]


async def test_a_load_comes_out_as_it_must_while_a_slot_moves(
    stage: Stage, redis_cluster: Cluster, tmp_path: Path
) -> None:
    load = make(300, 4.0, seed=6)
    clustered = Stage(stage.kafka, redis_cluster.nodes[0])
    async with pipe(clustered, tmp_path, workers=2, book=rulebook("3s")) as running:
        slots = {key_slot(running.names.keys(number)) for number in range(PARTITIONS)}
        holders = {(await redis_cluster.holder(slot)).port for slot in slots}
        assert len(holders) > 1, "all partitions are on one server"
        await during(running.send(load), redis_cluster.move(min(slots)))
        await running.decided(load, 60)
        late = await running.sign_late(load)
        await running.until(lambda: len(running.read.of("retraction")) >= len(late), 30)
        verify(load, running, late)
        assert running.fallen() == []
    assert log_faults(tmp_path) == []
