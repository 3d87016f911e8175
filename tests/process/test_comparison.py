"""Which side fired which step, and what the other says."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.process.comparison import Comparison, Step, Sum, Verdict
from pipeline.process.history import Came

ID = "0" * 31 + "1"
OTHER = "0" * 31 + "2"


def came(kind: Any, id_: str = ID, **more: Any) -> Came:
    return Came(kind, {"id": id_, "journey": "j", "step": 1, "reason": None} | more)


def suppressed(id_: str = ID) -> Came:
    return came("decision", id_, outcome="suppressed", reason="no_consent")


def compared() -> Comparison:
    return Comparison([frozenset({"j"}), frozenset({"j"})])


def test_a_step_that_both_fired_is_no_difference() -> None:
    both = compared()
    both.take(0, came("trigger"))
    both.take(1, came("trigger"))
    assert list(both.differences(0, 1)) == []
    assert both.sums(0, 1) == {Sum("j", "both", ""): 1}


def test_the_other_says_why_it_did_not_fire() -> None:
    made = compared()
    made.take(0, came("trigger"))
    made.take(1, suppressed())
    (found,) = made.differences(0, 1)
    assert found == (ID, Step("j", 1), "one", Verdict("suppressed", "no_consent"))
    assert made.sums(1, 0) == {Sum("j", "other", "suppressed: no_consent"): 1}


def test_what_nobody_fired_is_no_difference() -> None:
    made = compared()
    made.take(0, suppressed())
    assert made.sums(0, 1) == {}


def test_who_decided_nothing_has_no_such_journey_or_no_wait_that_was_decided() -> None:
    made = Comparison([frozenset({"j"}), frozenset(), frozenset({"j"}), None])
    made.take(0, came("trigger"))
    says = [next(made.differences(0, side)).verdict.outcome for side in (1, 2, 3)]
    assert says == ["no_journey", "undecided", "undecided"]


def test_a_trigger_that_was_taken_back_was_fired() -> None:
    made = compared()
    for side in (0, 1):
        made.take(side, came("trigger"))
    made.take(1, came("retraction", reason="opted_out"))
    assert list(made.differences(0, 1)) == []
    assert made.verdict(1, ID) == Verdict("retracted", "opted_out")


def test_of_several_decisions_the_last_counts_but_none_undoes_a_trigger() -> None:
    made = compared()
    made.take(0, came("decision", outcome="ignored", reason="stale_start"))
    made.take(0, suppressed())
    assert made.verdict(0, ID) == Verdict("suppressed", "no_consent")
    made.take(0, came("trigger"))
    made.take(0, suppressed())
    assert made.fired(ID)
    assert not made.fired(OTHER)


OUTCOMES = st.sampled_from(["trigger", "suppressed", None])


@given(st.lists(st.tuples(st.integers(0, 40), OUTCOMES, OUTCOMES), max_size=40))
def test_the_sums_are_those_of_the_differences_and_mirror_each_other(
    steps: list[tuple[int, str | None, str | None]],
) -> None:
    made = compared()
    for number, *said in steps:
        for side, outcome in enumerate(said):
            id_ = f"{number:032x}"
            if outcome is not None:
                made.take(side, came("trigger", id_) if outcome == "trigger" else suppressed(id_))
    forth, back = made.sums(0, 1), made.sums(1, 0)
    apart = list(made.differences(0, 1))
    assert sum(n for each, n in forth.items() if each.side != "both") == len(apart)
    mirror = {"one": "other", "other": "one", "both": "both"}
    assert {(e.journey, mirror[e.side], e.verdict): n for e, n in back.items()} == dict(forth)
