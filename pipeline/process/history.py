"""A rulebook over a history: what it would have sent, taken back and not sent, and why.

A backtest is pushed one record after the other, so that several run over one reading of a
history, and hands out what came of each record at once: it keeps the state and nothing else.
"""

from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import orjson

from pipeline.ports import Entry, Store
from pipeline.process.replay import Replay
from pipeline.rulebook.load import Document, document_digest, make_document

Json = dict[str, Any]
Kind: TypeAlias = Literal["trigger", "retraction", "decision"]


class Happened(NamedTuple):
    """A raw record. `at` is its log time, never before that of the record before it."""

    at: int
    value: bytes | None
    kafka_time: int | None = None
    place: tuple[str, int, int] | None = None


class Came(NamedTuple):
    """What came of a history: a trigger, a retraction, or a decision that did not fire."""

    kind: Kind
    record: Json


@dataclass(slots=True)
class Span:
    """The log times of the records read, and how many there were."""

    records: int = 0
    first: int | None = None
    last: int | None = None

    def take(self, record: Happened) -> None:
        """Count a record in."""
        self.records += 1
        self.first = record.at if self.first is None else self.first
        self.last = record.at


class Backtest:
    """One rulebook on an empty store; emits nothing. Not for use by two tasks at once.

    The journeys come into force at `begin` (ms), else with the first record: what was before is
    known by then, who people are and what they opted in to.
    """

    def __init__(
        self, document: Document, store: Store, *, region: str = "US", begin: int | None = None
    ) -> None:
        self.document = document
        self._replay = Replay(store, region=region)
        self._begin = begin
        self._known = self._in_force = False

    @property
    def counts(self) -> Counter[str]:
        """What became of raw and internal records: taken, or the reason they were not."""
        return self._replay.counts

    async def take(self, record: Happened) -> list[Came]:
        """Let time pass up to a record and take it. Records come in order of log time."""
        if not self._in_force and (self._begin is None or record.at >= self._begin):
            await self._enforce(record.at if self._begin is None else self._begin)
        await self._know()
        await self._replay.feed(record.value, record.at, record.kafka_time, record.place)
        return self._came()

    async def finish(self, end: int | None) -> list[Came]:
        """Let time pass up to and including `end`, else to the last record."""
        if not self._in_force and self._begin is not None:
            await self._enforce(self._begin)
        await self._replay.advance(max(end or 0, self._replay.now))
        return self._came()

    async def _know(self) -> None:
        """What decides who people are holds from the first record on, in force or not."""
        if not self._known:
            known = make_document([], self.document["consent"]["events"], self.document["identity"])
            await self._replay.enforce(known, document_digest(known))
            self._known = True

    async def _enforce(self, at: int) -> None:
        await self._know()
        await self._replay.advance(max(at - 1, self._replay.now))
        self._replay.now = max(at, self._replay.now)
        await self._replay.enforce(self.document, document_digest(self.document))
        self._in_force = True

    def _came(self) -> list[Came]:
        """What matters of the outputs; the replay forgets them all."""
        found = list(_came(self._replay.outputs))
        self._replay.outputs.clear()
        return found


def _came(outputs: Sequence[Entry]) -> Iterator[Came]:
    for entry in outputs:
        came = read_output(entry.topic, entry.value)
        if came is not None:
            yield came


def read_output(topic: str, value: bytes | None) -> Came | None:
    """A record of `journey.triggers` or `journey.decisions`, but for what says `fired` again."""
    if value is None:
        return None
    if topic == "journey.triggers":
        sent = orjson.loads(value)
        return Came(sent["type"], sent)
    if topic == "journey.decisions":
        decision = orjson.loads(value)
        return None if decision["outcome"] == "fired" else Came("decision", decision)
    return None


async def run(
    records: AsyncIterable[Happened],
    backtests: Sequence[Backtest],
    span: Span,
    end: int | None = None,
) -> AsyncIterator[tuple[int, Came]]:
    """Run all over one reading of a history; yields the number of the backtest and what came.

    `span` is kept up to date meanwhile. The clock stops at `end` (ms), else at the last record.
    """
    async for record in records:
        if end is not None and record.at > end:
            break
        span.take(record)
        for number, backtest in enumerate(backtests):
            for came in await backtest.take(record):
                yield number, came
    for number, backtest in enumerate(backtests):
        for came in await backtest.finish(end):
            yield number, came
