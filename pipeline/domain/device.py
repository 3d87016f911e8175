"""An anonymousId: a person of its own until the first link, then a signpost (rule 16)."""

from bisect import bisect_left
from dataclasses import replace
from typing import Final, TypeAlias

from pipeline.domain import erasure, subject
from pipeline.domain.entities import Device, Link
from pipeline.domain.events import Event
from pipeline.domain.messages import (
    Aliased,
    Answered,
    Ask,
    Decided,
    Did,
    Ended,
    Erase,
    Handover,
    InLine,
    Inquired,
    Judged,
    Message,
    Postponed,
    Previous,
    Recall,
    Ref,
    Returned,
    Suppress,
)
from pipeline.domain.outputs import Contact
from pipeline.domain.person import count_for_nobody
from pipeline.domain.profile import Profile
from pipeline.domain.subject import Subject
from pipeline.domain.turn import Turn

Answerable: TypeAlias = Ask | Decided | Recall | subject.News

LINKS_MAX: Final = 256
"""A device in a shop can see thousands of people; what is older counts for late events alone."""


def take(device: Device, ref: Ref, message: Message, turn: Turn) -> None:
    """Take one message for this device."""
    if isinstance(message, Did):  # by far the most, so it is asked for first
        _receive(device, ref, message, turn)
        return
    match message:
        case Answered(event, new):
            _proceed(device, ref, event, turn, new=new)
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
    event = did.event
    if device.asking and not device.erased:
        device.queue.append(event)
    elif event.user_id is not None:
        _take_known(device, did, event.user_id, turn)
    else:
        _take_anonymous(device, ref, did, turn)


def _take_known(device: Device, did: Did, user_id: str, turn: Turn) -> None:
    """An event with both ids is the person's, and links the device to them."""
    person, event = Ref("person", user_id), did.event
    if device.erased:
        turn.tell(person, did)
    elif device.seen.repeats(f"{user_id}\0{event.message_id}", turn.now):
        turn.count("duplicate")
    elif any(link.user_id == user_id for link in device.links):
        _add(device, Link(event.time, event.message_id, user_id))
        turn.tell(person, did)
    else:
        device.asking = True
        turn.tell(person, Inquired(event))


def _proceed(device: Device, ref: Ref, event: Event, turn: Turn, *, new: bool) -> None:
    """The answer is here: link, and take what has been waiting, up to the next question."""
    device.asking = False
    if new and event.user_id is not None:
        _link(device, ref, Link(event.time, event.message_id, event.user_id), turn)
        turn.tell(Ref("person", event.user_id), Returned(event))
    queue, device.queue = device.queue, []
    for waiting in queue:
        _receive(device, ref, Did(waiting), turn)


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


def _link(device: Device, ref: Ref, link: Link, turn: Turn) -> None:
    if device.erased:
        turn.count("erased")
        return
    first = not device.links
    _add(device, link)
    if first:
        _hand_over(device, ref, link.user_id, turn)


def _add(device: Device, link: Link) -> None:
    links = device.links
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


def _hand_over(device: Device, ref: Ref, user_id: str, turn: Turn) -> None:
    """The first link hands everything the device did so far to the person."""
    profile = device.profile
    if profile.contact(subject.who_is(ref)) is not None:
        turn.say(Contact(subject.who_is(ref), moved=True))
    profile.devices, profile.handed = [ref.id], [ref.id]
    turn.tell(Ref("person", user_id), Handover(profile))
    device.handed_to = user_id
    device.profile = Profile()


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
