"""A worker on a real broker and Redis whose state and log part: refused, built again, filled."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from pipeline.adapters.redis_client import connect
from pipeline.adapters.topics import Topics, specs
from pipeline.commands.reach import Reach, reach
from pipeline.names import Names
from pipeline.ports import Entry, Mark
from pipeline.process.garbage import RUN_MAX
from pipeline.process.guard import Rebuild
from pipeline.process.rulebook_change import apply_rulebook
from pipeline.process.state import Halted
from pipeline.rulebook.compile import canonical_document
from pipeline.settings import KafkaSettings, Settings
from pipeline.worker import worker
from pipeline.worker.worker import serve
from tests.commands.conftest import Call

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

PARTITIONS = 2
PEOPLE = 8
RULEBOOK = canonical_document(
    {
        "journeys": [
            {
                "journey": "j",
                "version": 1,
                "key": "properties.loanId",
                "start": {"event": "Approved"},
                "unless": [{"event": "Signed"}],
                "steps": [{"after": "1s", "channel": "voice"}],
            }
        ]
    }
)
_WIPE = """
local keys = redis.call('KEYS', ARGV[1])
for _, key in ipairs(keys) do redis.call('DEL', key) end
return #keys
"""


class Pipe:
    """A pipeline of a test's own; workers run in this process."""

    def __init__(self, servers: str, redis_url: str) -> None:
        self.settings = Settings(
            kafka=KafkaSettings(servers),
            redis_url=redis_url,
            partitions=PARTITIONS,
            names=Names(f"g{uuid.uuid4().hex[:8]}."),
            http_port=0,
        )
        self.names = self.settings.names
        self.environ = {
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "REDIS_URL": redis_url,
            "PIPELINE_PREFIX": self.names.prefix,
            "PIPELINE_PARTITIONS": str(PARTITIONS),
            "PIPELINE_HTTP": "127.0.0.1:1",
        }

    async def create(self) -> None:
        """Topics, and the rulebook before any worker."""
        await Topics(self.settings.kafka).create(specs(self.names, PARTITIONS))
        async with reach(self.settings) as opened:
            await apply_rulebook(RULEBOOK, "d", await opened.log(), PARTITIONS)

    @asynccontextmanager
    async def working(self, rebuild: Rebuild | None = None) -> AsyncIterator[Reach]:
        """A worker runs while the block does."""
        structlog.reset_defaults()  # a command before may have set it up for a stderr that is gone
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(self.settings, stop, rebuild=rebuild))
        async with reach(self.settings) as opened:
            work = asyncio.create_task(_until_ended(serving))
            try:
                yield opened
            finally:
                stop.set()
                await work

    async def people(self, opened: Reach, first: int) -> None:
        """Some who wait for a second, and are called."""
        entry = {"channel": "voice", "subscribed": True, "timestamp": "2026-01-01T00:00:00Z"}
        values = []
        for number in range(first, first + PEOPLE):
            user = {"userId": f"u{number}", "context": {"ip": "203.0.113.9"}}
            traits = {"phone": f"+1212555{1000 + number}", "optIn": [entry]}
            device = {"anonymousId": f"a{number}"}
            values += [
                {"type": "track", "event": "Seen", **device},
                {"type": "identify", "traits": traits, **user, **device},
                {
                    "type": "track",
                    "event": "Approved",
                    "properties": {"loanId": f"L{number}"},
                    **user,
                },
            ]
        await opened.publish(
            [Entry(Mark(0, 0), self.names.raw, b"k", orjson.dumps(value)) for value in values]
        )

    async def outward(self, opened: Reach) -> dict[str, list[tuple[Any, ...]]]:
        names = self.names
        found: dict[str, list[tuple[Any, ...]]] = {}
        for topic in (
            names.triggers,
            names.decisions,
            names.contacts,
            names.optins,
            names.evidence,
        ):
            found[topic] = sorted(
                [(k.partition, k.key, k.value) async for k in opened.reader.read(topic)]
            )
        return found

    async def called(self, opened: Reach, people: int) -> None:
        """Everybody is called, and nothing is under way any more."""

        async def reached() -> bool:
            kept = [k async for k in opened.reader.read(self.names.triggers)]
            return len(kept) >= people

        await until(reached)
        await self.settled(opened)

    async def settled(self, opened: Reach) -> None:
        async def taken() -> bool:
            ends = await opened.reader.ends(self.names.events)
            progress = await opened.store.progress(ends)
            return all(
                progress[n].watermark.offset == end and progress[n].unpublished is None
                for n, end in ends.items()
            )

        for _ in range(2):
            await until(taken)
            await asyncio.sleep(0.3)

    async def entities(self) -> dict[bytes, bytes]:
        """All of both partitions, but their ledgers and the guard."""
        client: Any = connect(self.settings.redis_url or "")
        try:
            keys = [key async for key in client.scan_iter(match=f"{self.names.prefix}*:e:*")]
            kept = [key for key in keys if not key.endswith(b"e:ledger")]
            return dict(zip(kept, await client.mget(kept), strict=True))
        finally:
            await client.aclose()

    async def wipe(self) -> int:
        """What FLUSHALL does, to these keys only."""
        client: Any = connect(self.settings.redis_url or "")
        try:
            count: int = await client.eval(_WIPE, 0, f"{self.names.prefix}*")
        finally:
            await client.aclose()
        return count


async def _until_ended(serving: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(60):
        await serving


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(25):
        while True:
            if await reached():
                return
            await asyncio.sleep(0.1)


@pytest.fixture
def pipe(addresses: tuple[str, str]) -> Pipe:
    made = Pipe(*addresses)
    asyncio.run(made.create())
    return made


def test_a_state_that_is_built_again_is_the_same_and_nothing_goes_out_twice(
    pipe: Pipe, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "AUDIT_SECONDS", 0.2)

    async def first() -> tuple[Any, Any]:
        async with pipe.working() as opened:
            await pipe.people(opened, 0)
            await pipe.called(opened, PEOPLE)
            return await pipe.outward(opened), await pipe.entities()

    async def again(rebuild: Rebuild | None) -> tuple[Any, Any]:
        """Built again or as it is; in the second case Redis forgets everything under the worker."""
        async with pipe.working(rebuild) as opened:
            await asyncio.sleep(1.0)
            await pipe.settled(opened)
            if rebuild is None:
                assert await pipe.wipe() > PEOPLE

                async def back() -> bool:
                    return len(await pipe.entities()) >= len(entities)

                await until(back)
                await pipe.settled(opened)
            return await pipe.outward(opened), await pipe.entities()

    async def last() -> None:
        async with pipe.working() as opened:
            await pipe.people(opened, 100)
            await pipe.called(opened, 2 * PEOPLE)
            assert len((await pipe.outward(opened))[pipe.names.triggers]) == 2 * PEOPLE

    outward, entities = asyncio.run(first())
    assert len(outward[pipe.names.triggers]) == PEOPLE
    for rebuild in (Rebuild(), None):
        found = asyncio.run(again(rebuild))
        assert found[1] == entities
        assert found[0] == outward
    # and a worker that starts on a Redis that forgot says so
    assert asyncio.run(pipe.wipe())
    told = call("worker", **pipe.environ)
    assert told.status == 1
    (line,) = told.err.splitlines()
    assert line.startswith(f"pipeline: Redis has no state, but {pipe.names.events} has a history")
    assert asyncio.run(again(Rebuild()))[1] == entities
    asyncio.run(last())


async def change(pipe: Pipe, what: str) -> None:
    events = pipe.names.events
    admin = AIOKafkaAdminClient(bootstrap_servers=pipe.settings.kafka.servers)
    await admin.start()
    try:
        if what == "expired":
            async with reach(pipe.settings) as opened:
                await apply_rulebook(RULEBOOK, "d", await opened.log(), PARTITIONS)
            await admin.delete_records({TopicPartition(events, 1): RecordsToDelete(4)})
        else:
            await admin.delete_topics([events])
            await asyncio.sleep(0.5)
            wanted = [spec for spec in specs(pipe.names, PARTITIONS) if spec.name == events]
            await Topics(pipe.settings.kafka).create(wanted)
    finally:
        await admin.close()


def test_a_worker_whose_log_is_another_one_says_so_and_does_not_start(
    pipe: Pipe, call: Call
) -> None:
    async def once() -> None:
        async with pipe.working() as opened:
            await pipe.settled(opened)

    asyncio.run(once())
    told = call("doctor", **pipe.environ)
    assert told.status == 0, told.out
    assert "Redis holds the state of this log" in told.out
    assert "days and still begins at its start" in told.out
    assert "before Kafka forgets what was published" in told.out
    told = call("worker", **(pipe.environ | {"PIPELINE_PARTITIONS": "4"}))
    assert told.status == 1
    assert "has 2 partitions, PIPELINE_PARTITIONS says 4" in told.err
    asyncio.run(change(pipe, "expired"))
    told = call("worker", **pipe.environ)
    assert told.status == 1
    assert "2 records of" in told.err
    assert "were deleted before they were taken (partitions 1" in told.err
    told = call("worker", "--rebuild", **pipe.environ)
    assert told.status == 1
    assert "4 records are gone from the beginning" in told.err
    asyncio.run(change(pipe, "anew"))
    told = call("worker", **pipe.environ)
    assert told.status == 1
    assert "was deleted and created anew" in told.err
    told = call("doctor", **pipe.environ)
    assert told.status == 1
    assert "was deleted and created anew" in told.out
    other = replace(pipe.settings, names=Names(pipe.names.prefix + "other."))
    assert other.names.events not in told.err


def test_a_topic_of_garbage_halts_the_worker_before_all_of_it_is_in_the_dead_letters(
    pipe: Pipe,
) -> None:
    async def drain() -> int:
        async with reach(pipe.settings) as opened:
            garbage = [Entry(Mark(0, 0), pipe.names.raw, b"k", b"garbage")] * (2 * RUN_MAX)
            await opened.publish(garbage)
        said = f"{RUN_MAX} unusable records in a row, most of them invalid_json"
        with pytest.raises(Halted, match=said):
            async with pipe.working():
                await asyncio.sleep(4)
        async with reach(pipe.settings) as opened:
            return len([k async for k in opened.reader.read(pipe.names.dead_letters)])

    assert asyncio.run(drain()) <= RUN_MAX


def test_only_a_rebuild_takes_what_goes_with_one(call: Call) -> None:
    told = call("worker", "--accept-loss")
    assert told.status == 2
    assert "goes with --rebuild" in told.err
