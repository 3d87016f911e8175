"""A rulebook over a history: what it would have sent, taken back and not sent, and why."""

from collections import Counter
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from pipeline.ports import Store
from pipeline.process.replay import Replay
from pipeline.rulebook.load import Document, document_digest, make_document

Json = dict[str, Any]


class Happened(NamedTuple):
    """A raw record. `at` is its log time, never before that of the record before it."""

    at: int
    value: bytes | None
    kafka_time: int | None = None
    place: tuple[str, int, int] | None = None


@dataclass(slots=True)
class Outcome:
    """What came out. `decisions` are those that did not fire; `counts` also what was dropped."""

    records: int = 0
    first: int | None = None
    last: int | None = None
    triggers: list[Json] = field(default_factory=list)
    retractions: list[Json] = field(default_factory=list)
    decisions: list[Json] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


async def backtest(
    records: AsyncIterable[Happened],
    document: Document,
    store: Store,
    *,
    region: str = "US",
    begin: int | None = None,
    end: int | None = None,
) -> Outcome:
    """Run a history in order of log time on an empty store; emits nothing.

    The journeys come into force at `begin`, what was before is known by then: who people are, what
    they opted in to. The clock stops at `end`, else at the last record.
    """
    outcome = Outcome()
    replay = Replay(store, region=region)
    known = make_document([], document["consent"]["events"], document["identity"])
    await replay.enforce(known, document_digest(known))
    in_force = False

    async def enforce(at: int) -> None:
        nonlocal in_force
        await replay.advance(max(at - 1, replay.now))
        replay.now = max(at, replay.now)
        await replay.enforce(document, document_digest(document))
        in_force = True

    async for record in records:
        if end is not None and record.at > end:
            break
        if not in_force and (begin is None or record.at >= begin):
            await enforce(record.at if begin is None else begin)
        await replay.feed(record.value, record.at, record.kafka_time, record.place)
        outcome.records += 1
        outcome.first = record.at if outcome.first is None else outcome.first
        outcome.last = record.at
        _collect(replay, outcome)
    if not in_force and begin is not None:
        await enforce(begin)
    await replay.advance(max(end or 0, replay.now))
    _collect(replay, outcome)
    outcome.counts = replay.counts
    return outcome


def _collect(replay: Replay, outcome: Outcome) -> None:
    """Keep what matters of the outputs, and let the replay forget them."""
    for entry in replay.outputs:
        if entry.value is None:
            continue
        if entry.topic == "journey.decisions":
            decision = orjson.loads(entry.value)
            if decision["outcome"] != "fired":
                outcome.decisions.append(decision)
        elif entry.topic == "journey.triggers":
            sent = orjson.loads(entry.value)
            kept = outcome.triggers if sent["type"] == "trigger" else outcome.retractions
            kept.append(sent)
    replay.outputs.clear()
