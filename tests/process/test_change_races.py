"""Partitions take a change one after the other: what is on its way in between gets lost nowhere."""

from pipeline.domain.refs import Ref
from pipeline.domain.versions import Ruling
from pipeline.wire.state import partition_of
from tests.process.changing import PHONE, Changing, journey
from tests.process.test_pause import EVENING

HERE = partition_of(Ref("address", PHONE), 2)
THERE = 1 - HERE
NEAR, FAR = (
    next(f"u{n}" for n in range(99) if partition_of(Ref("person", f"u{n}"), 2) == place)
    for place in (HERE, THERE)
)


async def waiting(calling: object = None) -> Changing:
    """Somebody apart from their address waits from 10:00 to 12:00."""
    world = Changing(partitions=2)
    await world.apply("08:00", journey(), calling=calling)
    await world.known(FAR)
    await world.track("10:00", FAR, "Approved")
    return world


async def test_an_address_whose_pause_ends_later_than_its_persons_is_asked_again() -> None:
    world = await waiting()
    await world.apply("11:00", journey(status="paused"))
    await world.until("12:30")
    resumed = await world.announce(journey())
    await world.apply_in(THERE, resumed)
    await world.until("12:30")
    await world.apply_in(HERE, resumed)
    await world.until("20:00")

    assert world.fired() == [(FAR, 1, "12:31")]


async def test_an_address_whose_pause_begins_sooner_than_its_persons_costs_no_trigger() -> None:
    world = await waiting()
    paused = await world.announce(journey(status="paused"))
    await world.apply_in(HERE, paused)
    await world.until("12:10")
    await world.apply_in(THERE, paused)
    await world.until("13:00")
    assert world.fired() == []
    await world.apply("13:00", journey())
    await world.until("20:00")

    assert world.fired() == [(FAR, 1, "13:00")]


async def test_what_a_pause_kept_is_released_by_who_has_it_by_an_alias_meanwhile() -> None:
    world = await waiting(EVENING)
    await world.apply("13:00", journey(status="paused"), calling=EVENING)
    await world.until("18:30")  # the hours opened at 18:00
    resumed = await world.announce(journey())
    await world.apply_in(HERE, resumed)
    await world.send("18:35", "alias", NEAR, previousId=FAR)
    await world.apply_in(THERE, resumed)
    await world.until("20:00")

    assert world.fired() == [(NEAR, 1, "18:35")]


async def test_an_address_that_knows_of_a_drop_before_its_person_lets_nothing_out() -> None:
    world = await waiting()
    following = await world.announce(journey(2))
    await world.apply_in(HERE, following, j=Ruling(drop=2))
    await world.until("12:10")
    await world.apply_in(THERE, following, j=Ruling(drop=2))
    await world.until("20:00")

    assert world.fired() == []
    assert [each[2:] for each in world.decided()] == [("superseded", "dropped", "12:00")]


async def test_what_a_pause_kept_is_held_for_its_window_after_it() -> None:
    world = await waiting(EVENING)
    paused = await world.announce(journey(status="paused"), calling=EVENING)
    await world.apply_in(HERE, paused)
    await world.until("12:10")
    await world.apply_in(THERE, paused)
    await world.apply("13:00", journey(), calling=EVENING)
    await world.until("20:00")

    (sent,) = world.sent()
    assert sent["firedAt"][11:16] == "18:00"
    gates = {gate["gate"]: gate["verdict"] for gate in sent["gates"]}
    assert (gates["window"], gates.get("pause")) == ("held", None)


async def test_a_cancel_of_a_version_that_is_not_announced_everywhere_may_move_along() -> None:
    """The command was killed half way, and is given again."""
    world = await waiting()
    following = journey(2, unless=["Signed", "Withdrawn"])
    await world.announce_in(THERE, following)
    await world.track("10:30", FAR, "Withdrawn")
    await world.send("10:40", "alias", NEAR, previousId=FAR)
    await world.until("10:50")
    await world.apply("11:00", following, j=Ruling(move=2))
    await world.until("20:00")

    assert world.refused() == []
    assert world.fired() == []
    assert [each[2:] for each in world.decided()] == [("cancelled", "cancelled", "11:00")]
