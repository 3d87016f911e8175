"""What an address says of a step that it holds back."""

import random

from pipeline.domain.messages import Erase
from pipeline.domain.outputs import Decision, Gate
from pipeline.domain.refs import Ref
from pipeline.domain.times import DAY, HOUR
from tests.domain.capping_cases import BEGIN, PHONES, event, keys, network, phone, rules, run
from tests.domain.network import Network

CHANCE = random.Random(1)


def held_back(made: Network) -> Decision:
    (found,) = [d for d in made.said if isinstance(d, Decision) and d.outcome != "fired"]
    return found


def test_a_cooldown_says_up_to_when_it_runs() -> None:
    made = network(9, cooldown="5h", scope="address")
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(event(made, "u1", "low", 1))
    run(made, CHANCE, made.now + 4 * HOUR)
    made.happen(event(made, "u1", "low", 2))
    run(made, CHANCE, made.now + 4 * HOUR)

    said = held_back(made)
    assert (said.outcome, said.reason, said.decided_at) == (
        "suppressed",
        "cooldown",
        BEGIN + 5 * HOUR,
    )
    assert said.gates[-1] == Gate("cooldown", "fail", until=BEGIN + 6 * HOUR)
    assert (said.channel, said.to, said.expires_at) == (
        "voice",
        PHONES[0],
        BEGIN + 5 * HOUR + 3 * DAY,
    )


def test_of_the_limits_reached_the_one_that_has_room_last_is_named() -> None:
    limits = [
        {"max": 1, "per": "1d", "scope": "address"},
        {"max": 1, "per": "2d", "scope": "person"},
        {"max": 1, "per": "3h", "scope": "address"},
    ]
    made = network(calling={"limits": limits})
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(event(made, "u1", "low", 1))
    made.happen(event(made, "u1", "low", 2))
    run(made, CHANCE, made.now + HOUR)

    name = "1 voice or sms or email per 2d and person"
    assert held_back(made).gates[-1] == Gate("limits", "fail", name, BEGIN + HOUR + 2 * DAY)


def test_a_trigger_counts_for_a_limit_that_holds_only_for_somebody_else_with_the_number() -> None:
    limits = [{"max": 2, "per": "1d", "regions": ["US-FL"]}, {"max": 9, "per": "1h"}]
    made = network(calling={"limits": limits})
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(phone(made, "u2", PHONES[0], state="FL"))
    for hours, user, number in ((0, "u1", 1), (2, "u1", 2), (3, "u2", 3)):
        run(made, CHANCE, BEGIN + hours * HOUR)
        made.happen(event(made, user, "low", number))
    run(made, CHANCE, made.now + HOUR)

    assert keys(made, "fired") == ["1", "2"]
    assert held_back(made).gates[-1].until == BEGIN + HOUR + DAY


def test_a_limit_that_is_in_force_no_more_holds_back_nobody() -> None:
    night = {"hours": {"voice": "20:00-21:00"}, "unknown": {"zone": {"assume": "America/New_York"}}}
    made = network(calling=night | {"limits": [{"max": 1, "per": "1d"}]})
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(event(made, "u1", "low", 1))
    made.happen(event(made, "u1", "low", 2))
    run(made, CHANCE, made.now + HOUR)
    assert keys(made, "fired") == []
    made.rules = rules("0s", None)
    run(made, CHANCE, made.now + DAY)

    assert keys(made, "fired") == ["1", "2"]


def test_what_is_judged_only_after_it_was_of_use_expires() -> None:
    made = network(1, scope="address")
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(event(made, "u1", "low", 1))
    made.settle(CHANCE)
    made.now += HOUR
    made.tick()
    made.settle(CHANCE)
    made.now += 3 * DAY + 1  # nobody ticked for long
    made.tick()
    made.settle(CHANCE)

    said = held_back(made)
    assert (said.outcome, said.reason, said.to) == ("expired", "best_before", PHONES[0])
    assert said.expires_at == made.now - 1


def test_an_erasure_names_no_address() -> None:
    made = network(1, scope="address")
    made.happen(phone(made, "u1", PHONES[0]))
    made.happen(event(made, "u1", "low", 1))
    made.settle(CHANCE)
    made.now += HOUR
    made.tick()
    made.settle(CHANCE)
    made.write(Ref("person", "u1"), Erase())
    run(made, CHANCE, made.now + HOUR)

    said = held_back(made)
    assert (said.outcome, said.channel, said.to, said.expires_at) == ("erased", None, None, None)
