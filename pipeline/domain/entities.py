"""The states of entities. Each is owned by one partition and rebuilt by folding its messages."""

from bisect import bisect_right
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple, TypeAlias

from pipeline.domain.events import AddressKind, Channel
from pipeline.domain.facts import EventRef, Facts
from pipeline.domain.messages import Message
from pipeline.domain.outputs import Attempt, Consent, Who
from pipeline.domain.profile import Profile
from pipeline.domain.seen import Seen


@dataclass(slots=True)
class Person:
    """A userId. `merged_into`: another goes on for it; `erased`: its id is suppressed."""

    profile: Profile = field(default_factory=Profile)
    merged_into: str | None = None
    erased: bool = False


class Link(NamedTuple):
    """From this event time on the device is this person's; equal times: the greater messageId."""

    time: int
    message_id: str
    user_id: str


class Queued:
    """A message that has to wait, and the log time (ms) at which it came."""

    __slots__ = ("at", "message")

    def __init__(self, at: int, message: Message) -> None:
        """For the entity that keeps it."""
        self.at = at
        self.message = message

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Queued):
            return NotImplemented
        return (self.at, self.message) == (other.at, other.message)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Queued({self.at}, {self.message})"


@dataclass(slots=True)
class Device:
    """An anonymousId. Without a link it is a person of its own; `handed_to` got all it did.

    `links` are in order. `asking`: a person was offered an event and what the device did, and
    `queue` waits for the answer.
    """

    profile: Profile = field(default_factory=Profile)
    links: list[Link] = field(default_factory=list)
    handed_to: str | None = None
    seen: Seen = field(default_factory=Seen)
    asking: bool = False
    queue: list[Queued] = field(default_factory=list)
    erased: bool = False

    def owner(self, time: int) -> str | None:
        """The person in force at an event time; before the earliest link that link's."""
        links = self.links
        if not links:
            return None
        begun = bisect_right(links, max(time, links[0].time), key=attrgetter("time"))
        return links[begun - 1].user_id


@dataclass(slots=True)
class Case:
    """A journey and key with `match: key`: whoever reports the events, the facts meet here."""

    journey: str = ""
    key: str = ""
    facts: Facts = field(default_factory=Facts)


@dataclass(slots=True)
class Node:
    """One userId in the directory of merges: who goes on for it."""

    parent: str


class Cause(NamedTuple):
    """What speaks for a retraction. `rank`: an erasure, else an opt-out, else a cancel."""

    at: int
    rank: int
    time: int
    ref: EventRef | None


@dataclass(slots=True)
class OpenTrigger:
    """A trigger that can still be retracted."""

    attempt: Attempt
    causes: list[Cause] = field(default_factory=list)


class Held(NamedTuple):
    """A step that was postponed until its calling window opens."""

    who: Who
    channel: Channel
    expires_at: int


@dataclass(slots=True)
class Address:
    """A phone or an email: its opt-ins by channel, who has it, what was sent to it.

    `queue`: attempts to be judged in order, once all of their instant are there. `held`: what was
    postponed, by whom to tell. `fired`: when triggers went out by channel, for limits. `overruled`:
    the newest opt-out that an opt-in won over: it stays when that one is erased.
    """

    kind: AddressKind = "phone"
    consents: dict[Channel, Consent] = field(default_factory=dict)
    via: dict[Channel, str] = field(default_factory=dict)
    user_ids: list[str] = field(default_factory=list)
    open: dict[str, OpenTrigger] = field(default_factory=dict)
    queue: list[Attempt] = field(default_factory=list)
    queued_at: int = 0
    held: dict[str, Held] = field(default_factory=dict)
    fired: dict[Channel, list[int]] = field(default_factory=dict)
    last_fired: dict[str, int] = field(default_factory=dict)
    overruled: dict[Channel, Consent] = field(default_factory=dict)


Entity: TypeAlias = Person | Device | Case | Node | Address
