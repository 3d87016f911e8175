"""Mutants of calling hours, of what waits for them, and of what counts in limits."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from pipeline.domain import capping, firing, judging, waits
from pipeline.domain.calling import Opening
from pipeline.domain.caps import Caps, Fired
from tests.simulation.mutant import mutant


@mutant
def hours_are_not_looked_at() -> Iterator[None]:
    """Every hour is open."""
    with patch.object(judging, "next_open", lambda now, *_: Opening(now, "", "")):
        yield


@mutant
def cancel_overlooks_what_is_held() -> Iterator[None]:
    """What waits for its hours is released whatever came meanwhile."""
    recall = firing.recall

    def deaf(address: Any, recalled: Any, turn: Any) -> None:
        address.held.pop(recalled.trigger, None)
        recall(address, recalled, turn)

    with patch.object(firing, "recall", deaf):
        yield


@mutant
def limits_count_what_expired() -> Iterator[None]:
    """What was at an address at its best-before counts as fired, its answer not waited for."""

    def give_up(caps: Caps, now: int) -> None:
        for trigger, attempt in list(caps.under_way.items()):
            if now > attempt.expires_at:
                del caps.under_way[trigger]
                caps.fired[trigger] = Fired(attempt.channel, attempt.expires_at)

    def count(profile: Any, judged: Any, turn: Any) -> None:
        if judged.fired_at is not None:
            answered(profile, judged, turn)

    answered = capping.count
    with patch.object(capping, "_give_up", give_up), patch.object(capping, "count", count):
        yield


@mutant
def later_versions_know_no_cancel() -> Iterator[None]:
    """One that came before there was a version ends no wait under it."""
    with patch.object(waits, "_of_its_time", lambda _, journey, __: journey):
        yield
