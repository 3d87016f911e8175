"""What decoding a raw record gives: events, refusals and what is deliberately not ours."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from pipeline.domain.events import Event


class RejectReason(StrEnum):
    """Why something of a raw record went to the dead letters; the list is closed.

    `meaning` explains each in words that hold nothing of the record itself.
    """

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """Keep the explanation beside the code."""
        reason = str.__new__(cls, code)
        reason._value_ = code
        reason.meaning = meaning
        return reason

    NO_VALUE = "no_value", "the record has no value: a tombstone, or empty"
    INVALID_JSON = (
        "invalid_json",
        "not one JSON document in UTF-8 (NaN, lone surrogates)",
    )
    NOT_AN_OBJECT = "not_an_object", "JSON, but not an object"
    TOO_DEEP = "too_deep", "objects and arrays nested more than 32 levels deep"
    TOO_LARGE = "too_large", "over 64 KB in one event with its batch's context, or 16 MB unpacked"
    INVALID_BATCH = "invalid_batch", "`batch` is not an array"
    BATCH_TOO_LONG = (
        "batch_too_long",
        "more than 2,500 events in a batch; the first 2,500 were taken",
    )
    MISSING_TYPE = "missing_type", "no `type`"
    UNKNOWN_TYPE = "unknown_type", "`type` is none of the six calls of Segment's spec"
    MISSING_EVENT_NAME = "missing_event_name", "a track call without a name in `event`"
    MISSING_GROUP_ID = "missing_group_id", "a group call without a usable `groupId`"
    ALIAS_WITHOUT_IDS = (
        "alias_without_ids",
        "an alias call without a usable `previousId` and `userId`",
    )
    NO_ID = "no_id", "no usable userId or anonymousId; opt-outs and cancels in it still count"
    NUL_IN_ID = "nul_in_id", "a NUL character in an id; opt-outs and cancels in it still count"
    TOO_MANY_ENTRIES = (
        "too_many_entries",
        "over 100 opt-in entries, phones or emails in one call; 100 were taken, opt-outs first",
    )


class DropReason(StrEnum):
    """Why something of a raw record is deliberately not ours."""

    INTEGRATION_OFF = "integration_off"
    EMPTY_BATCH = "empty_batch"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A refusal. `index` is the place in a batch; `detail` never holds personal data."""

    index: int
    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """Not for us; counted, not kept."""

    index: int
    reason: DropReason


@dataclass(slots=True)
class Decoded:
    """All that one raw record gave, each list in the order of its events.

    An event may be in `events` and in `rejected` too, where only a part of it can count.
    """

    events: list[Event] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)

    def reject(self, index: int, reason: RejectReason, detail: str = "") -> None:
        """Note a refusal."""
        self.rejected.append(Rejected(index, reason, detail or reason.meaning))

    def drop(self, index: int, reason: DropReason) -> None:
        """Note what is not ours."""
        self.dropped.append(Dropped(index, reason))
