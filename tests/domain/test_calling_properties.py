"""`next_open` against a minute by minute reading of wall clocks, around their changes."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.calling import next_open
from pipeline.domain.calling_rules import Applies, CallingRule, CallingRules, OwnHours
from pipeline.domain.times import DAY, HOUR, MINUTE
from pipeline.rulebook.calling_hours import DAYS
from pipeline.rulebook.steps import CHANNELS
from tests.domain.calling_cases import open_by_hand, place, rules

ZONES = [
    "America/New_York",
    "America/Denver",
    "America/Phoenix",
    "America/St_Johns",
    "America/Santiago",
    "Asia/Kolkata",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Chatham",
]
# near changes of the clock in these zones, a leap day, and a date that Apia did not have
MOMENTS = [
    "2026-03-08T07:00", "2026-11-01T06:00", "2026-03-29T01:00", "2026-10-25T01:00",
    "2026-04-04T15:00", "2026-10-03T15:30", "2026-02-15T02:00", "2026-03-22T03:00",
    "2026-04-05T03:00", "2026-09-06T04:00", "2028-02-29T12:00", "2011-12-30T10:00",
    "2026-12-31T23:00",
]  # fmt: skip
HOLIDAYS = [moment[:10] for moment in MOMENTS]
SPAN = 2 * DAY

quarters = st.integers(0, 95).map(lambda n: f"{n // 4:02d}:{n % 4 * 15:02d}")
spans = st.tuples(quarters, quarters).filter(lambda t: t[0] != t[1]).map("-".join)
weeks = st.fixed_dictionaries({}, optional={day: st.lists(spans, max_size=2) for day in DAYS})
zones = st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True).map(tuple)
instants = st.builds(
    lambda text, ahead, rest: (
        int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000
        + ahead * MINUTE
        + rest
    ),
    st.sampled_from(MOMENTS),
    st.integers(-30 * 60, 6 * 60),
    st.sampled_from([0, 0, 1, 59_999]),
)


@st.composite
def rule_sets(draw: st.DrawFn) -> CallingRules:
    """None to three windows that must be open together, as our own and the law's."""
    made = rules(
        hours={
            name: {"hours": week, "holidays": ["h"] if draw(st.booleans()) else []}
            for name in CHANNELS
            if any((week := draw(weeks)).values())
        },
        holidays={"h": draw(st.lists(st.sampled_from(HOLIDAYS), min_size=1))},
    )
    windows = [each.window for each in made.own]
    return replace(
        made,
        own=tuple(OwnHours("voice", "", window) for window in windows[:1]),
        rules=tuple(CallingRule(Applies(("voice",)), window) for window in windows[1:]),
    )


@settings(max_examples=100)
@given(rule_sets(), zones, instants)
def test_agrees_with_reading_every_minute(
    calling: CallingRules, where: tuple[str, ...], instant: int
) -> None:
    opening = next_open(instant, calling, place(*where), "voice", horizon=SPAN)
    minutes = range(instant // MINUTE * MINUTE, instant + SPAN + 1, MINUTE)
    open_minutes = (minute for minute in minutes if open_by_hand(calling, minute, where))
    first = next(open_minutes, None)
    assert opening.at == (None if first is None else max(first, instant))


@settings(max_examples=200)
@given(rule_sets(), zones, instants, st.integers(0, 4 * 24 * 60))
def test_monotone_and_settled(
    calling: CallingRules, where: tuple[str, ...], instant: int, later: int
) -> None:
    first = next_open(instant, calling, place(*where), "voice").at
    second = next_open(instant + later * MINUTE, calling, place(*where), "voice").at
    if first is None:
        # a horizon that begins later ends later
        assert second is None or second > instant + 399 * DAY
        return
    assert second is None or second >= max(first, instant + later * MINUTE)
    if instant + later * MINUTE <= first:
        assert second == first
    assert next_open(first, calling, place(*where), "voice").at == first


@settings(max_examples=100)
@given(rule_sets(), zones, instants)
def test_more_zones_never_open_earlier(
    calling: CallingRules, where: tuple[str, ...], instant: int
) -> None:
    together = next_open(instant, calling, place(*where), "voice", horizon=20 * DAY).at
    for zone in where:
        alone = next_open(instant, calling, place(zone), "voice", horizon=20 * DAY).at
        assert together is None or (alone is not None and alone <= together)


def test_the_oracle_sees_what_is_closed() -> None:
    calling = rules(hours={"voice": "09:00-20:00"})
    noon = int(datetime(2026, 3, 3, 17, tzinfo=UTC).timestamp()) * 1000
    assert open_by_hand(calling, noon, ("America/New_York",))
    assert not open_by_hand(calling, noon + 12 * HOUR, ("America/New_York",))
