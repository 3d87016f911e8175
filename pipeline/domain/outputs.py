"""What the world is told: the records of the outward topics, before they become bytes."""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from pipeline.domain.events import AddressKind, Channel, Event, Source
from pipeline.domain.facts import EventRef, Outcome

RetractionReason: TypeAlias = Literal["late_cancel", "cancelled_after_fire", "opted_out", "erased"]
GateName: TypeAlias = Literal[
    "audience", "condition", "holdout", "address", "consent", "cooldown", "limits", "window",
    "pause",
]  # fmt: skip


class Gate(NamedTuple):
    """One gate's verdict on a step. `detail`: the rule that decided.

    `until`: held up to then, or for a cooldown or limit the instant from which there is room again.
    """

    gate: GateName
    verdict: Literal["pass", "fail", "held"]
    detail: str | None = None
    until: int | None = None


PAUSED: Final = Gate("pause", "held")
"""The gate of a step that came to its address while its journey was paused."""


class LimitOf(NamedTuple):
    """At most so many triggers to the address in a rolling time (ms), by the rule of this name."""

    name: str
    most: int
    per: int


class Room(NamedTuple):
    """A limit by its name, and the instant from which it has room for one more."""

    name: str
    at: int


class Who(NamedTuple):
    """A person by userId, or a device that nobody was linked to by anonymousId."""

    user_id: str | None
    anonymous_id: str | None

    @property
    def key(self) -> str:
        """The record key: userId, else anonymousId."""
        return self.user_id or self.anonymous_id or ""


@dataclass(frozen=True, slots=True)
class Consent:
    """The opt-in that a trigger rests on, with where its evidence stands."""

    channel: Channel
    subscribed: bool
    timestamp: int
    ip: str | None
    source: str | None
    text: str | None
    evidence: Source


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step on its way to an address: everything a trigger says but the consent.

    `ordered`: there is a cooldown or a limit, so that which of several is first matters (rule 8).
    `limits` are those of the address that hold for it; `counts_for`: how long (ms) it counts there,
    also for those that hold for others. `capped`: there are limits that count the person, who is
    told what came of it; `rooms`: how those stand that hold for it. `opens_at`: when the calling
    window is open, None for never; `window`: the rule that says so, empty for none. `held`: the
    gate of a hold before. `timezone` is what the start said of it. `variant`: of the journey's
    experiment, if it has one. `priority`: the journey's.
    """

    id: str
    journey: str
    version: int
    step: int
    key: str | None
    who: Who
    channel: Channel
    to: str
    anchor: EventRef
    deadline: int
    expires_at: int
    cooldown: int
    ordered: bool
    include: dict[str, object]
    gates: tuple[Gate, ...]
    limits: tuple[LimitOf, ...] = ()
    opens_at: int | None = 0
    window: str = ""
    held: Gate | None = None
    timezone: str | None = None
    holds: bool = True
    variant: str | None = None
    priority: int = 0
    capped: bool = False
    rooms: tuple[Room, ...] = ()
    counts_for: int = 0

    @property
    def order(self) -> tuple[int, int, int, str, str, int]:
        """Rule 8: the higher priority, deadline, anchor time, anchor messageId, journey, step."""
        return (
            -self.priority,
            self.deadline,
            self.anchor.time,
            self.anchor.message_id,
            self.journey,
            self.step,
        )


@dataclass(frozen=True, slots=True)
class Trigger:
    """A journey's step fired."""

    attempt: Attempt
    fired_at: int
    consent: Consent
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class Retraction:
    """A trigger should not be acted upon any more. Who and where are the trigger's own."""

    id: str
    journey: str
    version: int
    step: int
    key: str | None
    who: Who
    channel: Channel
    to: str
    reason: RetractionReason
    cause: EventRef | None
    at: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of a wait's step, or how a start stands that opened none.

    `channel`, `to` and `expires_at`: of a step that would have gone out, what it would have been.
    """

    id: str
    journey: str
    version: int
    step: int
    key: str | None
    who: Who
    outcome: Outcome
    reason: str | None
    deadline: int
    decided_at: int
    anchor: EventRef
    cause: EventRef | None = None
    gates: tuple[Gate, ...] = ()
    variant: str | None = None
    channel: Channel | None = None
    to: str | None = None
    expires_at: int | None = None


def decision_on(
    attempt: Attempt, outcome: Outcome, reason: str | None, at: int, cause: EventRef | None = None
) -> Decision:
    """The outcome of a step on its way to an address."""
    held_back = outcome in {"suppressed", "expired"}
    return Decision(
        id=attempt.id,
        journey=attempt.journey,
        version=attempt.version,
        step=attempt.step,
        key=attempt.key,
        who=attempt.who,
        outcome=outcome,
        reason=reason,
        deadline=attempt.deadline,
        decided_at=at,
        anchor=attempt.anchor,
        cause=cause,
        gates=attempt.gates,
        variant=attempt.variant,
        channel=attempt.channel if held_back else None,
        to=(attempt.to or None) if held_back else None,
        expires_at=attempt.expires_at if held_back else None,
    )


_NO_TRAITS: Final[dict[str, object]] = {}


class Contact(NamedTuple):
    """A person as they are, once they have a phone or an email; `moved`: a tombstone."""

    who: Who
    moved: bool = False
    anonymous_ids: tuple[str, ...] = ()
    phone: str | None = None
    email: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    traits: dict[str, object] = _NO_TRAITS
    created_at: int = 0
    updated_at: int = 0
    first_seen_at: int = 0
    source: Source | None = None


class OptIn(NamedTuple):
    """Opt-in state of an address and channel; `consent` None: a tombstone."""

    address: str
    kind: AddressKind
    channel: Channel
    consent: Consent | None
    via: str = ""
    user_ids: tuple[str, ...] = ()


class Evidence(NamedTuple):
    """One opt-in or opt-out, taken or ignored for a reason, as it was said."""

    address: str | None
    kind: AddressKind | None
    channel: Channel | None
    subscribed: bool | None
    reason: str | None
    timestamp: int | None
    ip: str | None
    source: str | None
    text: str | None
    via: str
    who: Who
    ref: EventRef
    at: int


class Happening(NamedTuple):
    """One of our own events, for the feed back to Segment."""

    event: str
    who: Who
    properties: dict[str, object]
    at: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that only the rulebook's own list of ids left without a person."""

    event: Event
    reason: str


Output: TypeAlias = (
    Trigger | Retraction | Decision | Contact | OptIn | Evidence | Happening | Refused
)
