"""Which hours and limits hold for whom: `calling.yaml` as `next_open` uses it.

Of the world the rules need two things, which the rulebook hands over as an `Atlas`: where somebody
is, and what the clocks show there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

from pipeline.domain.calling_hours import Window
from pipeline.domain.events import Channel

Clock: TypeAlias = Callable[[int], tuple[int, int]]
"""For an instant, what the wall clock is ahead of UTC (ms) and the later instant up to which, not
included, that is so."""

Scope: TypeAlias = Literal["address", "person"]


class Place(NamedTuple):
    """Where somebody may be, all possibilities, and what that was taken from.

    Regions are a country (`GB`) or a state (`US-FL`); none: nobody knows. `number_regions` are
    those of the phone number, whether or not somebody lives there.
    """

    zones: tuple[str, ...] = ()
    zone_source: str = "unknown"
    regions: tuple[str, ...] = ()
    region_source: str = "unknown"
    number_regions: tuple[str, ...] = ()


class Atlas(Protocol):
    """What the rules need to know of the world; the same answer for the same question."""

    def clock(self, zone: str) -> Clock:
        """The clock of a zone that `locate` or the rulebook named."""

    def locate(
        self, traits: Mapping[str, object], phone: str | None, context: Mapping[str, object]
    ) -> Place:
        """Where somebody is, by the documented order of evidence."""


@dataclass(frozen=True, slots=True)
class Applies:
    """To whom a rule applies: channels and regions, none for everywhere.

    `numbers`: to phone numbers of the regions too, wherever somebody lives.
    """

    channels: tuple[Channel, ...]
    regions: tuple[str, ...] = ()
    numbers: bool = False

    def to(self, place: Place, channel: Channel, *, strict: bool) -> bool:
        """Whether it does; with `strict` also where that cannot be excluded."""
        if channel not in self.channels:
            return False
        if not self.regions or (strict and not place.regions):
            return True
        known = place.regions + (place.number_regions if self.numbers else ())
        return any(_covers(region, other) for region in self.regions for other in known) or (
            strict
            and any(_covers(other, region) for region in self.regions for other in place.regions)
        )


def _covers(region: str, other: str) -> bool:
    """Whether `other` is the region or lies in it."""
    return other == region or other.startswith(region + "-")


@dataclass(frozen=True, slots=True)
class CallingRule:
    """Hours that the law sets: all that apply must be open."""

    applies: Applies
    window: Window


@dataclass(frozen=True, slots=True)
class OwnHours:
    """Hours that we set ourselves: those of the smallest region count. `region` empty: anywhere."""

    channel: Channel
    region: str
    window: Window


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many triggers in a rolling time, to an address or to a person."""

    name: str
    applies: Applies
    most: int
    per: int
    scope: Scope

    @property
    def of_person(self) -> bool:
        """Whether it counts what went to a person, wherever."""
        return self.scope == "person"


@dataclass(frozen=True, slots=True)
class CallingRules:
    """`calling.yaml`. `unknown_zones`: where somebody is taken to be of whom no zone is known.

    `strict_regions`: of whom no state (or country) is known, the rules of all possible ones apply.
    """

    atlas: Atlas
    own: tuple[OwnHours, ...] = ()
    rules: tuple[CallingRule, ...] = ()
    limits: tuple[Limit, ...] = ()
    unknown_zones: tuple[str, ...] = ()
    strict_regions: bool = True

    def windows(self, place: Place, channel: Channel) -> list[Window]:
        """All that must be open for somebody there, each once; our own first."""
        own = [each for each in self.own if each.channel == channel]
        found = [each.window for each in _smallest(own, place, strict=self.strict_regions)]
        found += [
            rule.window
            for rule in self.rules
            if rule.applies.to(place, channel, strict=self.strict_regions)
        ]
        unique: dict[object, Window] = {}
        for each in found:
            unique.setdefault((each.week, each.holidays), each)
        return list(unique.values())

    @property
    def counts_persons(self) -> bool:
        """Whether any limit counts what went to a person."""
        return any(limit.of_person for limit in self.limits)

    def remembers(self, channel: Channel, scope: Scope) -> int:
        """How long (ms) a trigger of this channel counts, for the longest limit there is.

        Wherever that applies: somebody may be there next time.
        """
        counting = [each for each in self.limits if each.scope == scope]
        return max((each.per for each in counting if channel in each.applies.channels), default=0)

    def limits_for(self, place: Place, channel: Channel) -> list[Limit]:
        """The limits on triggers of this channel for somebody there."""
        return [
            limit
            for limit in self.limits
            if limit.applies.to(place, channel, strict=self.strict_regions)
        ]


def _smallest(own: list[OwnHours], place: Place, *, strict: bool) -> Iterator[OwnHours]:
    """Per possible region the hours of the smallest one around it."""
    regions = place.regions or ("",)
    if strict:
        more = [
            each.region
            for each in own
            if not place.regions or any(_covers(region, each.region) for region in regions)
        ]
        regions = tuple(dict.fromkeys((*regions, *more)))
    for region in regions:
        around = [each for each in own if not each.region or _covers(each.region, region)]
        if around:
            yield max(around, key=lambda each: len(each.region))
