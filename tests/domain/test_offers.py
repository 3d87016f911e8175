"""A device offers what it did to a person who is new to it: both of them never decide of it."""

import random

import pytest

from pipeline.domain import fold
from pipeline.domain.entities import Device, Person
from pipeline.domain.messages import (
    Accepted,
    Answered,
    Did,
    Handover,
    Inquired,
    Offered,
    Previous,
    Returned,
)
from pipeline.domain.outputs import Decision
from pipeline.domain.refs import Ref
from pipeline.domain.turn import Turn
from pipeline.domain.versions import Ruling
from tests.domain.capping_cases import BEGIN, event, network
from tests.domain.network import Network

DEVICE, ANN = Ref("device", "d"), Ref("person", "ann")
HOUR = 3_600_000


def started() -> Network:
    """A device at which a wait is open."""
    made = network()
    made.happen(event(made, "", "low", 1)._replace(user_id=None, anonymous_id="d"))
    made.settle(random.Random(0))
    return made


def page(made: Network, user: str, number: int, device: str | None = "d") -> Did:
    return Did(event(made, user, "Page", number)._replace(anonymous_id=device))


def offered(made: Network, user: str = "ann") -> Offered:
    """What the device tells a person it does not know; nothing else is under way."""
    made.write(DEVICE, page(made, user, 2))
    made.step(random.Random(0))
    ((to, (_, message)),) = made.outbox[DEVICE]
    assert to == Ref("person", user)
    assert isinstance(message, Offered)
    return message


def device(made: Network) -> Device:
    entity = made.entities[DEVICE]
    assert isinstance(entity, Device)
    return entity


def decided(made: Network) -> list[tuple[str | None, str | None, str]]:
    return [
        (said.who.user_id, said.who.anonymous_id, said.outcome)
        for said in made.said
        if isinstance(said, Decision)
    ]


def later(made: Network, hours: int) -> None:
    made.settle(random.Random(0))
    made.now += hours * HOUR
    while made.tick():
        made.settle(random.Random(0))


def test_what_is_offered_is_not_due_until_the_answer() -> None:
    made = started()
    assert fold.due(device(made)) == BEGIN + HOUR
    offered(made)
    assert fold.due(device(made)) is None
    later(made, 2)
    assert decided(made) == [("ann", None, "suppressed")]


def test_an_event_that_was_taken_before_links_nobody_and_the_device_goes_on() -> None:
    made = started()
    made.write(ANN, page(made, "ann", 2, None))
    made.settle(random.Random(0))
    offered(made)
    made.settle(random.Random(0))
    assert device(made).links == []
    assert fold.due(device(made)) == BEGIN + HOUR
    later(made, 2)
    assert decided(made) == [(None, "d", "suppressed")]


def test_rules_that_changed_while_it_was_offered_are_met_at_the_refusal() -> None:
    made = started()
    made.write(ANN, page(made, "ann", 2, None))
    made.settle(random.Random(0))
    offered(made)
    made.rules.of("low").ruling = Ruling(drop=2)
    made.settle(random.Random(0))
    assert decided(made) == [(None, "d", "superseded")]


@pytest.mark.parametrize("seed", range(20))
def test_what_comes_meanwhile_is_taken_in_its_order(seed: int) -> None:
    """Also an alias: the device was ann's before it was what bob was called, so ann is bob."""
    made = started()
    offered(made)
    for message in (page(made, "ann", 3), Previous("bob", made.now, "alias"), page(made, "bob", 4)):
        made.write(DEVICE, message)
    made.settle(random.Random(seed))
    found = device(made)
    assert (found.handed_to, found.asking, found.queue) == ("ann", False, [])
    assert {link.user_id for link in found.links} == {"ann", "bob"}
    persons = [each for each in made.entities.values() if isinstance(each, Person)]
    (left,) = [person for person in persons if person.merged_into is None]
    assert left.profile.stats["Page"].count == 3


def test_a_message_that_waited_is_taken_no_earlier_than_it_came() -> None:
    made = started()
    offered(made)
    fold.take(device(made), DEVICE, page(made, "ann", 3), Turn(BEGIN + HOUR, made.rules))
    turn = Turn(BEGIN, made.rules)
    fold.take(device(made), DEVICE, Accepted("ann", BEGIN, "2 Page", new=True), turn)
    assert turn.now == BEGIN + HOUR
    assert [to for to, _ in turn.told] == [ANN]


def test_an_inquiry_of_an_older_version_is_gone_on_with_as_it_began() -> None:
    made = started()
    given = device(made)
    given.asking = True
    asked = page(made, "ann", 2).event
    made.write(ANN, Inquired(asked))
    made.step(random.Random(0))
    ((to, (_, answer)),) = made.outbox[ANN]
    assert (to, answer) == (DEVICE, Answered(asked, new=True))
    made.step(random.Random(0))
    made.step(random.Random(0))
    told = [message for _, (_, message) in made.outbox[DEVICE]]
    assert isinstance(told[0], Handover)
    assert told[1:] == [Returned(asked)]
    later(made, 2)
    assert decided(made) == [("ann", None, "suppressed")]
