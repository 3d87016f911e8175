"""Joining is a union of facts: the order in which it came together cannot matter."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.profile import Profile
from tests.domain.strategies import identifies

profiles = st.lists(identifies(), max_size=5)


def learned(events: list[object]) -> Profile:
    profile = Profile()
    for event in events:
        profile.learn(copy.deepcopy(event))  # type: ignore[arg-type]  # events of the strategy
    return profile


def joined(*parts: Profile) -> Profile:
    whole = Profile()
    for part in parts:
        whole.join(copy.deepcopy(part))
    return whole


def essence(profile: Profile) -> object:
    return (
        {name: (t.value, t.time) for name, t in profile.traits.items()},
        profile.phones.known(),
        profile.phones.primary(),
        profile.first_seen_at,
    )


def without_ties(events: list[object]) -> list[object]:
    """Two calls of one messageId and time are one call."""
    seen: dict[object, object] = {}
    for event in events:
        seen.setdefault((event.message_id, event.time), event)  # type: ignore[attr-defined]
    return list(seen.values())


@given(st.lists(identifies(), max_size=9))
def test_the_order_of_arrival_does_not_change_what_is_known(events: list[object]) -> None:
    events = without_ties(events)

    assert essence(learned(events)) == essence(learned(events[::-1]))


@given(st.lists(identifies(), max_size=9), st.integers(0, 9))
def test_a_merge_knows_what_one_person_would_have_known(events: list[object], cut: int) -> None:
    events = without_ties(events)
    one, other = learned(events[:cut]), learned(events[cut:])

    assert essence(joined(one, other)) == essence(learned(events))
    assert essence(joined(other, one)) == essence(learned(events))


@given(st.lists(identifies(), max_size=6))
def test_joining_the_same_twice_changes_nothing(events: list[object]) -> None:
    profile = learned(without_ties(events))

    assert essence(joined(profile, profile)) == essence(profile)


@given(st.lists(identifies(), max_size=9), st.integers(0, 9), st.integers(0, 9))
def test_of_three_it_does_not_matter_who_is_merged_first(
    events: list[object], cut: int, other_cut: int
) -> None:
    events = without_ties(events)
    low, high = sorted((cut, other_cut))
    one, two, three = (learned(events[:low]), learned(events[low:high]), learned(events[high:]))

    assert essence(joined(joined(one, two), three)) == essence(joined(one, joined(two, three)))
    assert essence(joined(joined(three, one), two)) == essence(joined(one, joined(two, three)))
