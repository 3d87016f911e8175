"""What a step's calling hours make of its deadlines, over an ordinary week, region by region.

A week without holidays, every quarter of an hour taken as a deadline, on one clock: real days are
narrower still. Dates that a start names (`until`) are left out: nobody knows their time of day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from pipeline.domain.calling import next_open
from pipeline.domain.calling_hours import Window
from pipeline.domain.calling_rules import CallingRules, Place
from pipeline.domain.rules import Journey, Rulebook, Step
from pipeline.domain.times import DAY, MINUTE
from pipeline.rulebook.calling_check import one_clock, regions_of
from pipeline.rulebook.load import Sources
from pipeline.rulebook.places import StepPlace, journeys_of, steps_of
from pipeline.rulebook.shape import Node
from pipeline.rulebook.slots import slot_of

_MONDAY: Final = 1_772_409_600_000  # 2026-03-02
_WEEK: Final = 7 * DAY
_SLOT: Final = 15 * MINUTE
_SLOTS: Final = _WEEK // _SLOT
_MOST: Final = 0.75
"""Of all deadlines: fewer are an ordinary night, and starts come by day."""

Delays: TypeAlias = tuple[int, ...]
"""For each slot of the week how long it is until it is open (ms); 0 where it is."""


@dataclass(frozen=True, slots=True)
class _Hours:
    """The hours of a step in the regions that share them, and the rule that closes them."""

    regions: tuple[str, ...]
    delays: Delays
    rule: str

    def delay(self, at: int) -> int:
        """From an instant, counted from Monday."""
        return self.delays[at % _WEEK // _SLOT]

    @property
    def where(self) -> str:
        first, *more = self.regions
        named = f" in {first}" if first else ""
        return f"{named} and {len(more)} more regions" if more else named


def check_hours(sources: Sources, rulebook: Rulebook) -> None:
    """Note steps that mostly expire, or are mostly superseded, before their hours open."""
    if rulebook.calling is None:
        return
    weeks = _Weeks(one_clock(rulebook.calling))
    compiled = {journey.name: journey for journey in rulebook.journeys}
    for place in journeys_of(sources):
        journey = compiled[slot_of(place.made)]
        for each in steps_of(place):
            step = journey.steps[each.numbers[0] - 1]
            if step.until is None:
                _check_step(each, step, journey, list(weeks.of(step)))


def _check_step(place: StepPlace, step: Step, journey: Journey, hours: list[_Hours]) -> None:
    node = place.node.at("window") if step.window else place.node
    _check_expiry(node, step, journey.lateness, hours)
    later = next((each for each in journey.steps[step.number :] if _rivals(step, each)), None)
    if later is not None and later.window == step.window and step.holds and later.holds:
        _check_rival(node, step, later, hours)


def _rivals(step: Step, later: Step) -> bool:
    together = later.variant in {None, step.variant}
    return together and later.until is None and later.channel == step.channel


def _check_expiry(node: Node, step: Step, lateness: int, hours: list[_Hours]) -> None:
    shares = []
    longest = step.expires - lateness if step.holds else 0
    for each in hours:
        gone = sum(each.delay(slot * _SLOT + lateness) > longest for slot in range(_SLOTS))
        shares.append((gone / _SLOTS, each))
    share, worst = max(shares, key=lambda pair: pair[0], default=(0.0, None))
    if worst is None or share <= _MOST:
        return
    before = "expire before {0} opens" if step.holds else "find {0} closed, and are suppressed"
    remedy = "raise `expires`, or widen the hours" if step.holds else "hold it, or widen the hours"
    which = "all" if share == 1 else f"{share:.0%}"
    message = f"{which} of a week's deadlines {before.format(step.channel)}{worst.where}"
    code = "unreachable-step" if share == 1 else "mostly-expires"
    node.warn(f"{message}: {worst.rule}", remedy, code)


def _check_rival(node: Node, step: Step, later: Step, hours: list[_Hours]) -> None:
    gap = later.after - step.after
    for each in hours:
        lost = 0
        for at in range(0, _WEEK, _SLOT):
            first, second = each.delay(at), each.delay(at + gap)
            # both are held, and let go at one instant
            lost += 0 < first <= step.expires and second > 0 and first == gap + second
        if lost / _SLOTS > _MOST:
            message = (
                f"for {lost / _SLOTS:.0%} of a week's deadlines step {later.number} is released"
                f" at the same instant, instead{each.where}: {each.rule}"
            )
            remedy = "set the steps farther apart, or widen the hours"
            node.warn(message, remedy, "mostly-superseded")
            return


class _Weeks:
    """Hours by the windows that make them, so that each is looked through once."""

    def __init__(self, rules: CallingRules) -> None:
        self._rules = rules
        self._known: dict[object, tuple[Delays, str] | None] = {}

    def of(self, step: Step) -> Iterator[_Hours]:
        """Those of a step that open at all and are not always open."""
        found: dict[object, list[str]] = {}
        for region in regions_of(self._rules, step.channel):
            place = _place(region)
            windows = [*self._rules.windows(place, step.channel), *filter(None, [step.window])]
            key: object = tuple((window.week, window.holidays) for window in windows)
            if key not in self._known:
                self._known[key] = self._week(place, step, windows)
            if self._known[key] is not None:
                found.setdefault(key, []).append(region)
        for shared, regions in found.items():
            week = self._known[shared]
            assert week is not None
            yield _Hours(tuple(regions), *week)

    def _week(self, place: Place, step: Step, windows: list[Window]) -> tuple[Delays, str] | None:
        if not windows:
            return None
        delays, rule = [], ""
        for slot in range(_SLOTS):
            at = _MONDAY + slot * _SLOT
            opening = next_open(at, self._rules, place, step.channel, step.window, _WEEK)
            if opening.at is None:
                return None  # `never-open` has it
            delays.append(opening.at - at)
            rule = opening.rule if opening.at > at else rule
        return (tuple(delays), rule) if any(delays) else None


def _place(region: str) -> Place:
    return Place(zones=("",), regions=(region,) if region else ())
