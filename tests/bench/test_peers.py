"""The rules that two peers share give what the generator expects, whatever the order of calls."""

import random

import orjson
import pytest

from tests.bench.expected import Found, faults
from tests.bench.generator import Load, Pace, make
from tests.bench.job import APPROVED, SIGNED, SUPPORT, WAIT, Json
from tests.bench.peers import rules
from tests.bench.systems import SYSTEMS, code_lines

PACE = Pace(1_772_323_200_000, span=120.0)


def told(load: Load, calls: list[Json]) -> Found:
    """As a peer does it: device, person, and at the end whom to call."""
    devices: dict[str, Json] = {}
    people: dict[str, Json] = {}
    found = Found()

    def publish(output: rules.Output) -> None:
        topic, key, value = output
        take = {"contacts": found.take_contact, "optins": found.take_optin}
        if topic in take:
            take[topic](key.encode(), orjson.dumps(value))
        else:
            found.take_trigger(orjson.dumps(value))

    for call in calls:
        passed = [call]
        if "anonymousId" in call:
            device = devices.setdefault(call["anonymousId"], rules.new_device())
            passed = rules.at_device(device, call)
        for one in passed:
            person = people.setdefault(one["userId"], rules.new_person())
            for output in rules.at_person(person, one):
                publish(output)
    for user, person in people.items():
        for output in rules.to_call(person, user, WAIT):
            publish(output)
    return found


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_peers_rules_give_what_the_generator_expects(shuffled: bool) -> None:
    load = make(2_000, PACE, seed=5)
    calls = [rules.slim(orjson.loads(call.value)) for call in load.calls]
    if shuffled:
        random.Random(1).shuffle(calls)
    assert len(load.triggers) > 5
    assert faults(told(load, calls), [load]) == []


def test_the_peers_know_events_by_the_names_of_the_job() -> None:
    assert (rules.APPROVED, rules.SIGNED, rules.SUPPORT) == (APPROVED, SIGNED, SUPPORT)


def test_only_lines_of_code_are_counted() -> None:
    source = (
        '"""Says.\n\nMore.\n"""\n\nimport os  # yes\n# no\nx = """a\nb"""\n\ndef f():\n    "No."\n'
    )
    assert code_lines(source) == 4


def test_every_system_tells_how_much_code_it_is() -> None:
    assert all(0 < system.lines() < 200 for system in SYSTEMS)
