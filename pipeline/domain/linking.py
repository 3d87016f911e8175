"""The history of a device's links, in order of event time."""

from bisect import bisect_left
from typing import Final

from pipeline.domain.entities import Link

LINKS_MAX: Final = 256
"""A device in a shop can see thousands of people; what is older counts for late events alone."""


def add(links: list[Link], link: Link) -> None:
    """Have it among them, once."""
    place = bisect_left(links, link)
    if links[place : place + 1] != [link]:
        links.insert(place, link)
        if len(links) > LINKS_MAX:
            _compact(links)


def _compact(links: list[Link]) -> None:
    """Bounds the history: first goes a link between two of the same person, the oldest of them."""
    while len(links) > LINKS_MAX:
        inner = range(1, len(links) - 1)
        del links[next((n for n in inner if _tells_nothing(*links[n - 1 : n + 2])), 1)]


def _tells_nothing(before: Link, link: Link, after: Link) -> bool:
    return before.user_id == link.user_id == after.user_id
