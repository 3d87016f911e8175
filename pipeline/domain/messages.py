"""What entities are told: the records of `segment.events`.

An entity lives in the partition of its reference, has one writer and talks to others only by
these. Each record names the log position that caused it, so that a replay regenerates it and its
receiver drops what it has taken.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from pipeline.domain.claims import Claim
from pipeline.domain.events import AddressKind, Channel, Event
from pipeline.domain.facts import Cancel, EventRef, Start
from pipeline.domain.outputs import Attempt, Decision, Who
from pipeline.domain.profile import Profile
from pipeline.domain.refs import Ref

HOPS: Final = 10
"""The longest way of a consequence, one record a hop. A device offers an event to a person who is
new to it, that one passes it to whoever goes on for them, the answer lets go what the device kept
waiting, which goes the same way and on to the address or the case: six; an alias by way of the
directory as long. The rest is for persons that were merged several times over."""


class Position(NamedTuple):
    """The log position of what caused a record, and its place among what that caused.

    Within one log (`raw/3`, `events/7`) positions only grow. `depth`: so many records of
    `segment.events` led to it, one after the other; of a raw record none did.
    """

    log: str
    offset: int
    nth: int
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Did:
    """To a person, a device or nobody: an event."""

    event: Event


@dataclass(frozen=True, slots=True)
class Offered:
    """To a person, from a device that does not know them: an event of both.

    `profile` is what the device did so far, where it has no person yet. To whom the event is new
    takes both; one that was taken before must not link the device (rule 3). Until the answer the
    device keeps what comes to it waiting, so that everything is in order of arrival and nothing is
    decided twice.
    """

    event: Event
    profile: Profile | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """To a device: what it offered is the person's now, and it is linked; or it is not."""

    user_id: str
    time: int
    message_id: str
    new: bool


@dataclass(frozen=True, slots=True)
class Inquired:
    """To a person, from a device that does not know them: is this event new to you?

    So older versions asked, in two more hops than `Offered`; their logs are still read.
    """

    event: Event


@dataclass(frozen=True, slots=True)
class Answered:
    """To a device: the event it inquired about is new, so it links; or it is not."""

    event: Event
    new: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """To a person: the event that was inquired about, behind what the device hands over."""

    event: Event


@dataclass(frozen=True, slots=True)
class Previous:
    """To a device: an alias named it as what the person was called before."""

    user_id: str
    time: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Aliased:
    """To the directory: merge the person of one userId into that of another."""

    previous: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Merge:
    """To a person, from the directory: you are another from now on."""

    into: str


@dataclass(frozen=True, slots=True)
class Handover:
    """To a person: everything a device or another person knows and waits for."""

    profile: Profile


@dataclass(frozen=True, slots=True)
class Noted:
    """To a case: a start or a cancel of its journey and key."""

    journey: str
    key: str
    start: Start | None
    cancel: Cancel | None


@dataclass(frozen=True, slots=True)
class Ask:
    """To who has the anchor, from a case: a step is due, judge it."""

    journey: str
    version: int
    step: int
    key: str
    start: Start


@dataclass(frozen=True, slots=True)
class Decided:
    """To who has the anchor, from a case: tell this decision under the id you go by now."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class Recall:
    """To who has the anchor, from a case: a cancel means a step that was judged."""

    trigger: str
    cause: EventRef


@dataclass(frozen=True, slots=True)
class Attempted:
    """To an address: a step passed its person's gates."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Recalled:
    """To an address: a trigger should be retracted. `erased`: by an erasure, else by a cancel."""

    trigger: str
    erased: bool
    cause: EventRef | None


@dataclass(frozen=True, slots=True)
class Postponed:
    """To who is called, from an address: the calling window is closed, come again."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Ended:
    """To who is called, from an address: what was postponed is settled; this is told of it."""

    trigger: str
    outcome: Literal["cancelled", "suppressed"]
    reason: str
    cause: EventRef | None


@dataclass(frozen=True, slots=True)
class InLine:
    """To oneself: what was due at the same instant as this trigger is in line with it by now."""

    trigger: str


@dataclass(frozen=True, slots=True)
class Judged:
    """To who is called, from an address: what came of an attempt. `fired_at` None: nothing."""

    trigger: str
    channel: Channel
    fired_at: int | None


@dataclass(frozen=True, slots=True)
class LetGo:
    """To an address: what was postponed there is judged anew, wherever the person is called now."""

    trigger: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """To an address: somebody's opt-in or opt-out."""

    kind: AddressKind
    claim: Claim
    who: Who


@dataclass(frozen=True, slots=True)
class Held:
    """To an address: whose it is, or no longer is."""

    kind: AddressKind
    user_id: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Wipe:
    """To an address: someone who had it was erased."""

    kind: AddressKind
    who: Who


@dataclass(frozen=True, slots=True)
class Erase:
    """To a person: right to erasure. One never seen passes it on to the device of that id."""


@dataclass(frozen=True, slots=True)
class Suppress:
    """To another id of somebody who was erased; `user_ids` are theirs."""

    user_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EraseCase:
    """To a case: somebody with starts in it was erased."""

    holders: tuple[Ref, ...]
    who: Who


Message: TypeAlias = (
    Did | Offered | Accepted | Inquired | Answered | Returned | Previous | Aliased | Merge
    | Handover | Noted | Ask | Decided | Recall | Attempted | Recalled | Postponed | Ended | InLine
    | Judged | LetGo | Claimed | Held | Wipe | Erase | Suppress | EraseCase
)  # fmt: skip


class Record(NamedTuple):
    """One record for one entity.

    `at` is the log time at which what caused it was taken; None for what comes from `raw`: its
    own append time. `position` None: a command's, never repeated by a replay of another record.
    """

    to: Ref
    position: Position | None
    at: int | None
    message: Message
