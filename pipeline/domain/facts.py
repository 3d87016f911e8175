"""What a person, a device or a case remembers of one journey and key: starts and cancels.

Facts only accumulate and are joined by union, so that neither the order of arrival nor a merge
can matter; the waits are derived from them (`waits.py`). What was decided stays with its start.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from pipeline.domain.events import Event, Source

Outcome: TypeAlias = Literal[
    "fired", "cancelled", "suppressed", "expired", "superseded", "ignored", "erased"
]


STARTS_MAX: Final = 100
CANCELS_MAX: Final = 200
"""Of one journey and key. Nobody has more reasons to be called than that; a loop has."""


@dataclass(frozen=True, slots=True)
class EventRef:
    """An event as records name it: what, when, and where in the raw topic it stands."""

    message_id: str
    event: str
    time: int
    source: Source

    @classmethod
    def of(cls, event: Event) -> "EventRef":
        """Name this event; one without a name by its type."""
        return cls(event.message_id, event.name or event.type, event.time, event.source)


@dataclass(frozen=True, slots=True)
class Settled:
    """A decided step. `judged` went to its address, which fires or suppresses it."""

    outcome: Literal["judged", "cancelled", "suppressed", "expired", "superseded", "erased"]
    at: int


class Former(NamedTuple):
    """A version that a start was pinned to, up to the log time of a re-evaluation."""

    version: int
    until: int


@dataclass(slots=True)
class Start:
    """One start of a journey. It is the anchor of a wait where the derivation says so.

    `holder_kind` and `holder_id` tell who has the event (rule 4), asked where the facts live in
    a case. `known`: it stood as a wait before. `closed`: it may not open one any more, since
    what it was told apart by has been forgotten; `ended`: so was the cancel that ended its wait, or
    an apply dropped it. `former`: versions that it went on from, oldest first.
    `dates`: the deadlines that it names itself, by step; kept apart from its properties, since
    they outlive these (an erasure).
    """

    own_id: str
    version: int
    ref: EventRef
    taken_at: int
    type: str
    properties: dict[str, object]
    context: dict[str, object]
    holder_kind: Literal["person", "device"]
    holder_id: str
    settled: dict[int, Settled] = field(default_factory=dict)
    known: bool = False
    closed: bool = False
    ended: int | None = None
    standing: tuple[Outcome | Literal["open"], str] | None = None
    dates: dict[int, int] = field(default_factory=dict)
    former: tuple[Former, ...] = ()

    @property
    def order(self) -> tuple[int, str, str]:
        """Event time; equal times: the smaller messageId is first."""
        return (self.ref.time, self.ref.message_id, self.own_id)

    @property
    def identity(self) -> tuple[str, str]:
        """A start with the id and messageId of another is that other."""
        return (self.own_id, self.ref.message_id)

    @property
    def remembered_from(self) -> int:
        """Event time, arrival or last decision, whichever is latest (rule 11)."""
        decided = max((settled.at for settled in self.settled.values()), default=0)
        return max(self.ref.time, self.taken_at, decided)

    def names(self) -> dict[str, object]:
        """As `start` in a condition; its timestamp is added by who evaluates."""
        return {
            "type": self.type,
            "event": self.ref.event if self.type in {"track", "page", "screen"} else "",
            "properties": self.properties,
            "context": self.context,
        }


@dataclass(frozen=True, slots=True)
class Cancel:
    """One event that ends waits. `sure` are the journey versions for which it does so as it is.

    `maybe` are those whose condition reads `start`: it is judged beside each anchor, and only
    then are type, properties and context kept. `newest` is the latest version that there was when
    it was taken; 0: not noted.
    """

    own_id: str
    ref: EventRef
    taken_at: int
    sure: tuple[int, ...]
    maybe: tuple[int, ...] = ()
    type: str = ""
    properties: dict[str, object] = field(default_factory=dict)
    context: dict[str, object] = field(default_factory=dict)
    newest: int = 0

    @property
    def order(self) -> tuple[int, str, str]:
        """Event time, then messageId."""
        return (self.ref.time, self.ref.message_id, self.own_id)


@dataclass(slots=True)
class Facts:
    """All that is remembered of one journey and key.

    `once_done`: its only wait was decided and forgotten. `due`: when something is due next.
    """

    starts: list[Start] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    once_done: bool = False
    due: int | None = None

    def is_empty(self) -> bool:
        """Nothing is remembered any more."""
        return not (self.starts or self.cancels or self.once_done)

    def in_order(self) -> list[Cancel]:
        """The cancels by event time, then messageId."""
        return sorted(self.cancels, key=lambda cancel: cancel.order)

    def find(self, identity: tuple[str, str]) -> Start | None:
        """The remembered start of this id and messageId."""
        return next((start for start in self.starts if start.identity == identity), None)

    def add_start(self, start: Start) -> bool:
        """Remember it; False if there are too many."""
        if len(self.starts) >= STARTS_MAX:
            return False
        self.starts.append(start)
        return True

    def add_cancel(self, cancel: Cancel) -> bool:
        """Remember it; False if it was already.

        Of too many one in the middle of event time goes: the earliest and the latest tell most.
        """
        if any(known.order == cancel.order for known in self.cancels):
            return False
        self.cancels.append(cancel)
        if len(self.cancels) > CANCELS_MAX:
            self.cancels.sort(key=lambda known: known.order)
            del self.cancels[CANCELS_MAX // 2]
        return True

    def join(self, other: "Facts") -> None:
        """Take over what another side of a merge remembers.

        Its waits become known here only now: whether they stand is judged anew.
        """
        for start in other.starts:
            mine = self.find(start.identity)
            if mine is None:
                start.known = bool(start.settled)
                self.add_start(start)
            else:
                mine.settled = start.settled | mine.settled
        for cancel in other.cancels:
            self.add_cancel(cancel)
        self.once_done |= other.once_done
