"""Runs a rulebook's test cases on the production fold: one replay a case, on a simulated clock."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from pipeline.domain.times import MINUTE
from pipeline.ports import Entry, Store
from pipeline.process.replay import Replay
from pipeline.process.shelf import RulesOf, rules_of
from pipeline.rulebook.branches import Branch, branches_of
from pipeline.rulebook.cases import Case, Erase
from pipeline.rulebook.compare import Difference, differences
from pipeline.rulebook.compile import compile_rulebook
from pipeline.rulebook.load import Document
from pipeline.rulebook.watched import watched

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a case: triggers and retractions, decisions, and consent evidence, in order."""

    outputs: list[Json]
    decisions: list[Json]
    evidence: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A case, what was different from what it expected, and what came.

    `taken` counts the branches of the rules that it took; `seconds` is what it took to run.
    """

    case: Case
    differences: list[Difference]
    came: Came
    taken: Counter[Branch]
    seconds: float = 0.0

    @property
    def wrong(self) -> list[str]:
        """A line for each difference; nothing where it passed."""
        return [each.text for each in self.differences]


async def run_case(
    case: Case,
    document: Document,
    digest: str,
    store: Store,
    region: str = "US",
    rules_of: RulesOf | None = None,
) -> Came:
    """Run one case on an empty store.

    What is given arrives before the rulebook is in force, so that it starts and cancels nothing,
    and what came of it is not counted.
    """
    replay = Replay(store, region=region, rules_of=rules_of)
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


def _no_time() -> float:
    return 0.0


async def run_cases(
    cases: Sequence[Case],
    document: Document,
    digest: str,
    new_store: Callable[[], Store],
    region: str = "US",
    clock: Callable[[], float] = _no_time,
) -> list[Verdict]:
    """Run all; each has a store of its own. `clock` (seconds) measures them."""
    taken: Counter[Branch] = Counter()
    rulebook = watched(compile_rulebook(document), lambda branch: taken.update((branch,)))
    # they all have this one, so that it is compiled once
    compiled = partial(rules_of, compile_=lambda _: rulebook)
    verdicts: list[Verdict] = []
    for case in cases:
        taken.clear()
        begun = clock()
        result = await run_case(case, document, digest, new_store(), region, compiled)
        seconds = clock() - begun
        taken.update(branches_of(result.outputs, result.decisions, result.evidence))
        found = differences(case, result.outputs, result.decisions)
        verdicts.append(Verdict(case, found, result, taken.copy(), seconds))
    return verdicts


def came(outputs: Sequence[Entry]) -> Came:
    """The triggers, retractions, decisions and evidence among output records."""
    topics = ("journey.triggers", "journey.decisions", "consent.evidence")
    return Came(*(list(values(outputs, topic)) for topic in topics))


def values(outputs: Sequence[Entry], topic: str) -> Iterator[Json]:
    """The JSON values of one topic."""
    for entry in outputs:
        if entry.topic == topic and entry.value is not None:
            yield orjson.loads(entry.value)
