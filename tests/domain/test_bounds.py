"""What one id may make us remember is bounded, whoever sends how much under it (a bot, a kiosk)."""

import random
from itertools import count

import pytest

from pipeline.domain import consent
from pipeline.domain.book import FACTS_MAX as MENTIONS_MAX
from pipeline.domain.device import take
from pipeline.domain.entities import Device
from pipeline.domain.events import AddressFact, Event, Source
from pipeline.domain.facts import CANCELS_MAX, STARTS_MAX, Cancel, EventRef, Facts, Start
from pipeline.domain.linking import LINKS_MAX
from pipeline.domain.messages import Accepted, Did
from pipeline.domain.outputs import Evidence, Who
from pipeline.domain.profile import (
    EVENT_NAMES_MAX,
    FACTS_MAX,
    TRAIT_CHARACTERS_MAX,
    TRAITS_MAX,
    Profile,
)
from pipeline.domain.refs import Ref
from pipeline.domain.rules import ConsentRule, Rulebook
from pipeline.domain.seen import SEEN_MAX, WINDOW, Seen
from pipeline.domain.shadow import slot
from pipeline.domain.times import DAY
from pipeline.domain.turn import Rules, Turn
from tests.domain.capping_cases import PHONES, keys, network, person, phone, run
from tests.domain.capping_cases import event as capping_event
from tests.domain.strategies import MINUTE

BEGIN = 1_700_000_000_000
NUMBERS = count()
RULES = [
    Rules(
        Rulebook(
            "d",
            consent=(
                ConsentRule("Said", ("voice",), subscribed=subscribed),
                ConsentRule("Texts", ("sms",), subscribed=subscribed),
            ),
        )
    )
    for subscribed in (False, True)
]
"""In which an event is an opt-out, and in which it is an opt-in."""


def event(**more: object) -> Event:
    number = next(NUMBERS)
    known: dict[str, object] = {
        "type": "identify",
        "name": "",
        "user_id": "u1",
        "anonymous_id": None,
        "message_id": f"m{number:06d}",
        "time": BEGIN + number,
        "kafka_time": BEGIN + number,
        "source": Source("segment.raw", 0, number),
    }
    return Event(**(known | more))  # type: ignore[arg-type]  # fields of the caller


def ref(time: int) -> EventRef:
    return EventRef(f"m{time}", "Approved", time, Source("segment.raw", 0, 0))


def start(time: int) -> Start:
    return Start("u1", 1, ref(time), time, "track", {}, {}, "person", "u1")


def test_phones_are_kept_up_to_a_number_and_the_newest_stays_primary() -> None:
    profile = Profile()
    for number in range(3 * MENTIONS_MAX):
        fact = AddressFact("phone", f"+1212555{number:04d}", "trait")
        profile.learn(event(addresses=(fact,)))
    assert len(profile.phones.mentions) == MENTIONS_MAX
    assert profile.phones.primary() == f"+1212555{3 * MENTIONS_MAX - 1:04d}"


def test_names_of_events_are_counted_up_to_a_number() -> None:
    profile = Profile()
    for number in range(EVENT_NAMES_MAX + 50):
        profile.learn(event(type="track", name=f"e{number}"))
    profile.learn(event(type="track", name="e0"))
    assert len(profile.stats) == EVENT_NAMES_MAX
    assert profile.stats["e0"].count == 2


def test_traits_are_kept_up_to_a_number_and_known_ones_still_change() -> None:
    profile = Profile()
    for number in range(TRAITS_MAX + 50):
        profile.learn(event(traits={f"t{number}": "old"}))
    profile.learn(event(traits={"t0": "new"}))
    assert len(profile.traits) == TRAITS_MAX
    assert profile.live_traits()["t0"] == "new"


def test_the_text_of_all_traits_is_bounded() -> None:
    profile = Profile()
    for number in range(20):
        profile.learn(event(traits={f"t{number}": "x" * 30_000}))
    kept = sum(len(str(value)) for value in profile.live_traits().values())
    assert TRAIT_CHARACTERS_MAX - 30_000 < kept <= TRAIT_CHARACTERS_MAX


def test_message_ids_are_kept_for_a_day_and_up_to_a_number() -> None:
    seen = Seen()
    for number in range(SEEN_MAX + 500):
        assert not seen.repeats(f"m{number}", BEGIN)
    assert len(seen.taken) == SEEN_MAX
    assert seen.repeats(f"m{SEEN_MAX + 499}", BEGIN + WINDOW)
    assert not seen.repeats("another", BEGIN + WINDOW + 1)
    assert len(seen.taken) == 1


def test_starts_of_a_key_are_kept_up_to_a_number() -> None:
    facts = Facts()
    kept = [facts.add_start(start(BEGIN + number)) for number in range(STARTS_MAX + 5)]
    assert kept == [True] * STARTS_MAX + [False] * 5


def test_of_too_many_cancels_of_a_key_the_earliest_and_the_latest_stay() -> None:
    facts = Facts()
    for number in range(3 * CANCELS_MAX):
        facts.add_cancel(Cancel("u1", ref(BEGIN + number), BEGIN, (1,)))
    times = [cancel.ref.time - BEGIN for cancel in facts.cancels]
    assert len(times) == CANCELS_MAX
    assert (min(times), max(times)) == (0, 3 * CANCELS_MAX - 1)


def test_there_is_room_for_a_number_of_starts_of_all_keys() -> None:
    profile = Profile()
    keys = profile.journeys.setdefault("j", {})
    for number in range(FACTS_MAX):
        assert profile.has_room("j")
        keys.setdefault(f"k{number}", Facts()).add_start(start(BEGIN + number))
    assert not profile.has_room("j")


@pytest.mark.parametrize("people", [3, 10 * LINKS_MAX])
def test_a_device_that_thousands_use_keeps_its_newest_links(people: int) -> None:
    device, at = Device(), Ref("device", "kiosk")
    for number in range(people):
        user = f"u{number}"
        page = event(type="page", name="Home", user_id=user, anonymous_id="kiosk")
        turn = Turn(BEGIN + number * MINUTE, Rules())
        take(device, at, Did(page), turn)
        take(device, at, Accepted(user, page.time, page.message_id, new=True), turn)
    assert len(device.links) <= LINKS_MAX
    assert device.owner(BEGIN * 2) == f"u{people - 1}"


@pytest.mark.parametrize("subscribed", [False, True])
def test_what_one_person_says_about_consent_is_bounded_and_the_newest_stays(
    subscribed: bool,
) -> None:
    profile, turn = Profile(), Turn(BEGIN, RULES[subscribed])
    for number in range(1_000):
        said = event(type="track", name="Said", time=BEGIN + number)
        consent.take(profile, Who("u1", None), said, {}, turn)
    claims = [each.claim for each in profile.opt_outs] + [each.claim for each in profile.waiting]
    kept = [claim.ref.time for claim in claims]
    assert kept == [BEGIN + number for number in range(900, 1_000)]
    ignored = [output for output in turn.said if isinstance(output, Evidence)]
    assert len(ignored) == (900 if subscribed else 0)


def test_an_opt_out_of_another_channel_is_not_displaced() -> None:
    profile, turn = Profile(), Turn(BEGIN, RULES[False])
    consent.take(profile, Who("u1", None), event(type="track", name="Texts"), {}, turn)
    for _ in range(500):
        consent.take(profile, Who("u1", None), event(type="track", name="Said"), {}, turn)
    assert [each.claim.channel for each in profile.opt_outs].count("sms") == 1


def test_a_full_shadow_takes_no_room_from_live_journeys() -> None:
    profile = Profile()
    keys = profile.journeys.setdefault(slot("j"), {})
    for number in range(FACTS_MAX):
        keys.setdefault(f"k{number}", Facts()).add_start(start(BEGIN + number))
    assert not profile.has_room(slot("j"))
    assert profile.has_room("j")


def test_who_has_waits_in_cases_alone_forgets_what_was_sent() -> None:
    """Nothing but the cases is due, so that they have no tick of their own."""
    made, chance = network(calling={"hours": {"email": "09:00-20:00"}}), random.Random(1)
    made.happen(phone(made, "u1", PHONES[0]))
    for number in range(20):
        made.happen(capping_event(made, "u1", "high", number))
        run(made, chance, made.now + DAY)

    assert len(keys(made, "fired")) == 20
    profile = person(made, "u1").profile
    assert len(profile.sent) <= 4  # of the last three days
    assert len(profile.cases) < 20
