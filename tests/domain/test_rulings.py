"""What an apply rules on open waits holds for any facts, once, in whatever order they are met."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.facts import Facts
from pipeline.domain.reviews import forget, next_due, pass_time, review
from pipeline.domain.rules import Journey, Pattern, Step
from pipeline.domain.rulings import rule, visit
from pipeline.domain.versions import Pause, Ruling, Versions
from pipeline.domain.waits import derive
from tests.domain.strategies import MINUTE, facts_values

BEGIN = 1_700_000_000_000
NOW = st.integers(0, 20).map(lambda n: BEGIN + n * 10 * MINUTE)


@st.composite
def journeys(draw: st.DrawFn, version: int) -> Journey:
    afters = draw(st.lists(st.sampled_from([10, 20, 40, 80]), min_size=1, max_size=3, unique=True))
    steps = tuple(
        Step(nth, after * MINUTE, "voice" if nth % 2 else "sms", 60 * MINUTE)
        for nth, after in enumerate(sorted(afters), 1)
    )
    return Journey(
        name="j",
        version=version,
        start=(Pattern("track", "Approved"),),
        unless=(Pattern("track", "Signed"),),
        steps=steps,
        repeat=draw(st.sampled_from(["keep_first", "restart"])),
        once=draw(st.booleans()),
    )


PAIRS = st.tuples(journeys(1), journeys(2))
RULINGS = st.sampled_from([Ruling(drop=2), Ruling(move=2), Ruling(drop=2, move=2)])


def known(pair: tuple[Journey, Journey], ruling: Ruling | None = None) -> Versions:
    return Versions({journey.version: journey for journey in pair}, ruling)


def running(facts: Facts, pair: tuple[Journey, Journey], now: int) -> Facts:
    """Facts as they stand under version 1 at an instant."""
    versions = known(pair)
    review(facts, versions, BEGIN, list(facts.cancels))
    pass_time(facts, versions, now)
    return facts


def open_versions(facts: Facts, versions: Versions) -> set[int]:
    return {wait.journey.version for wait in derive(facts, versions).waits if not wait.over}


@given(facts_values(), PAIRS, RULINGS, NOW)
def test_nothing_older_is_open_after_a_ruling(
    facts: Facts, pair: tuple[Journey, Journey], ruling: Ruling, now: int
) -> None:
    versions = known(pair, ruling)
    rule(running(facts, pair, now), versions, now)

    assert 1 not in open_versions(facts, versions)


@given(facts_values(), PAIRS, RULINGS, NOW)
def test_ruled_on_again_facts_give_nothing_more(
    facts: Facts, pair: tuple[Journey, Journey], ruling: Ruling, now: int
) -> None:
    versions = known(pair, ruling)
    rule(running(facts, pair, now), versions, now)
    before = copy.deepcopy(facts)
    result, changed = visit(facts, versions, now)

    assert (result.verdicts, result.withdrawals, changed) == ([], [], False)
    assert facts == before


@given(facts_values(), PAIRS, RULINGS, NOW)
def test_a_visit_that_makes_facts_others_says_so(
    facts: Facts, pair: tuple[Journey, Journey], ruling: Ruling, now: int
) -> None:
    """Or they are not written."""
    running(facts, pair, now)
    before = copy.deepcopy(facts)
    _, changed = visit(facts, known(pair, ruling), now)

    assert changed or facts == before


@given(facts_values(), PAIRS, RULINGS, NOW)
def test_what_was_settled_stays_and_every_open_step_is_told_or_goes_on(
    facts: Facts, pair: tuple[Journey, Journey], ruling: Ruling, now: int
) -> None:
    running(facts, pair, now)
    settled = {s.identity: dict(s.settled) for s in facts.starts}
    open_before = {
        (wait.anchor.identity, step)
        for wait in derive(facts, known(pair)).waits
        for step in wait.open_steps()
    }
    versions = known(pair, ruling)
    told = {(v.start.identity, v.step) for v in rule(facts, versions, now).verdicts}

    for start in facts.starts:
        assert settled[start.identity].items() <= start.settled.items()
    open_after = {
        (wait.anchor.identity, step)
        for wait in derive(facts, versions).waits
        for step in wait.open_steps()
    }
    assert open_before <= told | open_after


@given(st.lists(st.builds(Ruling, st.integers(0, 9), st.integers(0, 9)), max_size=4))
def test_rulings_of_several_applies_are_one_in_any_order(several: list[Ruling]) -> None:
    def together(each: list[Ruling]) -> Ruling:
        whole = Ruling()
        for ruling in each:
            whole = whole.also(ruling)
        return whole

    assert together(several) == together(several[::-1])
    assert together([*several, *several]) == together(several)


@given(facts_values(), journeys(1), NOW)
def test_in_a_pause_nothing_is_judged_and_nothing_is_due_before_it_expires(
    facts: Facts, journey: Journey, now: int
) -> None:
    versions = Versions({1: journey}, pause=Pause(BEGIN - 1))
    review(facts, versions, BEGIN, list(facts.cancels))
    result = pass_time(facts, versions, now)
    forget(facts, versions, now)

    assert result.judge == []
    assert {verdict.reason for verdict in result.verdicts} <= {"paused"}
    due = next_due(facts, versions)
    assert due is None or due > now


@given(facts_values(), journeys(1), NOW)
def test_a_pause_that_is_over_before_anything_is_due_changes_nothing(
    facts: Facts, journey: Journey, now: int
) -> None:
    before, after = Versions({1: journey}), Versions({1: journey}, pause=Pause(1, BEGIN))
    other = copy.deepcopy(facts)
    for one, versions in ((facts, before), (other, after)):
        review(one, versions, BEGIN, list(one.cancels))
        pass_time(one, versions, now)

    assert facts == other
