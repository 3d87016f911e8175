"""A rulebook whose conditions tell what they said, for `pipeline test --coverage`.

Production compiles without this. A pattern without `where` gets a condition that is always true,
so that it tells of being met; that decides as no condition does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from pipeline.domain.rules import Condition, Journey, Pattern, Rulebook
from pipeline.rulebook.branches import (
    AUDIENCE,
    FALSE,
    TRUE,
    UNJUDGED,
    Branch,
    pattern_rule,
    step_rule,
)

Note: TypeAlias = Callable[[Branch], None]

_WORDS: Final[Mapping[bool | None, str]] = {True: TRUE, False: FALSE, None: UNJUDGED}


@dataclass(frozen=True, slots=True)
class Watched:
    """Fulfils `domain.rules.Condition`."""

    condition: Condition | None
    journey: str
    rule: str
    note: Note

    @property
    def text(self) -> str:
        """As the rulebook has it; empty where there is none."""
        return self.condition.text if self.condition else ""

    @property
    def uses_start(self) -> bool:
        """Whether it reads `start`."""
        return self.condition is not None and self.condition.uses_start

    def __call__(self, names: Mapping[str, object]) -> bool | None:
        """Judge it, and tell."""
        verdict = True if self.condition is None else self.condition(names)
        self.note(Branch(self.journey, self.rule, _WORDS[verdict]))
        return verdict


def watched(rulebook: Rulebook, note: Note) -> Rulebook:
    """The same rulebook, its conditions wrapped."""
    journeys = tuple(_journey(each, note) for each in rulebook.journeys)
    return replace(rulebook, journeys=journeys)


def _journey(journey: Journey, note: Note) -> Journey:
    def watch(condition: Condition | None, rule: str) -> Watched:
        return Watched(condition, journey.name, rule, note)

    def patterns(part: str, given: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        return tuple(
            replace(each, where=watch(each.where, pattern_rule(part, number, each.type, each.name)))
            for number, each in enumerate(given, 1)
        )

    audience = journey.audience
    steps = tuple(
        replace(step, when=watch(step.when, step_rule(step.number, "when"))) if step.when else step
        for step in journey.steps
    )
    return replace(
        journey,
        start=patterns("start", journey.start),
        unless=patterns("unless", journey.unless),
        audience=watch(audience, AUDIENCE) if audience else None,
        steps=steps,
    )
