"""An anonymousId: a person of its own until the first link, then a signpost (rule 16)."""

from dataclasses import replace
from typing import TypeAlias

from pipeline.domain import erasure, subject
from pipeline.domain.entities import Device, Link, Queued
from pipeline.domain.linking import add
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
    InLine,
    Judged,
    Message,
    Offered,
    Postponed,
    Previous,
    Recall,
    Returned,
    Suppress,
)
from pipeline.domain.outputs import Contact
from pipeline.domain.person import count_for_nobody
from pipeline.domain.profile import Profile
from pipeline.domain.refs import Ref
from pipeline.domain.subject import Subject
from pipeline.domain.turn import Turn

Answerable: TypeAlias = Ask | Decided | Recall | subject.News


def take(device: Device, ref: Ref, message: Message, turn: Turn) -> None:
    """Take one message for this device."""
    if isinstance(message, Did) and not device.asking:  # by far the most, so it is asked for first
        _receive(device, ref, message, turn)
        return
    match message:
        case Accepted(user_id, time, message_id, new):
            link = Link(time, message_id, user_id) if new else None
            _proceed(device, ref, link, turn, offered=True)
            _go_on(device, ref, turn)
        case Answered(event, new):
            known = event.user_id if new else None
            link = None if known is None else Link(event.time, event.message_id, known)
            _proceed(device, ref, link, turn, offered=False)
            if link is not None:
                turn.tell(Ref("person", link.user_id), Returned(event))
            _go_on(device, ref, turn)
        case _ if device.asking:
            device.queue.append(Queued(turn.now, message))
        case _:
            _take(device, ref, message, turn)


def _take(device: Device, ref: Ref, message: Message, turn: Turn) -> None:
    match message:
        case Previous(user_id, time, message_id):
            _previous(device, ref, Link(time, message_id, user_id), turn)
        case Erase():
            _erase(device, ref, turn)
        case Suppress(user_ids):
            # a device that others used too is not theirs alone: what falls to them is dropped there
            device.erased = all(link.user_id in user_ids for link in device.links)
        case Ask() | Decided() | Recall() | InLine() | Judged() | Postponed() | Ended():
            _answer(device, ref, message, turn)
        case _:
            raise TypeError(type(message))


def _receive(device: Device, ref: Ref, did: Did, turn: Turn) -> None:
    user_id = did.event.user_id
    if user_id is not None:
        _take_known(device, ref, did, user_id, turn)
    else:
        _take_anonymous(device, ref, did, turn)


def _take_known(device: Device, ref: Ref, did: Did, user_id: str, turn: Turn) -> None:
    """An event with both ids is the person's, and links the device to them."""
    person, event = Ref("person", user_id), did.event
    if device.erased:
        turn.tell(person, did)
    elif device.seen.repeats(f"{user_id}\0{event.message_id}", turn.now):
        turn.count("duplicate")
    elif any(link.user_id == user_id for link in device.links):
        add(device.links, Link(event.time, event.message_id, user_id))
        turn.tell(person, did)
    else:
        device.asking = True
        turn.tell(person, Offered(event, None if device.links else _given(device, ref)))


def _proceed(device: Device, ref: Ref, link: Link | None, turn: Turn, *, offered: bool) -> None:
    """The answer is here: link if it is to be."""
    device.asking = False
    if link is not None:
        _link(device, ref, link, turn, offered=offered)
    else:
        subject.visit(Subject(ref, device.profile), turn)  # one may have passed it by meanwhile


def _go_on(device: Device, ref: Ref, turn: Turn) -> None:
    """Take what has been waiting, up to the next question."""
    queue, device.queue = device.queue, []
    for queued in queue:
        turn.now = max(turn.now, queued.at)
        take(device, ref, queued.message, turn)


def _take_anonymous(device: Device, ref: Ref, did: Did, turn: Turn) -> None:
    event = did.event
    if device.erased:
        turn.count("erased")
        count_for_nobody(event, turn)
    elif device.seen.repeats(event.message_id, turn.now):
        turn.count("duplicate")
    elif (owner := device.owner(event.time)) is not None:
        turn.tell(Ref("person", owner), did)
    else:
        # what the person it may be linked to must know, too
        device.profile.seen.repeats(event.message_id, turn.now)
        subject.take_event(Subject(ref, device.profile), event, turn)


def _link(device: Device, ref: Ref, link: Link, turn: Turn, *, offered: bool = False) -> None:
    if device.erased:
        turn.count("erased")
        return
    first = not device.links
    add(device.links, link)
    if first:
        _hand_over(device, ref, link.user_id, turn, offered=offered)


def _hand_over(device: Device, ref: Ref, user_id: str, turn: Turn, *, offered: bool) -> None:
    """The first link hands everything the device did so far to the person, who may have it."""
    if device.profile.contact(subject.who_is(ref)) is not None:
        turn.say(Contact(subject.who_is(ref), moved=True))
    if not offered:
        turn.tell(Ref("person", user_id), Handover(_given(device, ref)))
    device.handed_to = user_id
    device.profile = Profile()


def _given(device: Device, ref: Ref) -> Profile:
    """What the device did, as a person takes it."""
    return replace(device.profile, devices=[ref.id], handed=[ref.id])


def _previous(device: Device, ref: Ref, link: Link, turn: Turn) -> None:
    """Rule 17: the previousId of an alias is looked up as an anonymousId, too."""
    owner = device.owner(link.time)
    if owner is None:
        _link(device, ref, link, turn)
    elif owner != link.user_id and turn.rules.current.merge_known and not device.erased:
        turn.tell(Ref("directory", ""), Aliased(owner, link.user_id))


def _erase(device: Device, ref: Ref, turn: Turn) -> None:
    if device.links:
        turn.tell(Ref("person", max(device.links).user_id), Erase())
        return
    erasure.erase(Subject(ref, device.profile), turn)
    device.profile = Profile()
    device.erased = True


def _answer(device: Device, ref: Ref, message: Answerable, turn: Turn) -> None:
    """A case or an address speaks to who has the anchor: who got what the device did, else it."""
    me = Subject(ref, device.profile)
    if device.handed_to is not None:
        turn.tell(Ref("person", device.handed_to), message)
        return
    match message:
        case Decided(decision):
            turn.say(replace(decision, who=me.who))
        case Ask() if not device.erased:
            subject.ask(me, message, turn)
        case Recall(trigger, cause):
            subject.recall(me, trigger, cause, turn)
        case InLine() | Judged() | Postponed() | Ended() if not device.erased:
            subject.follow(me, message, turn)
        case Ask() | Postponed():
            erasure.come_to_erased(message, me.who, turn)
        case _:
            turn.count("erased")
