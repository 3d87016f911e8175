"""Conditions mean what CEL and the contract say, never raise and never take long."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rulebook.conditions import (
    AUDIENCE_NAMES,
    START_NAMES,
    UNLESS_NAMES,
    ConditionError,
    compile_condition,
    fields_read_without_has,
)

ALL = AUDIENCE_NAMES | UNLESS_NAMES
AT = datetime(2026, 3, 3, 15, tzinfo=UTC)


class Events(dict[str, dict[str, object]]):
    """A name never seen has count 0."""

    def __missing__(self, _: str) -> dict[str, object]:
        return {"count": 0}


NAMES: dict[str, Any] = {
    "properties": {
        "amount": 30000,
        "rate": 2.5,
        "name": "aaa",
        "nothing": None,
        "a.b": 1,
        "letters": ["a", "b"],
        "mixed": [1, 2.0, "x", None],
        "huge": 10**30,
        "minus": -(10**30),
        "yes": True,
        "inner": {"x": 1},
        "odd": "é\"'\\ \U0001f600",
        "in": 7,
        "nan": float("nan"),
    },
    "context": {"page": {"url": "https://example.com"}},
    "type": "track",
    "event": "Loan Signed",
    "start": {
        "properties": {"loanId": "L1"},
        "context": {},
        "type": "track",
        "event": "Approved",
        "timestamp": AT,
    },
    "traits": {"state": "TX"},
    "events": Events({"Seen": {"count": 2, "first": AT, "last": AT}}),
}


def judged(text: str) -> bool | None:
    return compile_condition(text, ALL)(NAMES)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        # numbers compare across int and float, whatever their size
        ("properties.amount >= 5000", True),
        ("properties.amount == 30000.0", True),
        ("properties.rate < 3", True),
        ("properties.huge > 1.5", True),
        ("properties.minus < properties.huge", True),
        ("properties.huge == properties.huge", True),
        ("[1] == [1.0]", True),
        ('{"a": 1} == {"a": 1.0}', True),
        ("2 in properties.mixed", True),
        ("properties.letters[0.0] == 'a'", True),
        ("properties.nan == properties.nan", False),
        # two types are unequal and have no order
        ('properties.rate == "2.5"', False),
        ('properties.rate != "2.5"', True),
        ("properties.yes == 1", False),
        ("properties.yes != 1", True),
        ("properties.nothing == 0", False),
        ("properties.nothing == null", True),
        ('properties.nothing != "duplicate"', True),
        ("properties.inner == []", False),
        ("properties.name < 1", None),
        ("properties.yes < 1", None),
        ("properties.nothing < 1", None),
        ("properties.letters < properties.letters", None),
        ("start.timestamp < 1", None),
        ("start.timestamp == 'x'", False),
        # what is missing or no boolean
        ("properties.missing == 1", None),
        ("properties.missing != 1", None),
        ("properties.name.more == 1", None),
        ("properties.letters.more == 1", None),
        ("properties.letters[2] == 'x'", None),
        ("properties.letters[-1] == 'b'", None),
        ("properties.letters[true] == 'b'", None),
        ("properties.name[0] == 'a'", None),
        ("properties[0] == 'a'", None),
        ("properties.amount", None),
        ("properties.nothing", None),
        ("properties.yes", True),
        # has()
        ("has(properties.missing)", False),
        ("has(properties.nothing)", True),
        ("has(properties.inner.x)", True),
        ("has(properties.missing.x)", None),
        ("has(properties.nothing.x)", None),
        ("has(properties.name.x)", None),
        # one decisive side is enough, on either side
        ("true || properties.missing == 1", True),
        ("properties.missing == 1 || true", True),
        ("properties.amount || true", True),
        ("false && properties.missing == 1", False),
        ("properties.missing == 1 && false", False),
        ("properties.amount && false", False),
        ("properties.amount && true", None),
        ("properties.missing == 1 || false", None),
        ("properties.missing || false || properties.amount > 1", True),
        ("!(properties.missing == 1 && false)", True),
        ("!properties.name", None),
        ("!!properties.yes", True),
        # ternary
        ("properties.yes ? properties.amount > 1 : properties.missing", True),
        ("properties.name == 'x' ? properties.missing : true", True),
        ("properties.name ? true : false", None),
        # membership
        ('"a" in properties.letters', True),
        ('"name" in properties', True),
        ('"a.b" in properties', True),
        ("1 in properties", False),
        ('"a" in properties.name', None),
        ('properties.name in ["aaa", "b"]', True),
        ('properties.amount in ["aaa", "b"]', False),
        ('properties.nothing in ["aaa"]', False),
        ("properties.missing in ['aaa']", None),
        ("null in properties.mixed", True),
        ("true in properties.mixed", False),
        # fields with odd names and texts with odd characters
        ('properties["a.b"] == 1', True),
        ("properties.in == 7", True),
        ('properties.odd == "é\\"\'\\\\ \\U0001F600"', True),
        ("properties.odd.contains('\\u00e9')", True),
        ("r'\\d' == '\\\\d'", True),
        ("'''a\nb''' == \"a\\nb\"", True),
        ("'\\101\\x42' == 'AB'", True),
        ("size('\U0001f600') == 1", True),
        # functions of text
        ("properties.name.matches('^a+$')", True),
        ("matches(properties.name, 'b')", False),
        ("properties.amount.matches('3')", None),
        ("properties.name.matches(properties.name + '(')", None),
        ("properties.name.startsWith('aa')", True),
        ("properties.name.endsWith('b')", False),
        ("properties.name.size() == 3 && size(properties.letters) == 2", True),
        ("properties.amount.startsWith('3')", None),
        ("size(properties.amount) == 5", None),
        # times and durations
        ("start.timestamp < timestamp('2026-03-04T00:00:00Z')", True),
        ("timestamp('2026-03-04T15:00:00+00:00') - start.timestamp == duration('24h')", True),
        ("start.timestamp + duration('90m') == timestamp('2026-03-03T16:30:00Z')", True),
        ("duration('1h30m') == duration('90m') && duration('7d') > duration('1.5h')", True),
        ("duration('-1s') < duration('0')", True),
        ("start.timestamp.getHours('-05:00') == 10", True),
        ("start.timestamp.getHours('America/New_York') == 10", True),
        ("start.timestamp.getHours('No/Where') == 10", None),
        ("start.timestamp.getDayOfWeek() == 2 && start.timestamp.getMonth() == 2", True),
        ("start.timestamp + duration('4000000d') > start.timestamp", None),
        ("timestamp(properties.name) == start.timestamp", None),
        ("timestamp(1772550000) == start.timestamp", True),
        ("int(start.timestamp) == 1772550000", True),
        ("string(start.timestamp) == '2026-03-03T15:00:00Z'", True),
        # arithmetic of one kind of number, within 64 bits
        ("properties.amount + 1 == 30001", True),
        ("properties.amount * 1.5 > 1.0", None),
        ("double(properties.amount) * 1.5 == 45000.0", True),
        ("properties.huge + 1 > 1", None),
        ("9223372036854775807 + properties.amount > 0", None),
        ("-9223372036854775808 < properties.amount", True),
        ("properties.amount / 0 == 1", None),
        ("-7 / 2 == -3 && -7 % 2 == -1", True),
        ("properties.name + 'b' == 'aaab'", True),
        ("properties.name + 1 == 'aaa1'", None),
        ("int('12') == 12 && int(2.9) == 2 && int(-2.9) == -2", True),
        ("int(properties.huge) > 1", None),
        ("string(7.0) == '7' && string(true) == 'true' && bool('true')", True),
        ("type(properties.name) == string && type(null) == null_type", True),
        # lists
        ("properties.letters.exists(x, x == 'a')", True),
        ("properties.mixed.exists(x, x > 1)", True),
        ("properties.mixed.all(x, x > 0)", None),
        ("properties.mixed.all(x, x > 1)", False),
        ("properties.letters.exists_one(x, x == 'a')", True),
        ("properties.mixed.exists_one(x, x > 1)", None),
        ("properties.letters.map(x, x + '1') == ['a1', 'b1']", True),
        ("properties.letters.map(x, x != 'a', x + '1') == ['b1']", True),
        ("properties.mixed.filter(x, x == 1) == [1]", True),
        ("properties.inner.all(name, name == 'x')", True),
        ("properties.letters.all(x, properties.letters.exists(y, y == x))", True),
        ("properties.amount.all(x, true)", None),
        ("[].all(x, false) && ![].exists(x, true)", True),
        # what somebody did
        ('events["Seen"].count == 2', True),
        ('events["Never"].count == 0', True),
        ("events.Never.count == 0", True),
        ('has(events["Never"].first)', False),
        ('events["Never"].first < start.timestamp', None),
        ('events["Seen"].last <= start.timestamp', True),
        ('events["Seen"].count > 1 && traits.state != "TX"', False),
    ],
)
def test_a_condition_is_judged_as_cel_judges_it(text: str, verdict: bool | None) -> None:
    assert judged(text) is verdict


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "empty", (1, 1)),
        ("  \n ", "empty", (1, 1)),
        ("propertys.a == 1", "unknown name `propertys`: did you mean `properties`?", (1, 1)),
        ("x" * 9_999, f"unknown name `{'x' * 60}…`", (1, 1)),
        ("properties.a == traits.b", "`traits` is not known here", (1, 17)),
        ("properties.a == start.properties.b", "`start` is not known here", (1, 17)),
        ("properties.a = 1", "write `==`", (1, 14)),
        ("properties.a == 1 and true", "`and` is written `&&`", (1, 19)),
        ("properties.a ==", "ends too early", (1, 16)),
        ("properties.a == 1)", "`)` is not expected", (1, 18)),
        ("properties.a == 'x", "not expected", (1, 17)),
        ("properties.\n  a @ 1", "not expected", (2, 5)),
        ("properties.a.startWith('x')", "did you mean `startsWith`?", (1, 1)),
        ("properties.a.startsWith()", "number of arguments", (1, 1)),
        ("len(properties.a) == 1", "unknown function `len`", (1, 1)),
        ("has(properties)", "has() takes a field", (1, 1)),
        ('has(properties["a b"])', "has() takes a field", (1, 1)),
        ("properties.a.matches('(')", "not a regular expression", (1, 1)),
        ("properties.a.matches('(?=x)')", "not a regular expression", (1, 1)),
        ("timestamp('2026-03-03') < timestamp('x')", "never be judged", (1, 1)),
        ("duration('1w') > duration('1s')", "never be judged", (1, 1)),
        ("1 / 0 == 1", "never be judged", (1, 1)),
        ("99999999999999999999 > 1", "beyond 64 bits", (1, 1)),
        ("properties.a == 1u", "no unsigned numbers", (1, 17)),
        ("properties.a == b'x'", "bytes are not supported", (1, 17)),
        ("properties.a == '\\ud800'", "is no escape", (1, 17)),
        ("properties.a == '\\q'", "is no escape", (1, 17)),
        ("'x'", "neither true nor false", (1, 1)),
        ("properties.a + 1", "neither true nor false", (1, 1)),
        ("properties.a == 1 && 'x'", "neither true nor false", (1, 22)),
        ("properties.a.exists(type, true)", "is taken", (1, 21)),
        ("properties.a.exists(1, true)", "begins with a name", (1, 1)),
        ("properties.a.exists(x)", "number of arguments", (1, 1)),
        ("properties{}", "not supported", (1, 1)),
        ("(" * 60 + "-" * 60 + "1" + ")" * 60 + " > 0", "nested more than", None),
        ("a" * 10_001, "characters", (1, 1)),
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused_with_its_place(
    text: str, message: str, place: tuple[int, int] | None
) -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition(text, START_NAMES)
    assert message in str(caught.value)
    if place is not None:
        assert (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize("text", ["start.loanId == 'x'", 'events["A"].cuont == 1', "events.A.x"])
def test_fields_that_can_never_be_there_are_refused(text: str) -> None:
    with pytest.raises(ConditionError, match="unknown field"):
        compile_condition(text, ALL)


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("properties.kind == start.properties.kind", True),
        ("has(start.properties.kind)", True),
        ("properties.start == 'start'", False),
        ("properties.letters.exists(s, s == start.event)", True),
    ],
)
def test_reading_the_start_is_noticed(text: str, uses: bool) -> None:
    assert compile_condition(text, UNLESS_NAMES).uses_start is uses


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("properties.amount > 1", ["properties.amount"]),
        ("has(properties.amount) && properties.amount > 1", []),
        ("!has(properties.amount) || properties.amount > 1", []),
        ("has(properties.a.b) && properties.a.b == 1", ["properties.a"]),
        ("has(properties.a) && has(properties.a.b) && properties.a.b == 1", []),
        ("properties.a.b.c == 1", ["properties.a.b.c"]),
        ('properties["a b"] == 1', ['properties["a b"]']),
        ('"a b" in properties && properties["a b"] == 1', []),
        ('events["A"].count == 0 && start.timestamp < start.timestamp', []),
        ('events["A"].last < start.timestamp', ["events.A.last"]),
        ("traits.z == 1 || traits.a == 1", ["traits.a", "traits.z"]),
        ("properties.list.exists(x, x.price > 1)", ["properties.list"]),
        ("type == 'track'", []),
        ("not CEL", []),
    ],
)
def test_fields_that_are_read_without_has_are_named(text: str, fields: list[str]) -> None:
    assert fields_read_without_has(text) == fields


def test_conditions_are_equal_by_text_and_names() -> None:
    one = compile_condition("properties.a == 1", START_NAMES)
    assert one == compile_condition("properties.a == 1", START_NAMES)
    assert one != compile_condition("properties.a == 2", START_NAMES)
    assert one != compile_condition("properties.a == 1", UNLESS_NAMES)
    assert one.text == "properties.a == 1"
    assert hash(one) == hash(compile_condition("properties.a == 1", START_NAMES))


HEAVY = {
    "numbers": list(range(50_000)),
    "some": list(range(3_000)),
    "long": "a" * 1_000_000,
    "deep": [[]],
}
deep: list[Any] = HEAVY["deep"]  # type: ignore[assignment]
for _ in range(100_000):
    deep = [deep]
HEAVY["deep"] = deep


@pytest.mark.parametrize(
    "text",
    [
        "properties.some.all(x, properties.some.exists(y, x + y < 0))",
        "properties.numbers.all(x, x in properties.numbers)",
        "properties.numbers.map(x, properties.numbers.map(y, properties.numbers)) == []",
        "properties.some.exists(x, properties.long.contains('b'))",
        "properties.long.matches('(a*)*(a*)*b')",
        "properties.long.matches('(a|aa)+$') && properties.missing",
        "properties.deep == properties.deep",
        ".".join(["[properties.long]", *["map(x, x + x)"] * 40]) + " == []",
        ".".join(["[properties.numbers]", *["map(x, x + x)"] * 40]) + " == []",
        " || ".join(["properties.missing == 1"] * 300),
        "int(properties.long) == 1",
    ],
)
def test_no_condition_raises_or_takes_long(text: str) -> None:
    condition = compile_condition(text, START_NAMES)
    begun = time.perf_counter()
    condition({"properties": HEAVY, "context": {}, "type": "track", "event": "E"})
    assert time.perf_counter() - begun < 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values, json_values)
def test_any_two_json_values_can_be_compared(left: Any, right: Any) -> None:
    names = {"properties": {"a": left, "b": right}}
    equal = compile_condition("properties.a == properties.b", START_NAMES)(names)
    unequal = compile_condition("properties.a != properties.b", START_NAMES)(names)
    assert isinstance(equal, bool)
    assert unequal is not equal
    for sign in ("<", "<=", ">", ">="):
        verdict = compile_condition(f"properties.a {sign} properties.b", START_NAMES)(names)
        assert verdict is None or isinstance(verdict, bool)


@given(st.text(alphabet="ab.()[]{}'\"\\&|!=<>+-*/%?:, \n01px", max_size=30))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    place = (1, 1)
    try:
        compile_condition(text, START_NAMES)({})
    except ConditionError as error:
        place = (error.line, error.column)
    assert min(place) >= 1
