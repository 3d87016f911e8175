"""The waits of a key are what its facts give, whatever the order in which they came."""

import copy
import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.facts import Cancel, Facts, Start
from pipeline.domain.reviews import forget, next_due, pass_time, review
from pipeline.domain.rules import Journey, Pattern, Step
from pipeline.domain.versions import Versions
from pipeline.domain.waits import derive
from tests.domain.strategies import MINUTE, cancel_values, facts_values, start_values

JOURNEYS = st.builds(
    lambda repeat, once, lookback: Journey(
        name="j",
        version=1,
        start=(Pattern("track", "Approved"),),
        unless=(Pattern("track", "Signed"),),
        steps=(
            Step(1, 20 * MINUTE, "voice", 60 * MINUTE),
            Step(2, 40 * MINUTE, "sms", 60 * MINUTE),
        ),
        repeat=repeat,
        once=once,
        lookback=lookback * MINUTE,
    ),
    st.sampled_from(["keep_first", "restart"]),
    st.booleans(),
    st.sampled_from([0, 10]),
)


def shape(facts: Facts, journey: Journey) -> list[tuple[str, int]]:
    return [(w.anchor.ref.message_id, w.anchor.ref.time) for w in derive(facts, {1: journey}).waits]


@given(facts_values(), JOURNEYS, st.randoms())
def test_the_order_of_arrival_does_not_change_the_waits(
    facts: Facts, journey: Journey, chance: random.Random
) -> None:
    shuffled = copy.deepcopy(facts)
    chance.shuffle(shuffled.starts)
    chance.shuffle(shuffled.cancels)

    assert shape(facts, journey) == shape(shuffled, journey)


@given(facts_values(), JOURNEYS)
def test_every_start_is_an_anchor_or_stands_otherwise(facts: Facts, journey: Journey) -> None:
    derived = derive(facts, {1: journey})
    anchors = {wait.anchor.identity for wait in derived.waits}

    assert anchors | derived.others.keys() == {start.identity for start in facts.starts}
    assert not anchors & derived.others.keys()


@given(st.lists(st.one_of(start_values(), cancel_values()), max_size=10), JOURNEYS)
def test_a_step_is_judged_at_most_once_and_never_after_a_cancel(
    arrivals: list[Start | Cancel], journey: Journey
) -> None:
    """Facts come one by one with ticks between; each (anchor, step) is judged once."""
    facts, versions = Facts(), Versions({1: journey})
    judged: list[tuple[object, int]] = []
    now = 0
    for fact in sorted(arrivals, key=lambda each: each.ref.time):
        now = max(now, fact.ref.time)
        for due in pass_time(facts, versions, now).judge:
            judged.append((due.wait.anchor.identity, due.step.number))
            cancels = [c for c in facts.cancels if c.ref.time >= due.wait.anchor.ref.time]
            assert not cancels
        if isinstance(fact, Cancel):
            if facts.add_cancel(fact):
                review(facts, versions, now, [fact])
        elif facts.find(fact.identity) is None:
            facts.add_start(copy.deepcopy(fact))
            review(facts, versions, now)

    assert len(judged) == len(set(judged))


@given(facts_values(), JOURNEYS)
def test_passing_time_leaves_nothing_due_and_forgetting_opens_no_wait(
    facts: Facts, journey: Journey
) -> None:
    versions = Versions({1: journey})
    review(facts, versions, 1_700_000_000_000, facts.cancels)
    while (due := next_due(facts, versions)) is not None:
        pass_time(facts, versions, due)
        before = {wait.anchor.identity for wait in derive(facts, versions).waits}
        forget(facts, versions, due)
        after = {wait.anchor.identity for wait in derive(facts, versions).waits}

        assert after <= before
        later = next_due(facts, versions)
        assert later is None or later > due
