"""Whose a device is: links in order of event time, however they came."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import linking
from pipeline.domain.entities import Device, Link

times = st.integers(1, 6)
links = st.builds(Link, times, st.sampled_from(["m1", "m2"]), st.sampled_from(["u1", "u2", "u3"]))


def linked(given_links: list[Link]) -> Device:
    device = Device()
    for link in given_links:
        linking.add(device.links, link)
    return device


@given(st.lists(links, max_size=8))
def test_links_are_kept_once_and_in_order(given_links: list[Link]) -> None:
    assert linked(given_links).links == sorted(set(given_links))


@given(st.lists(links, min_size=1, max_size=8), times)
def test_the_latest_link_up_to_a_time_tells_whose_the_device_was(
    given_links: list[Link], time: int
) -> None:
    up_to = [link for link in given_links if link.time <= time]
    first = min(link.time for link in given_links)
    earliest = [link for link in given_links if link.time == first]
    assert linked(given_links).owner(time) == max(up_to or earliest).user_id
