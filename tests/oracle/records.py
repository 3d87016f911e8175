"""What comes out (CONTRACT 3): triggers, retractions, decisions as plain dicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.oracle.events import look_up
from tests.oracle.people import Person
from tests.oracle.rulebook import Step
from tests.oracle.times import text
from tests.oracle.waits import Start

Record = dict[str, Any]
_COPIED = ("journey", "step", "key", "userId", "anonymousId", "channel", "to", "anchor")
_REASONS = (
    "erased",
    "opted_out",
    "late_cancel",
    "cancelled_after_fire",
)  # rule 10, in order


def _ids(person: Person | None) -> Record:
    kind, name = person or (None, None)
    return {
        "userId": name if kind == "user" else None,
        "anonymousId": name if kind == "device" else None,
    }


def trigger(start: Start, step: Step, person: Person, to: str, traits: Record, now: int) -> Record:
    event, deadline = start.event, start.deadline(step)
    values = {"properties": event.properties, "context": event.context, "traits": traits}
    found = {path: look_up(path, values) for path in step.include}
    return {
        "type": "trigger",
        "journey": start.journey.name,
        "step": step.number,
        "key": start.key,
        **_ids(person),
        "channel": step.channel,
        "to": to,
        "anchor": event.message_id,
        "deadline": text(deadline),
        "firedAt": text(now),
        "expiresAt": text(deadline + step.expires),
        "include": {path: value for path, value in found.items() if value is not None},
        "consent": {"channel": step.channel, "status": "subscribed"},
        **_variant(start),
    }


def _variant(start: Start) -> Record:
    return {} if start.variant is None else {"variant": start.variant}


def decision(
    start: Start, step: int, person: Person | None, outcome: str, reason: str | None, now: int
) -> Record:
    return {
        "journey": start.journey.name,
        "step": step,
        "key": start.key,
        **_ids(person),
        "outcome": outcome,
        "reason": reason,
        "deadline": text(start.deadline(start.journey.steps[step - 1])),
        "decidedAt": text(now),
        "anchor": start.event.message_id,
        **_variant(start),
    }


@dataclass(eq=False)
class Fired:
    """A trigger that went out, with the reasons to retract it that came up at this log time."""

    start: Start
    step: Step
    record: Record
    at: int
    reasons: set[str] = field(default_factory=set)
    retracted: bool = False

    @property
    def address(self) -> tuple[str, str]:
        return (self.record["to"], self.record["channel"])

    @property
    def deadline(self) -> int:
        return self.start.deadline(self.step)

    def retraction(self, now: int) -> Record | None:
        """Rule 10: at most one, at log times up to and including `expiresAt`."""
        reason = next((reason for reason in _REASONS if reason in self.reasons), None)
        self.reasons.clear()
        if reason is None or self.retracted or now > self.deadline + self.step.expires:
            return None
        self.retracted = True
        copied = {name: self.record[name] for name in _COPIED}
        return {"type": "retraction", "reason": reason, "at": text(now), **copied}
