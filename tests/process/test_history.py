"""A backtest does what production did, and keeps nothing but the state."""

from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.times import DAY, format_instant
from pipeline.process.history import Backtest, Came, Happened, Span, read_output, run
from pipeline.process.replay import Replay
from pipeline.rulebook.load import Document, document_digest, load_document
from tests.bench.backtest import BEGIN, history

RULEBOOK = load_document(Path(__file__).parents[2] / "deploy" / "rulebook")
PARTITIONS = 3


async def stream(records: Iterable[Happened]) -> AsyncIterator[Happened]:
    for record in records:
        yield record


async def backtested(
    records: Sequence[Happened], document: Document = RULEBOOK, **span: Any
) -> list[Came]:
    begin, end = span.get("begin"), span.get("end")
    backtest = Backtest(document, MemoryStore(), begin=begin)
    return [came async for _, came in run(stream(records), [backtest], Span(), end)]


async def produced(records: Sequence[Happened], end: int) -> list[Came]:
    """What several workers did: the rulebook was in force before the first record."""
    replay = Replay(MemoryStore(), partitions=PARTITIONS)
    replay.now = records[0].at - DAY
    await replay.enforce(RULEBOOK, document_digest(RULEBOOK))
    for record in records:
        await replay.feed(record.value, record.at, record.kafka_time, record.place)
    await replay.advance(end)
    found = [read_output(entry.topic, entry.value) for entry in replay.outputs]
    return [came for came in found if came is not None]


def placed(records: Iterable[Happened]) -> list[Happened]:
    """As a topic of three partitions has them; every fifth event lost its messageId."""
    offsets = [0, 0, 0]
    found = []
    for nth, (at, value, _, _) in enumerate(records):
        call = orjson.loads(value or b"")
        if nth % 5 == 0:
            del call["messageId"]
        place = ("segment.raw", nth % 3, offsets[nth % 3])
        offsets[nth % 3] += 1
        found.append(Happened(at, orjson.dumps(call), at, place))
    return found


def told(came: Iterable[Came]) -> list[tuple[str, str, str, str]]:
    """Of everything that came its id, when, and why."""
    when = {"trigger": "firedAt", "retraction": "at", "decision": "decidedAt"}
    return sorted(
        (kind, record["id"], record[when[kind]], str(record.get("reason"))) for kind, record in came
    )


@pytest.mark.parametrize("seed", range(3))
async def test_a_backtest_over_a_past_span_gives_the_ids_that_production_fired(seed: int) -> None:
    records = placed(history(800, seed))
    end = records[-1].at
    mine, theirs = told(await backtested(records, end=end)), told(await produced(records, end))
    assert mine == theirs
    assert sum(kind == "trigger" for kind, *_ in mine) > 50


async def test_of_a_later_from_the_waits_that_began_since_have_productions_ids() -> None:
    records = placed(history(800))
    middle, end = BEGIN + 15 * DAY, records[-1].at
    begun = format_instant(middle)
    mine = await backtested(records, begin=middle, end=end)
    theirs = await produced(records, end)
    fired = [
        came
        for came in theirs
        if came.kind == "trigger" and came.record["anchor"]["timestamp"] >= begun
    ]
    assert len(fired) > 30
    assert set(told(fired)) <= set(told(mine))


async def test_backtests_over_one_reading_do_not_disturb_each_other() -> None:
    records = list(history(400))
    other: Document = {**RULEBOOK, "journeys": RULEBOOK["journeys"][:1]}
    pair = [Backtest(RULEBOOK, MemoryStore()), Backtest(other, MemoryStore())]
    found = [each async for each in run(stream(records), pair, Span())]
    for number, document in enumerate((RULEBOOK, other)):
        assert [came for n, came in found if n == number] == await backtested(records, document)


async def test_what_came_is_handed_out_at_once_and_not_kept() -> None:
    store = MemoryStore()
    backtest = Backtest(RULEBOOK, store)
    given = [len(await backtest.take(record)) for record in history(300)]
    assert sum(given) > 100
    assert max(given) < 30
    for internal in (True, False):
        assert await store.outbox(0, internal=internal, after=None, limit=10) == []


async def test_the_span_tells_what_was_read_and_the_end_cuts_it_off() -> None:
    records, span = list(history(100)), Span()
    backtest = Backtest(RULEBOOK, MemoryStore())
    async for _ in run(stream(records), [backtest], span, records[49].at):
        pass
    assert (span.records, span.first, span.last) == (50, records[0].at, records[49].at)


async def test_a_history_without_records_gives_nothing() -> None:
    assert await backtested([]) == []
    assert await backtested([], begin=BEGIN, end=BEGIN + DAY) == []


async def test_values_that_are_no_events_are_counted_and_passed_over() -> None:
    backtest = Backtest(RULEBOOK, MemoryStore())
    for nth, value in enumerate((None, b"", b"\xff", b"[]", b'{"type":"track"}')):
        await backtest.take(Happened(BEGIN + nth, value))
    assert backtest.counts["event"] == 0
    assert backtest.counts.total() == 5
