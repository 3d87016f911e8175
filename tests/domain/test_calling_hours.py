"""Holidays and weekly windows in local time."""

from datetime import date

import pytest

from pipeline.domain.calling_hours import Holiday, Window, easter
from pipeline.domain.times import DAY, HOUR, MINUTE
from pipeline.rulebook.calling_compile import compile_window
from pipeline.rulebook.calling_data import read_set
from pipeline.rulebook.calling_hours import DAYS, parse_holiday

EPOCH = date(1970, 1, 1)


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def dates(text: str, year: int) -> list[str]:
    holiday = parse_holiday(text)
    assert holiday is not None
    return [date.fromordinal(EPOCH.toordinal() + each).isoformat() for each in holiday.days(year)]


@pytest.mark.parametrize(
    ("year", "month", "on"),
    [(1961, 4, 2), (2000, 4, 23), (2008, 3, 23), (2024, 3, 31), (2025, 4, 20), (2038, 4, 25)],
)
def test_easter(year: int, month: int, on: int) -> None:
    assert easter(year) == date(year, month, on)


@pytest.mark.parametrize(
    ("text", "year", "closed"),
    [
        ("12-25", 2026, ["2026-12-25"]),
        ("02-29", 2028, ["2028-02-29"]),
        ("02-29", 2026, []),
        ("2026-11-27", 2026, ["2026-11-27"]),
        ("2026-11-27", 2027, []),
        ("3rd mon of 01", 2026, ["2026-01-19"]),
        ("last mon of 05", 2027, ["2027-05-31"]),
        ("last thu of 12", 2026, ["2026-12-31"]),
        ("5th sun of 02", 2032, ["2032-02-29"]),
        ("5th sun of 02", 2026, []),
        ("4th thu of 11 +1", 2026, ["2026-11-27"]),
        ("1st mon of 11 +1", 2027, ["2027-11-02"]),
        ("easter", 2026, ["2026-04-05"]),
        ("easter -47", 2026, ["2026-02-17"]),
        ("easter -2", 2026, ["2026-04-03"]),
        ("07-04 observed", 2026, ["2026-07-04", "2026-07-03"]),
        ("07-04 observed", 2027, ["2027-07-04", "2027-07-05"]),
        ("07-04 observed", 2028, ["2028-07-04"]),
        ("07-04 observed monday", 2026, ["2026-07-04"]),
        ("07-04 observed monday", 2027, ["2027-07-04", "2027-07-05"]),
        ("01-01 observed", 2028, ["2028-01-01", "2027-12-31"]),
    ],
)
def test_holidays(text: str, year: int, closed: list[str]) -> None:
    assert dates(text, year) == closed


# as the US Office of Personnel Management lists them
OBSERVED = {
    2026: "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25",
    2027: "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24",
    2028: "01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25",
}


@pytest.mark.parametrize("year", OBSERVED)
def test_us_federal_holidays(year: int) -> None:
    content = read_set("us-holidays", "2021-06-17")
    assert content is not None
    texts = content["holidays"]["us-federal"]
    closed = {each for text in texts for near in (year, year + 1) for each in dates(text, near)}
    assert {f"{year}-{each}" for each in OBSERVED[year].split()} <= closed
    assert len(texts) == 11


def window(holidays: tuple[Holiday, ...] = (), **week: str) -> Window:
    hours = {name: week.get(name, "").split() for name in DAYS}
    made = compile_window({"hours": hours, "holidays": []}, "w", {})
    return Window("w", made.week, holidays)


def opens(made: Window, at: str, minute: int = 0) -> tuple[int, int] | None:
    """The day and minute at which it opens from then on, within a year."""
    local = day(at) * DAY + minute * MINUTE
    found = made.next_open(local, local + 366 * DAY)
    return None if found is None else divmod(found // MINUTE, 24 * 60)


def test_the_first_minute_is_open_and_the_last_is_closed() -> None:
    made = window(mon="09:00-20:00")  # 2026-03-02 is a Monday
    assert opens(made, "2026-03-02", 8 * 60) == (day("2026-03-02"), 9 * 60)
    assert opens(made, "2026-03-02", 9 * 60) == (day("2026-03-02"), 9 * 60)
    assert opens(made, "2026-03-02", 20 * 60) == (day("2026-03-09"), 9 * 60)
    last = day("2026-03-02") * DAY + 20 * HOUR - 1
    assert made.next_open(last, last + 1) == last


def test_a_day_may_open_twice_and_spans_may_overlap() -> None:
    made = window(mon="14:00-18:00 09:00-12:00 11:00-12:30")
    assert opens(made, "2026-03-02", 12 * 60 + 29) == (day("2026-03-02"), 12 * 60 + 29)
    assert opens(made, "2026-03-02", 12 * 60 + 30) == (day("2026-03-02"), 14 * 60)


def test_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    made = window(fri="22:00-02:00")  # 2026-03-06
    assert opens(made, "2026-03-06") == (day("2026-03-06"), 22 * 60)
    assert opens(made, "2026-03-07") == (day("2026-03-07"), 0)
    assert opens(made, "2026-03-07", 119) == (day("2026-03-07"), 119)
    assert opens(made, "2026-03-07", 120) == (day("2026-03-13"), 22 * 60)


def test_over_the_end_of_the_week() -> None:
    made = window(sun="22:00-02:00")
    assert opens(made, "2026-03-09") == (day("2026-03-09"), 0)


def test_a_holiday_is_closed_from_midnight_to_midnight() -> None:
    holiday = parse_holiday("2026-03-07")
    assert holiday is not None
    made = window((holiday,), fri="22:00-02:00", sat="22:00-02:00", sun="12:00-13:00")
    assert opens(made, "2026-03-06", 23 * 60) == (day("2026-03-06"), 23 * 60)
    assert opens(made, "2026-03-07") == (day("2026-03-08"), 12 * 60)


def test_a_whole_day_and_a_leap_day() -> None:
    made = window(tue="00:00-24:00")  # 2028-02-29 is a Tuesday
    assert opens(made, "2028-02-28", 60) == (day("2028-02-29"), 0)
    assert opens(made, "2028-02-29", 24 * 60 - 1) == (day("2028-02-29"), 24 * 60 - 1)
    assert opens(made, "2028-03-01") == (day("2028-03-07"), 0)


def test_a_holiday_of_next_year_may_close_a_day_of_this() -> None:
    new_year = parse_holiday("01-01 observed")
    assert new_year is not None
    made = window((new_year,), fri="09:00-10:00")  # 2027-12-31
    assert opens(made, "2027-12-31") == (day("2028-01-07"), 9 * 60)


def test_never() -> None:
    assert opens(window(), "2026-01-01") is None


def test_nothing_at_or_after_the_limit() -> None:
    made = window(mon="09:00-20:00")
    nine = day("2026-03-02") * DAY + 9 * HOUR
    assert made.next_open(nine - HOUR, nine) is None
    assert made.next_open(nine - HOUR, nine + 1) == nine
