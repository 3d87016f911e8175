"""The rulebook as the rules use it: conditions compiled, durations in milliseconds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from pipeline.domain.calling_hours import Window
from pipeline.domain.calling_rules import CallingRules
from pipeline.domain.events import Channel, Event

Match: TypeAlias = Literal["key", "person"]
Repeat: TypeAlias = Literal["keep_first", "restart"]
Status: TypeAlias = Literal["active", "paused", "retired", "shadow"]
"""Paused: nothing fires; retired: nothing starts; shadow: it only decides, beside the live one.
Not a part of what a version decides."""


class Condition(Protocol):
    """A compiled condition of a rulebook."""

    @property
    def text(self) -> str:
        """As the rulebook has it."""

    @property
    def uses_start(self) -> bool:
        """Whether it reads `start`, so that it can only be judged beside an anchor."""

    def __call__(self, names: Mapping[str, object]) -> bool | None:
        """Judge it; None where it cannot be judged (a missing field, a type error)."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which events a start or a cancel means. `name` None: any of that type."""

    type: str
    name: str | None
    where: Condition | None = None

    def names(self, event: Event) -> bool:
        """Whether type and name fit; the condition is judged apart."""
        return event.type == self.type and self.name in {None, event.name}


@dataclass(frozen=True, slots=True)
class Holdout:
    """A share of people who are never contacted, to measure the effect against."""

    percent: float
    salt: str


@dataclass(frozen=True, slots=True)
class Experiment:
    """Waits are dealt out by chance, to compare. `variants` have a name and a percentage each."""

    salt: str
    variants: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Until:
    """A deadline that the start names: the date at this path and `offset` (ms) more."""

    path: tuple[str, ...]
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One contact of a journey. Durations in ms, `after` from the anchor's event time.

    With `until` the deadline is the start's own, and `after` is the farthest that it may be.
    `window` narrows the calling hours; where they are closed the step is held, or suppressed.
    `variant` None: of every variant.
    """

    number: int
    after: int
    channel: Channel
    expires: int
    cooldown: int = 0
    include: tuple[str, ...] = ()
    window: Window | None = None
    holds: bool = True
    when: Condition | None = None
    until: Until | None = None
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Journey:
    """One journey, as `journeys/*.yaml` states it. `key` is a path, () for one wait a person.

    `priority`: of several that are judged at one instant the higher goes first.
    """

    name: str
    version: int
    start: tuple[Pattern, ...]
    steps: tuple[Step, ...]
    unless: tuple[Pattern, ...] = ()
    key: tuple[str, ...] = ()
    match: Match = "person"
    lookback: int = 0
    lateness: int = 0
    repeat: Repeat = "keep_first"
    once: bool = False
    audience: Condition | None = None
    holdout: Holdout | None = None
    description: str = ""
    status: Status = "active"
    experiment: Experiment | None = None
    priority: int = 0
    uniform: bool = field(init=False, repr=False, compare=False)
    """Whether every wait has every step, so long `after` its anchor."""

    def __post_init__(self) -> None:
        """Asked for every event that it takes, so found out once."""
        own = any(step.until is not None or step.variant is not None for step in self.steps)
        object.__setattr__(self, "uniform", not own)

    @property
    def reads_start(self) -> bool:
        """Whether a condition reads what the start was like."""
        conditions = [
            self.audience,
            *(pattern.where for pattern in self.unless),
            *(step.when for step in self.steps),
        ]
        return any(condition is not None and condition.uses_start for condition in conditions)

    @property
    def memory(self) -> int:
        """How long its facts are remembered (rule 11)."""
        last = max(step.after for step in self.steps)
        longest = max(step.after + step.expires for step in self.steps)
        return self.lookback + last + longest


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """A track event that means an opt-in or an opt-out."""

    event: str
    channels: tuple[Channel, ...]
    subscribed: bool


class ByEvent:
    """Journeys by the events that they name, in the order in which they were added."""

    __slots__ = ("_by_type",)

    def __init__(self) -> None:
        """Empty."""
        self._by_type: dict[str, dict[str | None, list[Journey]]] = {}

    def add(self, journey: Journey, patterns: Iterable[Pattern]) -> None:
        """Have it found by what these name."""
        for kind, name in dict.fromkeys((each.type, each.name) for each in patterns):
            self._by_type.setdefault(kind, {}).setdefault(name, []).append(journey)

    def of(self, event: Event) -> list[Journey]:
        """Those that name this event, each once: first those that name it alone."""
        by_name = self._by_type.get(event.type)
        if by_name is None:
            return []
        exact, wide = by_name.get(event.name, []), by_name.get(None, [])
        return exact + [journey for journey in wide if journey not in exact] if wide else exact


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything that decides, in force as a whole.

    `refused` are ids beyond rule 19's, in lower case. `calling` None: no hours, no limits.
    """

    digest: str
    journeys: tuple[Journey, ...] = ()
    consent: tuple[ConsentRule, ...] = ()
    refused: frozenset[str] = frozenset()
    merge_known: bool = True
    calling: CallingRules | None = None
    _consent: dict[str, list[ConsentRule]] = field(init=False, repr=False, compare=False)
    _by_event: ByEvent = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index what an event is looked up by."""
        by_event = ByEvent()
        for journey in self.journeys:
            by_event.add(journey, journey.start + journey.unless)
        consent: dict[str, list[ConsentRule]] = {}
        for rule in self.consent:
            consent.setdefault(rule.event, []).append(rule)
        object.__setattr__(self, "_by_event", by_event)
        object.__setattr__(self, "_consent", consent)

    def consent_rules(self, event: Event) -> list[ConsentRule]:
        """What a track event says about consent."""
        return self._consent.get(event.name, []) if event.type == "track" else []

    def journeys_of(self, event: Event) -> list[Journey]:
        """The journeys that name this event, each once, in the order of the rulebook."""
        return self._by_event.of(event)


NO_RULES = Rulebook(digest="")
