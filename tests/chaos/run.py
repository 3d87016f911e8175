"""One run: parts, workers, load, faults from a seed, healing, and the oracle's verdict."""

import asyncio
import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.adapters.kafka_connection import Connection, LogEnds
from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_store import RedisStore
from pipeline.ports import LogUnavailable, StoreUnavailable
from pipeline.process.barrier import _passed
from tests.chaos.faults import KINDS, lane
from tests.chaos.oracle import Published, Verdict, judge
from tests.chaos.parts import ChaosWorker, Store, cluster, in_sync
from tests.chaos.proxy import Link
from tests.chaos.stage import Notes, Scene, waited
from tests.chaos.topics import everything
from tests.chaos.traffic import Sent, Traffic
from tests.e2e.harness import PARTITIONS, Pipe, Read, Stage
from tests.e2e.load import rulebook
from tests.e2e.looking import log_faults

SETTLE_SECONDS: Final = 60.0
"""From the last fault, or the last deadline, until all must be done."""
READ_SECONDS: Final = 120.0
TELL_SECONDS: Final = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be done."""

    minutes: float
    seed: int
    faults: Sequence[str]
    brokers: int = 1
    workers: int = 3
    rate: float = 250.0
    after: float = 30.0
    """Seconds from a start to its deadline."""
    late: bool = False
    """Whether the workers' threads come late."""
    mutant: str | None = None
    keep: bool = False
    """The logs, also where all is well."""


@dataclass
class Outcome:
    """What came of it."""

    plan: Plan
    folder: Path
    sent: Sent
    read: Read
    notes: Notes
    verdict: Verdict = field(default_factory=Verdict)
    settled: float | None = None
    raw: int = 0
    """Calls that stand in the raw topic."""

    @property
    def good(self) -> bool:
        return self.verdict.good


async def run(plan: Plan, say: Say) -> Outcome:
    """The run's folder stays where something is wrong."""
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{plan.seed}-"))
    notes = Notes(folder / "chaos.log")
    async with AsyncExitStack() as stack:
        say(f"starting {plan.brokers} broker(s), Redis and {plan.workers} workers")
        scene, pipe = await _open(stack, plan, folder, notes)
        servers = scene.nodes[0].address
        traffic = Traffic(servers, pipe.names.raw, rate=plan.rate, after=plan.after, seed=plan.seed)
        outcome = Outcome(plan, folder, traffic.sent, pipe.read, notes)
        await _owned(scene)
        notes.begun = time.monotonic()
        say(f"{plan.minutes} minutes of faults, seed {plan.seed}; diary {notes.file}")
        async with _signing(pipe, traffic, notes):
            await _storm(scene, plan, traffic)
            ended = time.monotonic() - notes.begun
            notes.note("the faults are over")
            say(f"faults over after {ended:.0f} s; waiting for the last deadlines")
            ended = max(ended, traffic.last_deadline)
            await asyncio.sleep(max(0.0, ended - (time.monotonic() - notes.begun)))
        outcome.settled = await _settle(scene, pipe, traffic.sent, ended)
        await _judge(outcome, scene, pipe)
        await scene.close()
    outcome.verdict.violations["workers that halted"] += notes.halted
    outcome.verdict.violations["personal data or no JSON in a log"] += _logs(folder)
    if outcome.good and not plan.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _logs(folder: Path) -> list[str]:
    """Of the workers' logs; the last line of one that gave up is for a person."""
    return [line[:300] for line in log_faults(folder) if not line.startswith("pipeline: ")][:20]


async def _open(
    stack: AsyncExitStack, plan: Plan, folder: Path, notes: Notes
) -> tuple[Scene, Pipe]:
    nodes = await cluster(folder, plan.brokers, plan.workers)
    scene = Scene(folder, nodes, Store(folder / "redis-0"), notes)

    async def end() -> None:
        for node in nodes:
            node.kill()
            await node.close()
            for link in node.links:
                await link.close()
        scene.store.kill()
        await scene.store.close()
        for worker in scene.workers:
            worker.kill()
            await worker.link.close()

    stack.push_async_callback(end)
    await asyncio.gather(*(node.start() for node in nodes), scene.store.start())
    pipe = Pipe(Stage(nodes[0], scene.store), folder, rulebook(f"{plan.after:g}s"))
    await pipe.prepare()
    for number in range(plan.workers):
        link = Link(scene.store.port)
        await link.start()
        servers = ",".join(f"127.0.0.1:{node.links[number].port}" for node in nodes)
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "REDIS_URL": f"redis://127.0.0.1:{link.port}/0",
            "PIPELINE_PARTITIONS": str(PARTITIONS),
            "PIPELINE_PREFIX": pipe.names.prefix,
            "CHAOS_MUTANT": plan.mutant or "",
            "CHAOS_LATE": "1" if plan.late else "",
            # some are static members of the group, some are not
            "PIPELINE_INSTANCE": f"worker-{number}" if number % 3 else "",
        }
        home = folder / f"worker-{number}"
        scene.workers.append(ChaosWorker(number, environment, home, link))
    if not await in_sync(nodes, 60):
        notes.note("the replicas are not in sync")
    scene.keep()
    stack.push_async_callback(scene.close)
    await _follow(stack, pipe)
    return scene, pipe


async def _follow(stack: AsyncExitStack, pipe: Pipe) -> None:
    """The reader; a broker that goes away may end it, then it begins where it was."""
    ready = asyncio.Event()
    following = asyncio.create_task(pipe.follow(ready))

    async def stop() -> None:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    stack.push_async_callback(stop)
    await ready.wait()


async def _owned(scene: Scene) -> None:
    await waited(lambda: scene.owning == PARTITIONS, 90)
    assert scene.owning == PARTITIONS, "the workers did not begin"


async def _storm(scene: Scene, plan: Plan, traffic: Traffic) -> None:
    """Load and faults at the same time."""
    seconds = plan.minutes * 60
    until = asyncio.get_running_loop().time() + seconds
    lanes: list[Coroutine[Any, Any, None]] = []
    for name, faults in KINDS.items():
        kinds = [kind for kind in faults if kind in plan.faults]
        if kinds:
            lanes.append(lane(scene, name, kinds, plan.seed, until))
    await asyncio.gather(traffic.run(seconds), *lanes)


@contextlib.asynccontextmanager
async def _signing(pipe: Pipe, traffic: Traffic, notes: Notes) -> AsyncIterator[None]:
    """Sign late what has fired, as it is seen."""
    over = asyncio.Event()

    async def sign() -> None:
        told = 0.0
        while not over.is_set():
            if time.monotonic() > told + TELL_SECONDS:
                told = time.monotonic()
                read = pipe.read
                notes.note(f"seen {len(read.triggers)} triggers, {len(read.decisions)} decisions")
            seen = [value for _, value in pipe.read.triggers[traffic.seen :]]
            traffic.seen += len(seen)
            await traffic.sign(value for value in seen if value["type"] == "trigger")
            await asyncio.sleep(0.1)

    await traffic.open()
    signing = asyncio.create_task(sign())
    try:
        yield
    finally:
        over.set()
        await signing
        await traffic.close()


async def _settle(scene: Scene, pipe: Pipe, sent: Sent, since: float) -> float | None:
    """Seconds from `since` until nothing is left to do; None where that takes too long."""
    store = RedisStore(RedisLink(scene.store.address), pipe.names)
    connection = Connection(pipe.settings.kafka)
    try:
        while True:
            took = time.monotonic() - scene.notes.begun - since
            left = await _left(store, scene, connection, pipe, sent)
            if not left:
                return max(0.0, took)
            if took > SETTLE_SECONDS:
                scene.notes.note(f"not settled: {left}")
                return None
            await asyncio.sleep(0.5)
    finally:
        await store.close()
        await connection.close()


async def _left(
    store: RedisStore, scene: Scene, connection: Connection, pipe: Pipe, sent: Sent
) -> list[str]:
    """What is not done yet."""
    left = []
    if len(pipe.read.decisions) < len(sent.waits):
        left.append(f"decisions: {len(pipe.read.decisions)} of {len(sent.waits)}")
    if len(pipe.read.of("retraction")) < len(sent.retracted):
        left.append(f"retractions: {len(pipe.read.of('retraction'))} of {len(sent.retracted)}")
    try:
        ends = await LogEnds(connection).ends([pipe.names.events])
        progress = await store.progress(range(PARTITIONS))
        behind = [p for (_, p), end in ends.items() if not _passed(progress[p], end)]
        for partition in range(PARTITIONS):
            for internal in (True, False):
                found = await store.outbox(partition, internal=internal, after=None, limit=1)
                if found:
                    name = "internal" if internal else "outward"
                    left.append(f"{name} outbox of {partition} begins at {tuple(found[0].mark)}")
    except (StoreUnavailable, LogUnavailable) as error:
        return [str(error)]
    if behind:
        left.append(f"partitions behind: {behind}")
    return left


async def _judge(outcome: Outcome, scene: Scene, pipe: Pipe) -> None:
    names, sent = pipe.names, outcome.sent
    servers = scene.nodes[0].address
    published = Published()
    outward = {
        names.triggers: "journey.triggers",
        names.decisions: "journey.decisions",
        names.contacts: "contacts",
        names.optins: "optins",
        names.evidence: "consent.evidence",
        names.outbound: "segment.outbound",
        names.dead_letters: "segment.dead-letter",
    }
    stood: set[str] = set()
    dump = outcome.folder / "topics.jsonl"
    async with asyncio.timeout(READ_SECONDS):
        with dump.open("wb") as file:
            async for record in everything(servers, [*outward, names.raw]):
                value: Any = None if record.value is None else orjson.loads(record.value)
                line = record._asdict() | {
                    "key": record.key and record.key.decode(),
                    "value": value,
                    "headers": {k: v.decode() for k, v in record.headers.items()},
                }
                file.write(orjson.dumps(line) + b"\n")
                if record.topic == names.raw:
                    calls = value.get("batch", [value])
                    outcome.raw += len(calls)
                    stood.update(call["messageId"] for call in calls)
                else:
                    published.add(record, value, outward[record.topic])
    unproven = {place for place in sent.waits if sent.owner(place[1]) in sent.unproven}
    outcome.verdict = judge(sent.waits, sent.retracted, published, unproven)
    found = outcome.verdict.violations
    missing = sent.messages - stood
    if missing:
        found["acknowledged, but not in the raw topic"] += sorted(missing)[:20]
    if outcome.settled is None:
        found["not settled in time"].append(f"{SETTLE_SECONDS:.0f} s, see the diary")
    (outcome.folder / "violations.json").write_text(json.dumps(found, indent=1))
    (outcome.folder / "expected.json").write_text(
        json.dumps({f"{j}|{k}": wait for (j, k), wait in sent.waits.items()})
    )


def share(values: Sequence[float], part: float) -> float:
    """A quantile of sorted values."""
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0.0


def table(outcome: Outcome) -> Mapping[str, str]:
    """Names and figures."""
    plan, sent, verdict, notes = outcome.plan, outcome.sent, outcome.verdict, outcome.notes
    late, takeovers = outcome.read.lateness(), sorted(notes.takeovers)
    rows = {
        "minutes, seed": f"{plan.minutes:g}, {plan.seed}",
        "brokers, workers": f"{plan.brokers}, {plan.workers}",
        "events in the raw topic": f"{outcome.raw}, {outcome.raw - len(sent.messages)} repeated",
        "slowest acknowledgement": f"{sent.slowest:.1f} s (deadlines are after {plan.after:g} s)",
        "faults": str(sum(notes.faults.values())),
    }
    rows |= {f"  {kind}": str(count) for kind, count in sorted(notes.faults.items())}
    rows["named points reached"] = str(sum(notes.points.values()))
    rows |= {f"  {point}": str(count) for point, count in sorted(notes.points.items())}
    rows["workers that gave up by themselves"] = str(sum(notes.gave_up.values()))
    rows |= {f"  {count} times": said for said, count in notes.gave_up.most_common()}
    rows |= {
        "waits, decided": f"{len(sent.waits)}, {verdict.decided}",
        "waits that prove nothing": str(verdict.unproven),
        "triggers expected, published": f"{verdict.expected}, {verdict.published}",
        "retractions expected, published": f"{len(sent.retracted)}, {verdict.retracted}",
    }
    for kind in ("lost", "doubled", "without consent", "wrongly retracted"):
        rows[kind] = str(verdict.count(kind))
    rows |= {
        kind: str(len(found))
        for kind, found in verdict.violations.items()
        if found and kind not in rows
    }
    rows["partitions without an owner"] = (
        f"{len(takeovers)} times, p50 {share(takeovers, 0.5):.1f} s,"
        f" worst {share(takeovers, 1):.1f} s"
    )
    rows["trigger visible after its deadline"] = (
        f"p50 {share(late, 0.5):.2f} s, p99 {share(late, 0.99):.2f} s, max {share(late, 1):.2f} s"
    )
    settled = "not in time" if outcome.settled is None else f"{outcome.settled:.1f} s"
    rows["nothing left to do after the last deadline"] = settled
    return rows
