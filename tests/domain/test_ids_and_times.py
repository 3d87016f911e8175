"""Ids that are none, keys as text, times as producers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.ids import digest, key_text, trigger_id, usable_id
from pipeline.domain.times import format_instant, parse_instant, to_datetime

NOBODY = (
    "null None NIL nan undefined unknown anonymous Guest true false id email userId user_id"
    " anonymousId anonymous_id distinctid distinct_id not_authenticated -1 0 000-0 - 'null'"
)


@pytest.mark.parametrize(
    "value", [*NOBODY.split(), '"None"', "", "  ", "[object Object]", "''", "' null '"]
)
def test_an_id_that_stands_for_nobody_is_none(value: str) -> None:
    assert usable_id(value) is None


@pytest.mark.parametrize(("value", "kept"), [(" u1 ", "u1"), ("10", "10"), ("nulls", "nulls")])
def test_any_other_id_is_trimmed_and_kept(value: str, kept: str) -> None:
    assert usable_id(value) == kept


@given(st.text("0-1 "))
def test_zeros_and_dashes_alone_are_no_id(value: str) -> None:
    bare = value.strip()
    nobody = bare == "-1" or not set(bare) - {"0", "-"}

    assert usable_id(value) == (None if nobody else bare)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        ("7", "7"),
        (" 7", " 7"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (10**30, "1" + "0" * 30),
        (1e21, "1" + "0" * 21),
        (True, "true"),
        ("  ", None),
        (None, None),
        ([1], None),
        (float("inf"), None),
    ],
)
def test_a_key_is_text_a_number_as_decimal_text_or_a_boolean(
    value: object, text: str | None
) -> None:
    assert key_text(value) == text


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_two_lists_of_parts_never_share_a_digest(one: list[str], other: list[str]) -> None:
    encodable = all(part.isascii() for part in one + other)
    if encodable and one != other:
        assert digest(*one) != digest(*other)


def test_a_trigger_id_is_32_hex_digits_of_the_anchor_alone() -> None:
    made = trigger_id("j", "u1", "m1", 1)

    assert made == trigger_id("j", "u1", "m1", 1)
    assert len(made) == 32
    assert made != trigger_id("j", "u1", "m1", 2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-03-03T15:00:00Z", "2026-03-03T15:00:00.000Z"),
        ("2015-2-02T00:30:08.276Z", "2015-02-02T00:30:08.276Z"),
        ("2000-08-20 09:12:28 -04:00", "2000-08-20T13:12:28.000Z"),
        ("2026-03-03t15:00:00.12z", "2026-03-03T15:00:00.120Z"),
        (1_700_000_000, "2023-11-14T22:13:20.000Z"),
        ("1700000000", "2023-11-14T22:13:20.000Z"),
        (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        ("2026-12-31T23:59:60Z", "2026-12-31T23:59:59.000Z"),
    ],
)
def test_a_time_is_read_as_producers_write_it(value: object, text: str) -> None:
    parsed = parse_instant(value)

    assert parsed is not None
    assert format_instant(parsed) == text


@pytest.mark.parametrize(
    "value", ["", "soon", "2024-02-30", "2026-13-01", True, None, -5, 0, 1e-9, [1]]
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert parse_instant(value) is None


@given(st.integers(1, 253_402_300_799_999))
def test_a_written_instant_is_read_back(instant: int) -> None:
    assert parse_instant(format_instant(instant)) == instant


@given(st.integers(1_000, 253_402_300_799_999), st.integers(0, 999), st.sampled_from(["", " "]))
def test_the_form_that_most_write_is_the_same_instant_as_any_other(
    instant: int, micros: int, blank: str
) -> None:
    whole = f"{to_datetime(instant):%Y-%m-%dT%H:%M:%S}"
    millis = instant % 1_000

    for zone in ("Z", "z", " +00:00", ""):
        for fraction in (f".{millis:03d}", f".{millis:03d}{micros:03d}"):
            assert parse_instant(blank + whole + fraction + zone + blank) == instant
        assert parse_instant(blank + whole + zone + blank) == instant - millis
