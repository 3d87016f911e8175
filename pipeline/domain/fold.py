"""The fold: one entity takes one message, or the passing of time. A function of the log alone."""

from pipeline.domain import address, case, device, directory, person, subject
from pipeline.domain.entities import Address, Case, Device, Entity, Node, Person
from pipeline.domain.events import Event
from pipeline.domain.ids import usable_id
from pipeline.domain.messages import Did, Message
from pipeline.domain.outputs import Refused
from pipeline.domain.refs import Ref, destination
from pipeline.domain.subject import Subject
from pipeline.domain.turn import Turn

NEW = {"person": Person, "device": Device, "case": Case, "address": Address}


def take(entity: Entity | None, ref: Ref, message: Message, turn: Turn) -> Entity | None:
    """Let the entity take the message; returns what is to be kept of it, None for nothing."""
    if turn.rules.current.refused and isinstance(message, Did):
        screened = _screen(ref, message.event, turn)
        if screened is None:
            return entity
        message = Did(screened)
    if ref.kind == "nobody":
        person.count_for_nobody(_event(message), turn)
        return None
    if ref.kind == "directory":
        directory.take(message, turn)
        return None
    entity = NEW[ref.kind]() if entity is None else entity
    if isinstance(entity, Person):
        person.take(entity, ref, message, turn)
    elif isinstance(entity, Device):
        device.take(entity, ref, message, turn)
    elif isinstance(entity, Case):
        case.take(entity, message, turn)
    elif isinstance(entity, Address):
        address.take(entity, ref.id, message, turn)
        return None if address.is_empty(entity) else entity
    else:
        raise TypeError(ref)
    return entity


def _event(message: Message) -> Event:
    assert isinstance(message, Did)
    return message.event


def _screen(ref: Ref, event: Event, turn: Turn) -> Event | None:
    """Rule 19 with the rulebook's own list: such an id is treated as absent.

    None: the event is another's, and was told to them.
    """
    refused = turn.rules.current.refused
    user_id, anonymous_id = _usable(event.user_id, refused), _usable(event.anonymous_id, refused)
    previous_id = _usable(event.previous_id, refused)
    screened = event._replace(user_id=user_id, anonymous_id=anonymous_id, previous_id=previous_id)
    to = destination(screened)
    if to == ref or destination(event) != ref:
        return screened  # where it belongs, or forwarded: it was screened where it came in
    if to.kind != "nobody":
        turn.tell(to, Did(screened))
    else:
        turn.say(Refused(event, "no_id"))
        person.count_for_nobody(screened, turn)
    return None


def _usable(value: str | None, refused: frozenset[str]) -> str | None:
    return None if value is None else usable_id(value, refused)


def tick(entity: Entity, ref: Ref, turn: Turn) -> Entity | None:
    """Let time pass for the entity; returns what is to be kept of it."""
    match entity:
        case Person() | Device():
            subject.tick(Subject(ref, entity.profile), turn)
        case Case():
            case.tick(entity, turn)
            return None if entity.facts.is_empty() else entity
        case Address():
            address.tick(entity, turn)
            return None if address.is_empty(entity) else entity
        case Node():
            pass
    return entity


def visit(entity: Entity, ref: Ref, turn: Turn) -> bool:
    """A rulebook came into force that means open waits; whether the entity is another than before.

    Visited again it gives nothing.
    """
    match entity:
        case Person() | Device():
            return subject.visit(Subject(ref, entity.profile), turn)
        case Case():
            return case.visit(entity, turn)
        case _:
            return False


def due(entity: Entity | None) -> int | None:
    """When the entity wants its next tick."""
    match entity:
        case Device(asking=True):
            return None  # who is asked may have what it waits for by now
        case Person() | Device():
            return subject.due(entity.profile)
        case Case():
            return entity.facts.due
        case Address():
            return address.due(entity)
        case _:
            return None
