"""Mutants of changes of the rulebook, and of limits of a person."""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from pipeline.domain import case, firing, judging, postponing, subject
from pipeline.domain.caps import Caps
from pipeline.domain.reviews import review
from pipeline.domain.versions import Ruling
from pipeline.process import holdings, shelf, state
from pipeline.process.holdings import Holdings
from pipeline.process.visits import visit
from pipeline.wire.state import Shelf, decode_shelf
from tests.simulation.mutant import mutant

# visits


class _Blind:
    """Holdings that do not tell where they stand."""

    watermark = None

    def __init__(self, held: Holdings) -> None:
        self._held = held

    def __getattr__(self, name: str) -> Any:
        return getattr(self._held, name)


@mutant
def visit_restarts_its_marks() -> Iterator[None]:
    """One that was cut off counts its marks from the beginning again."""

    async def restarted(held: Holdings, *args: Any) -> None:
        await visit(_Blind(held), *args)  # type: ignore[arg-type]

    with patch.object(state, "visit", restarted):
        yield


@mutant
def visit_skips_when_it_goes_on() -> Iterator[None]:
    """One that was cut off passes over as many entities as it has made marks."""
    waiting = Holdings.waiting

    async def onward(held: Holdings, offset: int, *args: Any) -> None:
        at = held.watermark
        skipped = at.index if at is not None and at.offset == offset else 0

        async def rest(self: Holdings) -> list[bytes]:
            return (await waiting(self))[skipped:]

        with patch.object(Holdings, "waiting", rest):
            await visit(held, offset, *args)

    with patch.object(state, "visit", onward):
        yield


@mutant
def visit_ends_after_the_first_commit() -> Iterator[None]:
    """The entities beyond one commit's are not visited."""

    async def short(held: Holdings, offset: int, bound: int, *args: Any) -> None:
        waiting = held.waiting

        async def first() -> list[bytes]:
            return (await waiting())[:bound]

        with patch.object(held, "waiting", first):
            await visit(held, offset, bound, *args)

    with patch.object(state, "visit", short):
        yield


@mutant
def visit_forgets_cases() -> Iterator[None]:
    """Only persons and devices are visited."""
    with patch.object(case, "visit", lambda *_: False):
        yield


@mutant
def resume_visits_nobody() -> Iterator[None]:
    """The end of a pause does not look at what waits for it."""
    put = shelf.put_in_force

    def silent(on: Shelf, enforce: Any, at: int) -> bool:
        put(on, enforce, at)
        return bool(enforce.rulings)

    with patch.object(state, "put_in_force", silent):
        yield


@mutant
def resume_is_not_noted() -> Iterator[None]:
    """What was paused stays so."""
    put = shelf.put_in_force

    def forever(on: Shelf, enforce: Any, at: int) -> bool:
        before = dict(on.pauses)
        visits = put(on, enforce, at)
        on.pauses |= {name: pause for name, pause in before.items() if pause.until is None}
        return visits

    with patch.object(state, "put_in_force", forever):
        yield


@mutant
def pause_keeps_what_it_held() -> Iterator[None]:
    """What a pause met at its address is not released by the resume."""
    with patch.object(postponing, "visit", postponing.drop):
        yield


# what changes mean


@mutant
def handed_over_is_not_ruled() -> Iterator[None]:
    """A wait that was on its way to another partition is taken there as it was."""

    def unruled(act: Callable[..., None]) -> Callable[..., None]:
        def acting(*args: Any) -> None:
            with patch.object(subject, "look", review), patch.object(case, "look", review):
                act(*args)

        return acting

    with (
        patch.object(case, "_note", unruled(case._note)),
        patch.object(subject, "join", unruled(subject.join)),
    ):
        yield


@mutant
def address_fires_what_was_dropped() -> Iterator[None]:
    """What was on its way to its address when an apply dropped it fires."""
    with patch.object(firing, "attempt_now", _not_knowing("ruling", Ruling())):
        yield


@mutant
def address_fires_in_a_pause() -> Iterator[None]:
    """What was on its way to its address when a pause came fires."""
    with patch.object(firing, "attempt_now", _not_knowing("pause", None)):
        yield


@mutant
def pause_is_forgotten() -> Iterator[None]:
    """Whoever takes a partition over knows of no pause."""

    def without(value: bytes | None) -> Shelf:
        found = decode_shelf(value)
        found.pauses.clear()
        return found

    with patch.object(holdings, "decode_shelf", without):
        yield


# limits, shadows


@mutant
def shadow_counts_for_limits() -> Iterator[None]:
    """What a shadow fires takes room from live journeys."""
    with patch.object(judging, "is_shadow", lambda _: False):
        yield


@mutant
def line_forgotten_on_merge() -> Iterator[None]:
    """Attempts of the other side that wait their turn are gone."""
    join = Caps.join

    def forgetful(self: Caps, other: Caps) -> None:
        join(self, Caps({}, other.under_way, other.fired))

    with patch.object(Caps, "join", forgetful):
        yield


@mutant
def fired_forgotten_on_merge() -> Iterator[None]:
    """What went to the other side does not count."""
    join = Caps.join

    def forgetful(self: Caps, other: Caps) -> None:
        join(self, Caps(other.line, other.under_way, {}))

    with patch.object(Caps, "join", forgetful):
        yield


def _not_knowing(name: str, instead: Any) -> Callable[..., None]:
    """`attempt_now` for which a journey's versions say something else."""
    attempt_now = firing.attempt_now

    def blind(address: Any, attempt: Any, turn: Any) -> None:
        versions = turn.rules.of(attempt.journey)
        with patch.object(versions, name, instead):
            attempt_now(address, attempt, turn)

    return blind
