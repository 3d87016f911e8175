"""`backtest` against a pipeline with a past: its raw topic, what it fired, what is in force."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.times import DAY, format_instant
from pipeline.process.replay import Replay
from pipeline.process.rulebook_change import InForce
from pipeline.rulebook.load import Document, document_digest, load_document
from pipeline.settings import Settings
from pipeline.wire.state import Shelf
from tests.bench.backtest import BEGIN, history
from tests.commands.conftest import REPOSITORY, Call
from tests.commands.topics import Topics

PREFIX = "p."
RULEBOOK = REPOSITORY / "deploy" / "rulebook"
ENVIRON = {
    "KAFKA_BOOTSTRAP_SERVERS": "none:1",
    "REDIS_URL": "redis://none",
    "PIPELINE_PREFIX": PREFIX,
}
Ask = Callable[..., list[Any]]


@dataclass
class Past:
    """What of an open pipeline the command uses."""

    reader: Topics
    document: Document

    async def in_force(self) -> InForce:
        return InForce({0: Shelf(documents={"d": self.document}, current="d")})


@pytest.fixture(scope="module")
def topics() -> Topics:
    """What three partitions of raw events came to, each decision moments after its instant."""
    return asyncio.run(produced())


async def produced() -> Topics:
    raw: dict[int, list[tuple[int, bytes | None]]] = {0: [], 1: [], 2: []}
    replay, document = Replay(MemoryStore(), partitions=2), load_document(RULEBOOK)
    replay.now = BEGIN - DAY
    await replay.enforce(document, document_digest(document))
    for nth, record in enumerate(history(600)):
        number = nth % 3
        place = (f"{PREFIX}segment.raw", number, len(raw[number]))
        raw[number].append((record.at, record.value))
        await replay.feed(record.value, record.at, record.at, place)
    out: dict[str, list[tuple[int, bytes | None]]] = {}
    for entry in replay.outputs:
        out.setdefault(PREFIX + entry.topic, []).append((0, entry.value))
    return Topics({f"{PREFIX}segment.raw": raw, **{name: {0: out[name]} for name in out}})


@pytest.fixture
def ask(call: Call, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Calls `backtest --json` with these words; the pipeline is the one with a past."""

    @asynccontextmanager
    async def reach(settings: Settings) -> AsyncIterator[Past]:
        assert settings.names.prefix == PREFIX
        yield Past(topics, load_document(RULEBOOK))

    monkeypatch.setattr("pipeline.commands.reach.reach", reach)

    def asks(rulebook: Path, *words: object) -> list[Any]:
        told = call("backtest", rulebook, *words, "--json", **ENVIRON)
        assert told.status == 0, told.err
        assert topics.held == 0
        return told.lines

    return asks


def test_without_a_rulebook_in_force_there_is_nothing_to_compare_with(
    call: Call, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def reach(_: Settings) -> AsyncIterator[Past]:
        yield Past(topics, {})

    monkeypatch.setattr("pipeline.commands.reach.reach", reach)
    told = call("backtest", RULEBOOK, "--compare", "in-force", **ENVIRON)
    assert told.status == 2
    assert "no rulebook is in force" in told.err


def of(lines: list[Any], kind: str) -> list[Any]:
    return [line for line in lines if line["type"] == kind]


def test_the_rulebook_in_force_fires_what_production_fired(ask: Ask) -> None:
    lines = ask(RULEBOOK, "--compare", "fired", "--compare", "in-force")
    assert of(lines, "difference") == []
    sums = of(lines, "comparison")
    assert {each["firedBy"] for each in sums} == {"both"}
    by_side = {o: sum(e["count"] for e in sums if e["other"] == o) for o in ("fired", "in-force")}
    mine, fired, in_force = of(lines, "summary")
    assert by_side["fired"] == by_side["in-force"] > 50
    assert mine["outcomes"] == fired["outcomes"] == in_force["outcomes"]
    assert mine["hours"] == fired["hours"]


def test_what_a_rulebook_leaves_out_is_fired_by_production_alone(ask: Ask, tmp_path: Path) -> None:
    less = tmp_path / "less"
    shutil.copytree(RULEBOOK, less, ignore=shutil.ignore_patterns("tests", "loan-*"))
    apart = of(ask(less, "--compare", "fired"), "difference")
    assert len(apart) > 10
    assert {each["journey"] for each in apart} == {"loan-approved-not-signed"}
    assert {each["firedBy"] for each in apart} == {"fired"}
    assert {each["otherSays"]["outcome"] for each in apart} == {"no_journey"}


def test_of_a_later_from_production_is_counted_from_there(ask: Ask) -> None:
    begin = format_instant(BEGIN + 15 * DAY)
    lines = ask(RULEBOOK, "--from", begin, "--compare", "fired")
    _, fired = of(lines, "summary")
    assert min(each["hour"] for each in fired["hours"]) >= begin
    says = [each["otherSays"]["outcome"] for each in of(lines, "difference")]
    assert "before_from" in says


def test_a_history_from_the_topic_stops_at_to_and_leaves_nothing_open(ask: Ask) -> None:
    (summary,) = ask(RULEBOOK, "--to", format_instant(BEGIN + DAY))[-1:]
    assert summary["records"] == 21
    assert summary["to"] == format_instant(BEGIN + DAY)
