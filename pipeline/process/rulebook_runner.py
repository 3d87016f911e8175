"""Runs a rulebook's test cases on the production fold: one replay a case, on a simulated clock."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pipeline.domain.times import MINUTE
from pipeline.ports import Entry, Store
from pipeline.process.replay import Replay
from pipeline.rulebook.cases import Case, Erase
from pipeline.rulebook.compare import differences
from pipeline.rulebook.load import Document

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a case: triggers and retractions, and decisions, in order."""

    outputs: list[Json]
    decisions: list[Json]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A case and what was wrong with it, a line each; nothing where it passed."""

    case: Case
    wrong: list[str]


async def run_case(
    case: Case, document: Document, digest: str, store: Store, region: str = "US"
) -> Came:
    """Run one case on an empty store.

    What is given arrives before the rulebook is in force, so that it starts and cancels nothing,
    and what came of it is not counted.
    """
    replay = Replay(store, region=region)
    for arrival in case.given:
        await replay.feed(arrival.value, arrival.at, arrival.kafka_time)
    given = len(replay.outputs)
    first = case.arrivals[0].at if case.arrivals else case.until
    replay.now = max(replay.now, first - MINUTE)
    await replay.enforce(document, digest)
    for step in case.arrivals:
        if isinstance(step, Erase):
            await replay.erase(step.id, step.at)
        else:
            await replay.feed(step.value, step.at)
    await replay.advance(case.until)
    return came(replay.outputs[given:])


async def run_cases(
    cases: Sequence[Case],
    document: Document,
    digest: str,
    new_store: Callable[[], Store],
    region: str = "US",
) -> list[Verdict]:
    """Run all; each has a store of its own."""
    verdicts: list[Verdict] = []
    for case in cases:
        result = await run_case(case, document, digest, new_store(), region)
        verdicts.append(Verdict(case, differences(case, result.outputs, result.decisions)))
    return verdicts


def came(outputs: Sequence[Entry]) -> Came:
    """The triggers, retractions and decisions among output records."""
    return Came(
        list(values(outputs, "journey.triggers")), list(values(outputs, "journey.decisions"))
    )


def values(outputs: Sequence[Entry], topic: str) -> Iterator[Json]:
    """The JSON values of one topic."""
    for entry in outputs:
        if entry.topic == topic and entry.value is not None:
            yield orjson.loads(entry.value)
