"""What can be said of calling hours before anybody is called."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pipeline.domain.calling import next_open
from pipeline.domain.calling_hours import Window
from pipeline.domain.calling_rules import CallingRules, Clock, Place
from pipeline.domain.events import Channel
from pipeline.rulebook.calling import holiday_sets
from pipeline.rulebook.calling_compile import NOTHING
from pipeline.rulebook.calling_hours import Hours

_SOME_DAY: Final = 1_767_225_600_000  # 2026-01-01
_FAR: Final = 2**62


class _OneClock:
    """An atlas on which it is everywhere the same time, for questions that no zone matters to."""

    def clock(self, _: str) -> Clock:
        return lambda _: (0, _FAR)

    def locate(self, *_: object) -> Place:
        return Place()


def never_open(
    rules: CallingRules, channel: Channel, step: Window | None = None
) -> Iterator[tuple[str, str]]:
    """Regions in which a channel never opens, and a rule that keeps it closed; "" is anywhere else.

    Of one zone each: more of them can only narrow it down.
    """
    flat = one_clock(rules)
    for region in regions_of(rules, channel):
        place = Place(zones=("",), regions=(region,) if region else ())
        opening = next_open(_SOME_DAY, flat, place, channel, step)
        if opening.at is None:
            yield region, opening.rule


def one_clock(rules: CallingRules) -> CallingRules:
    """The same rules for somebody whose zone is no matter and whose region is known."""
    return replace(rules, atlas=_OneClock(), strict_regions=False)


def regions_of(rules: CallingRules, channel: Channel) -> list[str]:
    """The regions that have rules of their own for a channel, and "" for anywhere else."""
    named = {each.region for each in rules.own if each.channel == channel}
    named |= {region for rule in rules.rules for region in rule.applies.regions}
    return sorted({"", *named})


def unknown_holidays(hours: Hours, made: Mapping[str, Any] | None) -> list[str]:
    """The sets that a step's window names and calling.yaml (canonical) and its data don't have."""
    known = holiday_sets(dict(made or NOTHING))
    return [name for name in hours["holidays"] if name not in known]
