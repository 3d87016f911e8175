"""A userId: a profile, or a sign pointing to the person that goes on for it."""

from dataclasses import replace

from pipeline.domain import consent, erasure, subject
from pipeline.domain.entities import Person
from pipeline.domain.events import Event
from pipeline.domain.journeys import cancels, case_of
from pipeline.domain.messages import (
    Accepted,
    Aliased,
    Answered,
    Ask,
    Decided,
    Did,
    Ended,
    Erase,
    Handover,
    Held,
    InLine,
    Inquired,
    Judged,
    Merge,
    Message,
    Noted,
    Offered,
    Postponed,
    Previous,
    Recall,
    Returned,
    Suppress,
)
from pipeline.domain.outputs import Contact
from pipeline.domain.profile import KINDS, Profile
from pipeline.domain.refs import Ref
from pipeline.domain.subject import Subject
from pipeline.domain.turn import Turn


def take(person: Person, ref: Ref, message: Message, turn: Turn) -> None:
    """Take one message for this person."""
    if isinstance(message, Suppress):
        erasure.suppress(person)
    elif person.merged_into is not None:
        turn.tell(Ref("person", person.merged_into), message)
    elif person.erased:
        _take_erased(ref, message, turn)
    elif not isinstance(message, Did):  # by far the most, so it is asked for first
        _take(person, Subject(ref, person.profile), message, turn)
    elif _is_new(person, message.event, turn):
        _do(Subject(ref, person.profile), message.event, turn)


def _take(person: Person, me: Subject, message: Message, turn: Turn) -> None:
    match message:
        case Offered() | Inquired():
            _meet(person, me, message, turn)
        case Returned(event):
            _do(me, event, turn)
        case Handover(profile):
            subject.join(me, profile, turn)
        case Merge(into):
            _merge(person, me, into, turn)
        case Ask():
            subject.ask(me, message, turn)
        case Decided(decision):
            turn.say(replace(decision, who=me.who))
        case Recall(trigger, cause):
            subject.recall(me, trigger, cause, turn)
        case InLine() | Judged() | Postponed() | Ended():
            subject.follow(me, message, turn)
        case Erase():
            _erase(person, me, turn)
        case _:
            raise TypeError(type(message))


def _meet(person: Person, me: Subject, message: Offered | Inquired, turn: Turn) -> None:
    """A device does not know this person: an event that was taken before does not link it."""
    event, new = message.event, _is_new(person, message.event, turn)
    _answer(message, turn, new=new)
    if not new or isinstance(message, Inquired):
        return
    if message.profile is not None:
        subject.join(me, message.profile, turn)
    _do(me, event, turn)


def _answer(message: Offered | Inquired, turn: Turn, *, new: bool) -> None:
    event = message.event
    device, user_id = Ref("device", event.anonymous_id or ""), event.user_id or ""
    if isinstance(message, Offered):
        turn.tell(device, Accepted(user_id, event.time, event.message_id, new))
    else:
        turn.tell(device, Answered(event, new))


def _erase(person: Person, me: Subject, turn: Turn) -> None:
    if not person.profile.first_seen_at:
        # nobody known by this userId: it may be an anonymousId
        turn.tell(Ref("device", me.ref.id), Erase())
    erasure.erase(me, turn)
    erasure.suppress(person)


def _is_new(person: Person, event: Event, turn: Turn) -> bool:
    repeated = person.profile.seen.repeats(event.message_id, turn.now)
    if repeated:
        turn.count("duplicate")
    return not repeated


def _do(me: Subject, event: Event, turn: Turn) -> None:
    subject.take_event(me, event, turn)
    if event.type == "alias" and event.previous_id is not None:
        previous = Previous(me.ref.id, event.time, event.message_id)
        turn.tell(Ref("device", event.previous_id), previous)
        if turn.rules.current.merge_known:
            turn.tell(Ref("directory", ""), Aliased(event.previous_id, me.ref.id))


def _merge(person: Person, me: Subject, into: str, turn: Turn) -> None:
    """The directory decided that another goes on; it gets everything."""
    profile = person.profile
    if profile.contact(me.who) is not None:
        turn.say(Contact(me.who, moved=True))
    for kind in KINDS:
        for address in sorted(profile.book(kind).known()):
            turn.tell(Ref("address", address), Held(kind, me.ref.id, holds=False))
    profile.user_ids.append(me.ref.id)
    turn.tell(Ref("person", into), Handover(profile))
    person.merged_into = into
    person.profile = Profile()


def _take_erased(ref: Ref, message: Message, turn: Turn) -> None:
    """Rule 20: dropped, but for what must not be called against and what was on its way."""
    match message:
        case Did(event) | Returned(event):
            turn.count("erased")
            count_for_nobody(event, turn)
        case Offered(event) | Inquired(event):
            turn.count("erased")
            _answer(message, turn, new=False)
            count_for_nobody(event, turn)
        case Handover(profile):
            erasure.erase(Subject(ref, profile), turn)
        case Decided(decision):
            turn.say(replace(decision, who=subject.who_is(ref)))
        case Ask() | Postponed():
            erasure.come_to_erased(message, subject.who_is(ref), turn)
        case _:
            turn.count("erased")


def count_for_nobody(event: Event, turn: Turn) -> None:
    """Of an event without a person: its opt-outs of a named address, its cancels of a case."""
    consent.count_for_named(event, turn)
    for noticed in cancels(event._replace(user_id=None, anonymous_id=None), turn):
        if noticed.journey.match == "key" and noticed.key is not None:
            case = case_of(noticed.journey.name, noticed.key)
            turn.tell(case, Noted(noticed.journey.name, noticed.key, None, noticed.cancel))
