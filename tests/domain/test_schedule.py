"""Which steps a wait has and when they are due follows from its anchor event alone."""

import copy
import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.facts import Cancel, Facts, Start
from pipeline.domain.reviews import forget, next_due, pass_time, review
from pipeline.domain.rules import Experiment, Journey, Pattern, Step, Until
from pipeline.domain.schedule import dates_of, deadline, steps_of, undated, variant_of
from pipeline.domain.times import DAY, HOUR, format_instant
from pipeline.domain.versions import Versions
from pipeline.domain.waits import derive, wait_end
from tests.domain.strategies import MINUTE, cancel_values, ref, start_values

NOW = 1_772_550_000_000  # 2026-03-03T15:00:00Z
DUE = Until(("properties", "due"), -2 * HOUR)
VOICE_AFTER = Step(1, 20 * MINUTE, "voice", HOUR)
SMS_BY_DATE = Step(2, 2 * HOUR, "sms", HOUR, until=DUE)


def journey(*steps: Step, experiment: Experiment | None = None) -> Journey:
    return Journey(
        name="j",
        version=1,
        start=(Pattern("track", "Approved"),),
        unless=(Pattern("track", "Signed"),),
        steps=steps,
        experiment=experiment,
    )


def dates(due: object, step: Step = SMS_BY_DATE) -> dict[int, int]:
    return dates_of(journey(step), {"properties": {"due": due}, "context": {}}, NOW)


@pytest.mark.parametrize(
    ("due", "deadline"),
    [
        ("2026-03-03T18:00:00Z", NOW + HOUR),
        ("2026-03-03T19:00:00+01:00", NOW + HOUR),
        ("2026-03-03", NOW - 17 * HOUR),
        (NOW, NOW - 2 * HOUR),
        (NOW // 1000, NOW - 2 * HOUR),
        (str(NOW // 1000), NOW - 2 * HOUR),
        ("2026-03-03T19:00:00Z", NOW + 2 * HOUR),
        ("1970-01-01T00:00:01Z", 1000 - 2 * HOUR),
    ],
)
def test_a_deadline_is_the_date_and_the_offset(due: object, deadline: int) -> None:
    assert dates(due) == {2: deadline}


@pytest.mark.parametrize(
    "due",
    ["2026-03-03T19:00:00.001Z", "9999-12-31T23:59:59Z", "soon", "", "2026-02-30", None, True, [],
     {}, -1, 0, float("nan"), float("inf"), 10**30, "٢٠٢٦-٠٣-٠٣", "2026-03-03\0"],
)  # fmt: skip
def test_what_is_no_date_or_lies_too_far_ahead_gives_no_deadline(due: object) -> None:
    assert dates(due) == {}


def test_a_path_through_something_else_than_objects_gives_no_deadline() -> None:
    step = Step(1, DAY, "sms", HOUR, until=Until(("properties", "a", "b")))
    for found in ("text", [1], None, {"b": None}):
        assert dates_of(journey(step), {"properties": {"a": found}}, NOW) == {}


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.integers())))
def test_whatever_a_producer_sends_a_deadline_can_be_written(due: object) -> None:
    for at in dates(due).values():
        assert at <= NOW + 2 * HOUR
        assert format_instant(at).endswith("Z")


HALVES = Experiment("tone", (("soft", 30), ("firm", 70)))
EXPERIMENT = journey(
    Step(1, HOUR, "sms", HOUR, variant="soft"),
    Step(2, HOUR, "voice", HOUR, variant="firm"),
    Step(3, 2 * HOUR, "voice", HOUR),
    experiment=HALVES,
)


def start(own_id: str = "u1", time: int = NOW, **given_dates: int) -> Start:
    dated = {int(name[1:]): at for name, at in given_dates.items()}
    return Start(
        own_id, 1, ref("m1", time), time, "track", {}, {}, "person", own_id, dates=dated
    )  # fmt: skip


def test_the_variant_is_the_one_that_the_rule_says() -> None:
    # first 8 bytes of SHA-256 of "tone", NUL, "j", NUL, id: 0.135, 0.474
    assert [variant_of(EXPERIMENT, own_id) for own_id in ("u1", "u2")] == ["soft", "firm"]
    assert variant_of(journey(VOICE_AFTER), "u1") is None


def test_a_wait_has_the_steps_of_its_variant_and_those_of_all() -> None:
    assert [step.number for step in steps_of(EXPERIMENT, start("u1"))] == [1, 3]
    assert [step.number for step in steps_of(EXPERIMENT, start("u2"))] == [2, 3]


def test_shares_are_as_large_as_written_and_leave_nobody_out() -> None:
    thin = journey(VOICE_AFTER, experiment=Experiment("s", (("a", 0.5), ("b", 33.3), ("c", 66.2))))
    names = [variant_of(thin, f"user-{n}") for n in range(20_000)]
    assert names.count("a") == pytest.approx(100, abs=40)
    assert names.count("b") == pytest.approx(6_660, abs=250)
    assert len(names) == sum(names.count(name) for name in "abc")


def test_whoever_is_beyond_the_last_edge_by_rounding_is_of_the_last_variant() -> None:
    short = Experiment("s", (("first", 0.01), ("last", 0.01)))
    assert variant_of(journey(VOICE_AFTER, experiment=short), "u1") == "last"


def test_a_step_without_its_date_is_none_of_the_wait() -> None:
    both = journey(VOICE_AFTER, SMS_BY_DATE)
    assert steps_of(both, start()) == [VOICE_AFTER]
    assert undated(both, start()) == [SMS_BY_DATE]
    assert steps_of(both, start(_2=NOW + HOUR)) == [VOICE_AFTER, SMS_BY_DATE]
    assert undated(both, start(_2=NOW + HOUR)) == []
    assert deadline(SMS_BY_DATE, start()) == NOW
    assert deadline(SMS_BY_DATE, start(_2=NOW + HOUR)) == NOW + HOUR


def test_a_wait_ends_at_its_last_deadline_and_never_before_its_anchor() -> None:
    dated = journey(SMS_BY_DATE)
    for date, end in ((NOW - DAY, NOW), (NOW + HOUR, NOW + HOUR)):
        anchor = start(_2=date)
        assert wait_end(anchor, [], Versions({1: dated})) == end


def test_a_start_that_another_supersedes_is_told_of_by_its_own_steps_alone() -> None:
    restarting = dataclasses.replace(EXPERIMENT, repeat="restart")
    facts, versions = Facts([start("u1")]), Versions({1: restarting})
    review(facts, versions, NOW)
    facts.add_start(start("u2", NOW + MINUTE))
    told = review(facts, versions, NOW + MINUTE).verdicts

    assert [(each.step, each.outcome) for each in told] == [(1, "superseded"), (3, "superseded")]


def test_facts_are_remembered_as_long_as_the_farthest_date_asks_for() -> None:
    for steps in ([SMS_BY_DATE], [SMS_BY_DATE, VOICE_AFTER]):
        assert journey(*steps).memory == 2 * HOUR + 2 * HOUR + HOUR


MIXED = journey(
    VOICE_AFTER,
    SMS_BY_DATE,
    Step(3, 30 * MINUTE, "voice", HOUR, variant="soft"),
    Step(4, 2 * HOUR, "voice", HOUR, until=Until(("properties", "end")), variant="firm"),
    experiment=HALVES,
)


@st.composite
def mixed_starts(draw: st.DrawFn) -> Start:
    made: Start = draw(start_values())
    made.own_id = draw(st.sampled_from(["u1", "u2", "u3"]))
    for step in (2, 4):
        if draw(st.booleans()):
            made.dates[step] = made.ref.time + draw(st.integers(-6, 12)) * 10 * MINUTE
    return made


def shape(facts: Facts) -> list[tuple[object, list[int], list[int]]]:
    return [
        (wait.anchor.identity, wait.open_steps(), [wait.deadline(n) for n in wait.open_steps()])
        for wait in derive(facts, Versions({1: MIXED})).waits
    ]


@given(
    st.lists(mixed_starts(), max_size=5, unique_by=lambda each: each.identity),
    st.lists(cancel_values(), max_size=3, unique_by=lambda each: each.order),
    st.randoms(),
)
def test_the_order_of_arrival_does_not_change_waits_with_dates_and_variants(
    starts: list[Start], cancels: list[Cancel], chance: random.Random
) -> None:
    facts = Facts(starts, cancels)
    shuffled = copy.deepcopy(facts)
    chance.shuffle(shuffled.starts)
    chance.shuffle(shuffled.cancels)

    assert shape(facts) == shape(shuffled)


@given(
    st.lists(mixed_starts(), max_size=5, unique_by=lambda each: each.identity),
    st.lists(cancel_values(), max_size=3, unique_by=lambda each: each.order),
    st.integers(0, 5),
)
def test_a_merge_gives_the_waits_that_one_person_would_have(
    starts: list[Start], cancels: list[Cancel], cut: int
) -> None:
    one, other = Facts(starts[:cut], cancels[:1]), Facts(starts[cut:], cancels[1:])
    whole = Facts(starts, cancels)
    joined, turned = copy.deepcopy(one), copy.deepcopy(other)
    joined.join(copy.deepcopy(other))
    turned.join(copy.deepcopy(one))

    assert shape(joined) == shape(turned) == shape(whole)


@given(
    st.lists(mixed_starts(), max_size=5, unique_by=lambda each: each.identity),
    st.lists(cancel_values(), max_size=3, unique_by=lambda each: each.order),
)
def test_every_step_is_settled_once_its_time_has_passed_and_forgetting_opens_no_wait(
    starts: list[Start], cancels: list[Cancel]
) -> None:
    facts, versions = Facts(starts, cancels), Versions({1: MIXED})
    review(facts, versions, NOW, facts.cancels)
    while (due := next_due(facts, versions)) is not None:
        pass_time(facts, versions, due)
        assert not any(
            w.due(n) <= due for w in derive(facts, versions).waits for n in w.open_steps()
        )
        before = {wait.anchor.identity for wait in derive(facts, versions).waits}
        forget(facts, versions, due)
        assert {wait.anchor.identity for wait in derive(facts, versions).waits} <= before
        later = next_due(facts, versions)
        assert later is None or later > due


def test_a_start_of_the_same_instant_takes_no_wait_over_whose_past_date_was_decided() -> None:
    """A deadline before its anchor does not make that start a later one (rule 5)."""
    restart = dataclasses.replace(journey(VOICE_AFTER, SMS_BY_DATE), repeat="restart")
    versions = Versions({1: restart})
    one, other = (start(own_id, d2=NOW - DAY) for own_id in ("u1", "u2"))
    facts = Facts([one])
    review(facts, versions, NOW)
    pass_time(facts, versions, NOW)
    facts.add_start(other)
    review(facts, versions, NOW)

    assert [wait.anchor for wait in derive(facts, versions).waits] == [one]
