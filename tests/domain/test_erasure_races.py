"""Somebody is erased while a step of theirs is between its gates: its end is told, and once."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.messages import Erase
from pipeline.domain.outputs import Decision, Retraction, Trigger
from pipeline.domain.refs import Ref
from pipeline.domain.times import DAY, HOUR
from tests.domain.capping_cases import PHONES, event, network, phone, run

LIMIT = {"limits": [{"max": 9, "per": "1d", "scope": "person"}]}
CLOSED = {"hours": {"voice": "13:00-15:00"}}
"""In New York, where it is 11:00 when the steps are due."""


@given(
    seed=st.integers(0, 2**32),
    calling=st.sampled_from([LIMIT, CLOSED, LIMIT | CLOSED]),
    steps=st.integers(0, 12),
    device=st.booleans(),
)
def test_a_step_ends_once_whenever_its_person_is_erased(
    seed: int, calling: dict[str, Any], steps: int, *, device: bool
) -> None:
    chance = random.Random(seed)
    made = network(calling=calling)
    ref = Ref("device", "a1") if device else Ref("person", "u1")
    for each in (phone(made, "u1", PHONES[0]), *(event(made, "u1", n, 1) for n in ("low", "high"))):
        made.happen(each._replace(user_id=None, anonymous_id="a1") if device else each)
    made.settle(chance)
    made.now += HOUR
    assert made.tick()
    for _ in range(steps):
        made.step(chance)
    made.write(ref, Erase())
    made.settle(chance)
    run(made, chance, made.now + 9 * DAY)

    ends = [said.id for said in made.said if isinstance(said, Decision)]
    assert len(ends) == len(set(ends)) == 2
    fired = {said.attempt.id for said in made.said if isinstance(said, Trigger)}
    assert fired == {said.id for said in made.said if isinstance(said, Retraction)}
