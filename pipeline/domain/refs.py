"""Which entity: how one is named, and which one takes what."""

from typing import Literal, NamedTuple, TypeAlias

from pipeline.domain.events import Event
from pipeline.domain.outputs import Who

EntityKind: TypeAlias = Literal["person", "device", "address", "case", "directory", "nobody"]


class Ref(NamedTuple):
    """An entity: a person by userId, a device by anonymousId, an address by itself, a case by the
    digest of journey and key, the directory's nodes by userId.
    """

    kind: EntityKind
    id: str


def destination(event: Event) -> Ref:
    """Where an event goes first: the device it names, else the person, else nobody.

    A device sees all its events in order of arrival, so that a link stands before what follows it.
    """
    if event.anonymous_id is not None:
        return Ref("device", event.anonymous_id)
    if event.user_id is not None:
        return Ref("person", event.user_id)
    return Ref("nobody", event.message_id)


def who_ref(who: Who) -> Ref:
    """The entity that records name so: a person by userId, a device by anonymousId."""
    if who.user_id is not None:
        return Ref("person", who.user_id)
    return Ref("device", who.anonymous_id or "")
