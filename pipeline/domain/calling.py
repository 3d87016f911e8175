"""When somebody may be called: the next instant that is open by every rule, wherever they may be.

Arithmetic on the rules alone, so that every answer can be explained and replayed. Not legal advice:
the rules are as good as the data.
"""

from typing import Final, NamedTuple

from pipeline.domain.calling_hours import Window
from pipeline.domain.calling_rules import CallingRules, Clock, Place
from pipeline.domain.events import Channel
from pipeline.domain.times import DAY

HORIZON: Final = 400 * DAY
"""How far ahead to look: every weekly pattern and every yearly holiday comes by."""

NO_HOURS: Final = "no hours"
UNKNOWN_ZONE: Final = "unknown time zone"


class Opening(NamedTuple):
    """When it may be; `at` None: not within the horizon. `rule` and `zone` decided that."""

    at: int | None
    rule: str
    zone: str


def next_open(
    instant: int,
    rules: CallingRules,
    place: Place,
    channel: Channel,
    step: Window | None = None,
    horizon: int = HORIZON,
) -> Opening:
    """The first instant, `instant` included, that is open by every rule in every possible zone.

    `step` is the window of a journey's step. The last instant looked at is `instant + horizon`. The
    rule is the last one that had to be waited for; if none, the first that applies.
    """
    windows = rules.windows(place, channel) + ([step] if step else [])
    if not windows:
        return Opening(instant, NO_HOURS, "")
    zones = place.zones or rules.unknown_zones
    if not zones:
        return Opening(None, UNKNOWN_ZONE, "")
    clocks = [(zone, rules.atlas.clock(zone)) for zone in zones]
    at, decided, end = instant, (windows[0].name, zones[0]), instant + horizon
    settled = False
    while not settled:
        settled = True
        for zone, clock in clocks:
            for window in windows:
                opens = opening(window, at, clock, end)
                if opens is None:
                    return Opening(None, window.name, zone)
                if opens > at:
                    at, decided, settled = opens, (window.name, zone), False
    return Opening(at, *decided)


def opening(window: Window, instant: int, clock: Clock, end: int) -> int | None:
    """The first instant from `instant` to `end` at which one window is open by one clock.

    Between two changes of the clock local time runs evenly. A time that is skipped never comes, one
    that comes twice is open twice, and what opens in a gap opens at its end.
    """
    while instant <= end:
        ahead, until = clock(instant)
        local = window.next_open(instant + ahead, min(until, end + 1) + ahead)
        if local is not None:
            return local - ahead
        instant = until
    return None
