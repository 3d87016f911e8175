"""Any sequence of commits, reads and trims gives the same on Redis, or a cluster, as in memory."""

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from pipeline.adapters.memory_store import MemoryStore
from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_store import RedisStore
from pipeline.local import Redis
from pipeline.names import Names
from pipeline.ports import Change, Entry, Mark
from tests.redis_cluster import Cluster

pytestmark = pytest.mark.redis
T = TypeVar("T")

PARTITIONS = st.integers(0, 1)
KEYS = st.sampled_from([b"a", b"b", b"\x00", b"\xff|", b"e:"])
VALUES = st.none() | st.binary(max_size=8)
INSTANTS = st.none() | st.sampled_from([0, 1, 5, 2**41 + 1])
INDEXES = st.lists(st.integers(1, 12), max_size=3, unique=True).map(sorted)
MARKS = st.builds(Mark, st.integers(0, 12), st.integers(0, 12))


class Both(RuleBasedStateMachine):
    link: RedisLink
    runner: asyncio.Runner

    @initialize()
    def begin(self) -> None:
        self.memory = MemoryStore()
        names = Names(f"m{uuid.uuid4().hex[:10]}.")
        self.redis = RedisStore(self.link, names, patience=1.0)
        self.next = [0, 0]

    def same(self, ours: Coroutine[Any, Any, T], theirs: Coroutine[Any, Any, T]) -> T:
        def run(work: Coroutine[Any, Any, T]) -> T | str:
            try:
                return self.runner.run(work)
            except ValueError as error:
                return str(error)

        expected, found = run(ours), run(theirs)
        assert expected == found
        return expected  # type: ignore[return-value]

    @rule(
        partition=PARTITIONS,
        step=st.integers(0, 2),
        entities=st.dictionaries(KEYS, VALUES, max_size=4),
        due=st.dictionaries(KEYS, INSTANTS, max_size=4),
        internal=INDEXES,
        outward=INDEXES,
        stale=st.booleans(),
    )
    def commit(
        self,
        partition: int,
        step: int,
        entities: dict[bytes, bytes | None],
        due: dict[bytes, int | None],
        internal: list[int],
        outward: list[int],
        stale: bool,
    ) -> None:
        stood = self.runner.run(self.memory.watermark(partition))
        offset = stood.offset if stood else 0

        def entries(indexes: list[int]) -> list[Entry]:
            return [Entry(Mark(offset, i), "t", b"k", None, (("h", b""),), i) for i in indexes]

        change = Change(Mark(offset + step, 0), entities, due, entries(internal), entries(outward))
        expected = Mark(offset, 5) if stale else stood
        self.same(
            self.memory.commit(partition, expected, change),
            self.redis.commit(partition, expected, change),
        )

    @rule(partition=PARTITIONS, internal=st.booleans(), upto=MARKS)
    def trim(self, partition: int, internal: bool, upto: Mark) -> None:
        self.same(
            self.memory.trim(partition, internal=internal, upto=upto),
            self.redis.trim(partition, internal=internal, upto=upto),
        )

    @rule(
        partition=PARTITIONS,
        keys=st.lists(KEYS, max_size=3),
        until=st.sampled_from([-1, 0, 4, 2**42]),
        limit=st.integers(1, 3),
        after=st.none() | MARKS,
        internal=st.booleans(),
    )
    def read(
        self,
        partition: int,
        keys: list[bytes],
        until: int,
        limit: int,
        after: Mark | None,
        internal: bool,
    ) -> None:
        ours, theirs = self.memory, self.redis
        self.same(ours.load_at(partition, keys), theirs.load_at(partition, keys))
        self.same(ours.due_at(partition, until, limit), theirs.due_at(partition, until, limit))
        self.same(
            ours.outbox(partition, internal=internal, after=after, limit=limit),
            theirs.outbox(partition, internal=internal, after=after, limit=limit),
        )
        self.same(ours.watermark(partition), theirs.watermark(partition))
        assert self.runner.run(ours.progress([1, 0])) == self.runner.run(theirs.progress([1, 0]))


@pytest.mark.parametrize("servers", ["redis_part", "redis_cluster"])
def test_both_do_the_same(servers: str, request: pytest.FixtureRequest) -> None:
    part: Redis | Cluster = request.getfixturevalue(servers)
    with asyncio.Runner() as runner:

        class Machine(Both):
            link = RedisLink(part.address)

        Machine.runner = runner
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=60,
                stateful_step_count=25,
                suppress_health_check=list(HealthCheck),
            ),
        )
        runner.run(Machine.link.close())
