"""What is said of a condition before there is an event holds for every event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rulebook.cel.facts import compared_with, contradict, facts_of
from pipeline.rulebook.cel.outlook import ANY, verdicts
from pipeline.rulebook.cel.syntax import parse
from pipeline.rulebook.conditions import START_NAMES, ConditionError, compile_condition

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([0.5, 1.0, "a", "b", ""])
)
EVENTS = st.dictionaries(st.sampled_from("xyz"), VALUES)
FIELDS = st.sampled_from(["properties.x", "properties.y"])
LITERALS = st.sampled_from(["-1", "0", "1", "1.0", "0.5", '"a"', '"b"', "true", "false", "null"])
COMPARED = st.tuples(FIELDS, st.sampled_from("== != < <= > >=".split()), LITERALS)
ATOMS = st.one_of(
    COMPARED.map(" ".join),
    COMPARED.map(lambda parts: " ".join(reversed(parts))),
    FIELDS.map(lambda field: f"has({field})"),
    st.tuples(FIELDS, st.lists(LITERALS, max_size=3)).map(
        lambda pair: f"{pair[0]} in [{', '.join(pair[1])}]"
    ),
    st.sampled_from(["true", "false", "1 < 2", "type(properties.x) == string", "properties.x"]),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        inner.map(lambda text: f"!({text})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} ? {parts[1]} : {parts[2]})"),
    ),
    max_leaves=6,
)


def judged(text: str, properties: dict[str, object]) -> bool | None:
    names = {"properties": properties, "context": {}, "type": "track", "event": "E"}
    return compile_condition(text, START_NAMES)(names)


@given(CONDITIONS, st.lists(EVENTS, min_size=1, max_size=8))
def test_no_event_gives_a_verdict_that_was_said_to_be_impossible(
    text: str, events: list[dict[str, object]]
) -> None:
    try:
        compile_condition(text, START_NAMES)
    except ConditionError:
        return
    assert {judged(text, event) for event in events} <= verdicts(text)


@given(CONDITIONS, CONDITIONS, st.lists(EVENTS, min_size=1, max_size=8))
def test_of_two_conditions_that_contradict_no_event_meets_both(
    one: str, other: str, events: list[dict[str, object]]
) -> None:
    try:
        facts = facts_of(parse(one)) + facts_of(parse(other))
        if contradict(facts):
            assert not any(judged(one, event) and judged(other, event) for event in events)
    except ConditionError:
        return


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("true", {True}),
        ("1 > 2", {False}),
        ("properties.x == 1 || true", {True}),
        ("false && properties.x == 1", {False}),
        ("properties.x == 1 && properties.x == 2", {False, None}),
        ('properties.x > "a" && properties.x < 3', {False, None}),
        ("!(properties.x < 5) && properties.x < 5", {False, None}),
        ("!has(properties.x) && properties.x == 1", {False, None}),
        ("properties.x && !properties.x", {False, None}),
        ("properties.x >= 5 && properties.x <= 5", ANY),
        ("properties.x == 1 && properties.x == 1.0", ANY),
        ("properties.l.exists(v, v == 1)", ANY),
        ("not a condition", ANY),
        (" && ".join(["properties.x == 1"] * 500), ANY),
    ],
)
def test_what_is_certain_is_said(text: str, possible: set[bool | None]) -> None:
    assert verdicts(text) == possible


def test_the_texts_that_a_field_is_compared_with_are_found_wherever_they_stand() -> None:
    text = '!(event == "A") || (has(properties.x) ? event in ["B", "C"] : "D" != event)'
    assert compared_with(text, ("event",)) == {"A", "B", "C", "D"}
    assert compared_with(text, ("start", "event")) == set()
    assert compared_with('event.startsWith("A")', ("event",)) == set()
    assert compared_with("event ==", ("event",)) == set()
