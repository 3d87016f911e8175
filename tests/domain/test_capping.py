"""Limits of scope person among entities whose records overtake one another."""

import random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.caps import FIRED_MAX, Caps, Fired, UnderWay
from pipeline.domain.messages import Erase, Judged, Merge
from pipeline.domain.outputs import Decision, Retraction, Trigger
from pipeline.domain.refs import Ref
from pipeline.domain.times import DAY, HOUR
from pipeline.rulebook.calling_rules import LIMIT_MAX
from tests.domain.capping_cases import BEGIN, PHONES, event, keys, network, person, phone, run

WAYS: Final = st.integers(0, 2**32).map(random.Random)


@given(chance=WAYS, most=st.integers(1, 3), cooldown=st.sampled_from(["0s", "5h"]))
@settings(max_examples=150)
def test_never_more_than_the_limit_and_never_less_where_there_is_room(
    chance: random.Random, most: int, cooldown: str
) -> None:
    made = network(most, cooldown=cooldown)
    made.happen(phone(made, "u1", PHONES[0]))
    starts = []
    for number in range(chance.randrange(2, 14)):
        for _ in range(chance.randrange(12)):
            made.step(chance)
        if chance.random() < 0.4:
            run(made, chance, made.now + chance.choice((1, HOUR - 1, HOUR, 7 * HOUR)))
        made.happen(phone(made, "u1", chance.choice(PHONES)))
        starts.append(event(made, "u1", chance.choice(("low", "high")), number))
        made.happen(starts[-1])
    run(made, chance, made.now + 5 * DAY)

    fired: list[int] = []
    for said in made.said:
        if isinstance(said, Trigger):
            assert sum(at > said.fired_at - DAY for at in fired) < most
            fired.append(said.fired_at)
        elif isinstance(said, Decision) and said.reason == "limits":
            gate = said.gates[-1]
            assert sum(at > said.decided_at - DAY for at in fired) >= most
            assert gate.until == sorted(fired)[-most] + DAY
    assert len(keys(made, "fired")) + len(keys(made, "suppressed")) == len(starts)


@given(chance=WAYS, most=st.integers(1, 2), cooldown=st.sampled_from(["0s", "5h"]))
@settings(max_examples=150)
def test_nobody_is_called_for_what_was_cancelled_while_it_waited_its_turn(
    chance: random.Random, most: int, cooldown: str
) -> None:
    made = network(most, cooldown=cooldown)
    made.happen(phone(made, "u1", PHONES[0]))
    for number in range(4):
        made.happen(event(made, "u1", chance.choice(("low", "high")), number))
    cancelled = chance.randrange(4)
    made.settle(chance)
    made.now += HOUR
    made.tick()
    for _ in range(chance.randrange(40)):
        if not made.step(chance):
            made.tick()
    for name in ("low", "high"):
        made.happen(event(made, "u1", f"not {name}", cancelled))
    run(made, chance, made.now + 2 * DAY)

    retracted = {said.key for said in made.said if isinstance(said, Retraction)}
    assert str(cancelled) not in set(keys(made, "fired")) - retracted
    decided = keys(made, "fired") + keys(made, "suppressed") + keys(made, "cancelled")
    assert sorted(key or "" for key in decided) == ["0", "1", "2", "3"]


@given(chance=WAYS, pauses=st.lists(st.integers(0, 40), min_size=2, max_size=2))
@settings(max_examples=150)
def test_a_merge_at_any_moment_loses_nothing_and_counts_the_triggers_of_both(
    chance: random.Random, pauses: list[int]
) -> None:
    made = network(most=2)
    for number, (user, number_of) in enumerate(zip(("u1", "u2"), PHONES, strict=True)):
        made.happen(phone(made, user, number_of))
        for nth in range(3):
            made.happen(event(made, user, "low", 3 * number + nth))
    made.settle(chance)
    made.now += HOUR
    made.tick()
    for _ in range(pauses[0]):
        if not made.step(chance):
            made.tick()
    made.write(Ref("person", "u1"), Merge("u2"))
    run(made, chance, made.now + HOUR)
    fired = keys(made, "fired")
    assert 2 <= len(fired) <= 4
    assert len(fired) + len(keys(made, "suppressed")) == 6

    caps = person(made, "u2").profile.caps
    assert caps is not None
    assert len(caps.fired) == len(fired)
    assert not caps.line
    assert not caps.under_way

    made.happen(event(made, "u1", "high", 9))
    run(made, chance, made.now + 2 * HOUR)
    assert keys(made, "suppressed")[-1] == "9"


def test_what_is_at_an_address_when_two_people_merge_is_waited_for() -> None:
    made = network(cooldown="1h")  # so the address waits for a tick
    chance = random.Random(1)
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(phone(made, "u2", PHONES[1]))
    made.happen(event(made, "u1", "low", 1))
    made.settle(chance)
    made.now += HOUR
    for _ in range(2):  # due; sent
        made.tick()
        made.settle(chance)
    made.write(Ref("person", "u1"), Merge("u2"))
    made.settle(chance)
    caps = person(made, "u2").profile.caps
    assert caps is not None
    assert len(caps.under_way) == 1
    assert keys(made, "fired") == []

    made.happen(event(made, "u2", "low", 2))
    run(made, chance, made.now + 2 * HOUR)

    assert keys(made, "fired") == ["1"]
    assert keys(made, "suppressed") == ["2"]


def test_an_answer_that_comes_twice_counts_once() -> None:
    made = network(most=2)
    chance = random.Random(1)
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(event(made, "u1", "low", 1))
    run(made, chance, made.now + HOUR)
    (trigger,) = [said for said in made.said if isinstance(said, Trigger)]
    again = Judged(trigger.attempt.id, "voice", trigger.fired_at)
    made.write(Ref("person", "u1"), again)
    made.happen(event(made, "u1", "low", 2))
    run(made, chance, made.now + 2 * HOUR)

    assert keys(made, "fired") == ["1", "2"]


def test_an_attempt_that_no_address_answers_for_counts_as_fired_and_holds_nobody_up_for_ever() -> (
    None
):
    made = network()
    chance = random.Random(1)
    made.happen(phone(made, "u1", PHONES[0]))
    made.settle(chance)
    lost_at = made.now + HOUR
    person(made, "u1").profile.caps = Caps(under_way={"lost": UnderWay("voice", lost_at)})
    made.happen(event(made, "u1", "low", 1))
    run(made, chance, made.now + DAY)
    assert keys(made, "suppressed") == ["1"]

    made.now = lost_at + DAY - HOUR
    made.happen(event(made, "u1", "low", 2))
    run(made, chance, made.now + 2 * HOUR)
    assert keys(made, "fired") == ["2"]


def test_what_expires_at_its_address_after_an_outage_leaves_its_room_to_the_next() -> None:
    made = network(cooldown="5h")
    chance = random.Random(1)
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(event(made, "u1", "low", 1))
    run(made, chance, made.now + HOUR - 1)
    for _ in range(2):  # it comes in line, and goes to its address
        made.now += 1
        made.tick()
        made.settle(chance)
    made.now += 3 * DAY
    made.happen(event(made, "u1", "low", 2))
    made.settle(chance)
    made.now += 2 * HOUR
    run(made, chance, made.now + HOUR)

    assert keys(made, "expired") == ["1"]
    assert keys(made, "fired") == ["2"]


def test_what_waits_its_turn_longer_than_it_is_of_use_expires() -> None:
    made = network()
    chance = random.Random(1)
    made.happen(phone(made, "u1", PHONES[0]))
    made.settle(chance)
    person(made, "u1").profile.caps = Caps(under_way={"lost": UnderWay("voice", BEGIN + 9 * DAY)})
    made.happen(event(made, "u1", "low", 1))
    run(made, chance, made.now + 5 * DAY)

    (decision,) = [said for said in made.said if isinstance(said, Decision)]
    assert (decision.outcome, decision.reason) == ("expired", "best_before")
    assert (decision.channel, decision.expires_at) == ("voice", BEGIN + HOUR + 3 * DAY)
    assert decision.decided_at == BEGIN + HOUR + 3 * DAY + 1


@given(chance=WAYS)
@settings(max_examples=80)
def test_an_erasure_ends_what_waits_its_turn_and_leaves_nothing_that_counts(
    chance: random.Random,
) -> None:
    made = network()
    made.happen(phone(made, "u1", PHONES[0]))
    for number in range(3):
        made.happen(event(made, "u1", "low", number))
    made.settle(chance)
    made.now += HOUR
    made.tick()
    for _ in range(chance.randrange(30)):
        if not made.step(chance):
            made.tick()
    made.write(Ref("person", "u1"), Erase())
    run(made, chance, made.now + 2 * DAY)

    assert person(made, "u1").profile.caps is None
    fired = keys(made, "fired")
    retracted = [said.key for said in made.said if isinstance(said, Retraction)]
    assert sorted(map(str, retracted)) == sorted(map(str, fired))
    decided = fired + keys(made, "erased") + keys(made, "suppressed")
    assert sorted(map(str, decided)) == ["0", "1", "2"]


def test_of_a_line_the_higher_priority_goes_first_whatever_came_first() -> None:
    made = network()
    chance = random.Random(1)
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(event(made, "u1", "low", 1))
    made.happen(event(made, "u1", "high", 2))
    run(made, chance, made.now + HOUR)

    assert keys(made, "fired") == ["2"]
    assert keys(made, "suppressed") == ["1"]


def test_where_the_address_counts_the_higher_priority_goes_first_too() -> None:
    made = network(scope="address")
    chance = random.Random(1)
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(event(made, "u1", "low", 1))
    made.happen(event(made, "u1", "high", 2))
    run(made, chance, made.now + HOUR)

    assert keys(made, "fired") == ["2"]
    (decision,) = [d for d in made.said if isinstance(d, Decision) and d.reason == "limits"]
    assert (decision.to, decision.gates[-1].until) == (PHONES[0], made.now + DAY)
    assert person(made, "u1").profile.caps is None


@pytest.mark.parametrize(("age", "kept"), [(DAY - 1, True), (DAY, False)])
def test_what_no_limit_looks_back_to_is_forgotten(age: int, *, kept: bool) -> None:
    caps = Caps(fired={"t": Fired("voice", BEGIN)})
    caps.forget(BEGIN + age, lambda _: DAY)
    assert bool(caps.fired) == kept


def test_no_limit_counts_further_than_is_remembered() -> None:
    assert LIMIT_MAX <= FIRED_MAX


def test_of_very_many_triggers_the_latest_thousand_are_kept() -> None:
    caps = Caps(fired={f"t{n}": Fired("voice", BEGIN + n) for n in range(1_500)})
    caps.forget(BEGIN + 1_500, lambda _: DAY)

    assert len(caps.fired) == 1_000
    assert caps.room_at("voice", 1_000, DAY) == BEGIN + 500 + DAY


fired_sets = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=1),
    st.builds(Fired, st.just("voice"), st.integers(0, 5)),
)


@given(one=fired_sets, other=fired_sets, most=st.integers(1, 4))
def test_joining_counts_each_trigger_once_from_either_side(
    one: dict[str, Fired], other: dict[str, Fired], most: int
) -> None:
    other = {name: one.get(name, fired) for name, fired in other.items()}  # one trigger, one time
    ab, ba = Caps(fired=dict(one)), Caps(fired=dict(other))
    ab.join(Caps(fired=other))
    ba.join(Caps(fired=one))

    assert ab.fired == ba.fired == one | other
    assert ab.room_at("voice", most, 10) == ba.room_at("voice", most, 10)
