"""Mutants of links, merges and erasures, and of what is known of somebody."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from pipeline.domain import (
    device,
    directory,
    erasure,
    firing,
    judging,
    person,
    seen,
    subject,
    weighing,
)
from pipeline.domain.book import Book
from pipeline.domain.entities import Device
from pipeline.domain.facts import Facts
from pipeline.domain.ids import digest
from pipeline.domain.messages import Aliased, EraseCase, Merge
from pipeline.domain.profile import Profile, Trait
from pipeline.domain.refs import Ref
from pipeline.domain.times import MINUTE
from pipeline.domain.turn import Turn
from tests.simulation.mutant import mutant, nothing

# who did it


@mutant
def handover_loses_the_waits() -> Iterator[None]:
    """What a device waits for is not among what it hands over."""
    given = device._given

    def poor(at: Device, ref: Ref) -> Profile:
        return replace(given(at, ref), journeys={})

    with patch.object(device, "_given", poor):
        yield


@mutant
def opt_outs_lost_on_merge() -> Iterator[None]:
    """What the other side opted out of does not mean the addresses that are here."""
    with _joining(opt_outs=[]):
        yield


@mutant
def waiting_opt_ins_lost_on_merge() -> Iterator[None]:
    """An opt-in that waits for an address is gone when its device is somebody's."""
    with _joining(waiting=[]):
        yield


@mutant
def merge_forgets_devices() -> Iterator[None]:
    """The other side's devices are found by no erasure."""
    with _joining(devices=[]):
        yield


@mutant
def numbers_are_held_by_nobody() -> Iterator[None]:
    """An address does not learn who has it."""
    with patch.object(weighing, "hold", nothing):
        yield


@mutant
def merge_forgets_cancels() -> Iterator[None]:
    """Of the other side's facts only the starts are taken over."""
    join = Facts.join

    def starts_only(self: Facts, other: Facts) -> None:
        join(self, replace(other, cancels=[]))

    with patch.object(Facts, "join", starts_only):
        yield


@mutant
def merge_forgets_what_was_sent() -> Iterator[None]:
    """What went out to the other side cannot be taken back any more."""
    with _joining(sent={}):
        yield


@mutant
def merge_forgets_counts() -> Iterator[None]:
    """Events of the other side do not count in conditions."""
    with _joining(stats={}):
        yield


@mutant
def merge_forgets_message_ids() -> Iterator[None]:
    """A retry is another event to who got what was taken elsewhere."""
    with patch.object(seen.Seen, "join", nothing):
        yield


@mutant
def merge_leaves_nothing_due() -> Iterator[None]:
    """What is taken over has no entry in the index of what is due."""
    join = subject.join

    def idle(me: subject.Subject, other: Profile, turn: Turn) -> None:
        join(me, other, turn)
        for journey, keys in other.journeys.items():
            for key in keys:
                me.profile.journeys[journey][key].due = None

    with patch.object(subject, "join", idle):
        yield


@mutant
def aliases_are_not_one_order() -> Iterator[None]:
    """Each alias is taken by itself: opposite ones merge two people into each other."""

    def naive(message: Any, turn: Turn) -> None:
        assert isinstance(message, Aliased)
        if message.previous != message.user_id:
            turn.tell(Ref("person", message.previous), Merge(message.user_id))

    with patch.object(directory, "take", naive):
        yield


@mutant
def last_link_has_all() -> Iterator[None]:
    """A device's event is who it was linked to last, not who had it at that time."""

    def newest(self: Device, _: int) -> str | None:
        return self.links[-1].user_id if self.links else None

    with patch.object(Device, "owner", newest):
        yield


@mutant
def trigger_id_has_the_person() -> Iterator[None]:
    """A trigger's id is made of who the person is by then."""
    judge = judging.judge

    def by_person(profile: Profile, who: Any, *args: Any) -> None:
        def named(journey: str, _: str, message_id: str, step: int) -> str:
            return digest(journey, who.key, message_id, str(step))

        with patch.object(judging, "trigger_id", named):
            judge(profile, who, *args)

    with patch.object(judging, "judge", by_person):
        yield


@mutant
def message_ids_forgotten_early() -> Iterator[None]:
    """A retry that comes a quarter of an hour later is another event."""
    with patch.object(seen, "WINDOW", 15 * MINUTE):
        yield


# what is known of somebody


@mutant
def traits_by_arrival() -> Iterator[None]:
    """A trait is what was said last, not what is newest by event time."""
    put = Profile._set_trait

    def last(self: Profile, name: str, trait: Trait) -> None:
        self.traits.pop(name, None)
        put(self, name, trait)

    with patch.object(Profile, "_set_trait", last):
        yield


@mutant
def first_phone_is_primary() -> Iterator[None]:
    """A number that somebody changed to is not called."""

    def first(self: Book, at: int | None = None) -> str | None:
        return next((m.value for m in self.mentions if at is None or m.time <= at), None)

    with patch.object(Book, "primary", first):
        yield


@mutant
def contact_not_shown_after_a_merge() -> Iterator[None]:
    """What somebody takes over is not among their contact until they say something."""
    join = subject.join

    def unseen(*args: Any) -> None:
        with patch.object(subject, "show", nothing):
            join(*args)

    with patch.object(subject, "join", unseen):
        yield


@mutant
def merged_contact_stays() -> Iterator[None]:
    """Who was merged away still stands in `contacts`."""
    merge = person._merge

    def unmoved(at: Any, me: Any, into: str, turn: Turn) -> None:
        with patch.object(Profile, "contact", nothing):
            merge(at, me, into, turn)

    with patch.object(person, "_merge", unmoved):
        yield


@mutant
def erasure_forgets_cases() -> Iterator[None]:
    """What an erased person waits for under a key goes on."""
    tell = Turn.tell

    def deaf(self: Turn, to: Ref, message: Any) -> None:
        if not isinstance(message, EraseCase):
            tell(self, to, message)

    with patch.object(Turn, "tell", deaf):
        yield


@mutant
def erasure_retracts_nothing() -> Iterator[None]:
    """What is out to an erased person stays as it is."""
    erase = erasure.erase

    def mild(me: subject.Subject, turn: Turn) -> None:
        me.profile.sent = {}
        with patch.object(firing, "opted_out", nothing):
            erase(me, turn)

    with patch.object(erasure, "erase", mild):
        yield


def _joining(**without: Any) -> Any:
    """`Profile.join` that takes over all but some of it."""
    join = Profile.join

    def forgetful(self: Profile, other: Profile) -> Any:
        return join(self, replace(other, **without))

    return patch.object(Profile, "join", forgetful)
