"""CONTRACT 5 for a whole history: `run(rulebook, case)` gives every trigger, retraction, decision.

All events that were taken are kept. After each of them, and at every instant at which a step is
due, people, addresses, consent and waits are worked out anew from the whole list and compared with
what was decided before. Slow and plain on purpose. Not covered: calling windows and limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.oracle import rulebook as rules
from tests.oracle.consent import Consent, primary
from tests.oracle.events import Event, key_text, look_up, read_case
from tests.oracle.gates import first_closed, trait_values
from tests.oracle.people import People, Person
from tests.oracle.records import Fired, decision, trigger
from tests.oracle.rulebook import Journey, Step
from tests.oracle.times import DAY
from tests.oracle.waits import (
    ONCE,
    STALE,
    SUPERSEDED,
    WAIT,
    Cancel,
    Start,
    Wait,
    cancels,
    derive,
    end_of,
    names_cancel,
    stale_on_arrival,
    starts_it,
)

_FORMS = {
    SUPERSEDED: ("superseded", None),
    STALE: ("ignored", "stale_start"),
    ONCE: ("ignored", "once"),
}


@dataclass
class Result:
    outputs: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    opt_ins: dict[tuple[str, str], str] = field(
        default_factory=dict
    )  # (address, channel) -> status at the end
    ignored: list[tuple[str, str]] = field(
        default_factory=list
    )  # messageId and reason of opt-ins that were ignored


def run(rulebook: dict[str, Any], case: dict[str, Any]) -> Result:
    return _Oracle(rulebook).run(case)


class _Oracle:
    def __init__(self, book: dict[str, Any]) -> None:
        self.book = rules.read(book)
        self.people = People(self.book.merge)
        self.taken: list[Event] = []
        self.consent = Consent(self.book, self.people, self.taken)
        self.starts: list[Start] = []
        self.cancels: list[Cancel] = []
        self.fired: list[Fired] = []
        self.result = Result()

    # -- the clock

    def run(self, case: dict[str, Any]) -> Result:
        given, events, until = read_case(case, self.book.refuse)
        for event in given:
            self.people.take(event)
            self.taken.append(event)
            self.consent.give(event)
        now = min((event.log for event in events), default=until)
        while now <= until:
            for event in [event for event in events if event.log == now]:
                self._take(event)
                self._settle(now)
            self._retract(now)
            self._tick(now)
            later = [event.log for event in events if event.log > now] + [
                due for due in self._due() if due > now
            ]
            if not later:
                break
            now = min(later)
        for number, channel in self.consent.ledger:
            status = "subscribed" if self.consent.subscribed(number, channel) else "unsubscribed"
            if self.consent.ledger[number, channel]:
                self.result.opt_ins[number, channel] = status
        self.result.ignored = self.consent.ignored
        return self.result

    def _due(self) -> list[int]:
        return [due for wait in self._waits() for due in self._due_of(wait.anchor).values()]

    def _due_of(self, start: Start) -> dict[int, int]:
        """Open steps with the log time at which they are decided (rule 7)."""
        journey = start.journey
        return {
            step.number: max(start.deadline(step), start.event.log) + journey.lateness
            for step in start.steps
            if step.number not in start.closed
        }

    # -- taking events

    def _take(self, event: Event) -> None:
        before = {fired: self.consent.subscribed(*fired.address) for fired in self.fired}
        if event.erase is not None:
            self._erase(event.erase, event.log)
        elif event.own is None or self.people.is_erased(event):
            self.consent.take_nameless(event)
            self._journeys(event, nameless=True)
        elif not self._duplicate(event):
            self.people.take(event)
            self.taken.append(event)
            self.consent.take(event)
            self._journeys(event, nameless=False)
        for fired, subscribed in before.items():
            if subscribed and not self.consent.subscribed(*fired.address):
                fired.reasons.add("opted_out")

    def _duplicate(self, event: Event) -> bool:
        """Rule 3."""
        person = self.people.would_hold(event)
        return any(
            other.message_id == event.message_id
            and event.log - other.log <= DAY
            and (other.own == event.own or self.people.person(other) == person)
            for other in self.taken
        )

    def _journeys(self, event: Event, nameless: bool) -> None:
        for journey in self.book.journeys:
            key = key_text(look_up(journey.key, event.scope())) if journey.key else None
            without_key = journey.key is not None and key is None
            if not nameless and starts_it(journey, event):
                start = Start(event, journey, key)
                if without_key or not start.steps:
                    reason = "missing_key" if without_key else "missing_date"
                    first = start.of_variant[0].number
                    self._decide(start, first, "ignored", reason, event.log)
                elif not self._is_remembered(journey, event):
                    self.starts.append(start)
            if (
                names_cancel(journey, event)
                and not without_key
                and (journey.match == "key" or not nameless)
            ):
                self.cancels.append(Cancel(event, journey, key, nameless))

    def _is_remembered(self, journey: Journey, event: Event) -> bool:
        return any(
            start.journey is journey
            and not start.forgotten
            and not start.erased
            and (start.event.own, start.event.message_id) == (event.own, event.message_id)
            for start in self.starts
        )

    def _erase(self, name: str, now: int) -> None:
        """Rule 20."""
        person = self.people.erase(name)
        theirs = [event for event in self.taken if self.people.person(event) == person]
        seqs = {event.seq for event in theirs}
        self.consent.erase(person)
        for fired in self.fired:
            if fired.start.event.seq in seqs and not fired.start.erased:
                fired.reasons.add("erased")
        for wait in self._waits():
            if wait.anchor.event.seq in seqs:
                for step in wait.anchor.steps:
                    self._close(wait.anchor, step, "erased", None, now)
        self._remove_facts(seqs)
        self.taken[:] = [event for event in self.taken if event.seq not in seqs]

    def _remove_facts(self, seqs: set[int]) -> None:
        """With match key cancels stay and so do decided waits, without the id."""
        for start in [start for start in self.starts if start.event.seq in seqs]:
            if start.journey.match == "key" and start.decided:
                start.erased = True
            elif not start.erased:
                self.starts.remove(start)
        for cancel in [cancel for cancel in self.cancels if cancel.event.seq in seqs]:
            if cancel.journey.match == "key":
                cancel.nameless = True
            else:
                self.cancels.remove(cancel)

    # -- waits

    def _person(self, start: Start) -> Person | None:
        return None if start.erased else self.people.person(start.event)

    def _groups(self) -> Iterator[tuple[Journey, list[Start], list[Cancel]]]:
        """The starts and cancels that belong together (rule 4)."""
        for journey in self.book.journeys:
            by_person = journey.match == "person"
            starts = [start for start in self.starts if start.journey is journey]
            known = [cancel for cancel in self.cancels if cancel.journey is journey]
            names = {(start.key, self._person(start) if by_person else None) for start in starts}
            for key, person in sorted(names, key=repr):
                yield (
                    journey,
                    [
                        start
                        for start in starts
                        if start.key == key and (not by_person or self._person(start) == person)
                    ],
                    [
                        cancel
                        for cancel in known
                        if cancel.key == key
                        and (not by_person or self.people.person(cancel.event) == person)
                    ],
                )

    def _waits(self) -> list[Wait]:
        """Waits as they stand; barred starts and the like were settled before."""
        return [
            wait
            for journey, starts, known in self._groups()
            for wait in derive(journey, starts, known)[0]
        ]

    def _forget(self, now: int) -> None:
        """Rule 11. What stands only because something was forgotten does not open a wait.

        Nor does a wait that a cancel ended grow longer when the cancel is forgotten.
        """
        remembered = [
            cancel
            for cancel in self.cancels
            if now <= max(cancel.time, cancel.event.log) + cancel.journey.memory
        ]
        if len(remembered) < len(self.cancels):
            for _, starts, known in self._groups():
                for start in starts:
                    if start.status == WAIT:
                        start.ended = end_of(start, known)
        self.cancels = remembered
        old = [
            start
            for start in self.starts
            if now > max(start.time, start.event.log, start.last_decided_at) + start.journey.memory
        ]
        for start in old:
            start.forgotten = True

    def _settle(self, now: int) -> None:
        """Compare the waits with what was written; end what a cancel is known for (rule 6)."""
        self._move()
        stood = {wait.anchor for wait in self._waits()}
        fresh = {start for start in self.starts if start.status is None}
        before = len(self.cancels), sum(start.forgotten for start in self.starts)
        self._forget(now)
        if before != (len(self.cancels), sum(start.forgotten for start in self.starts)):
            while new := {wait.anchor for wait in self._waits()} - stood - fresh:
                for anchor in new:
                    anchor.barred = True  # what belonged to it may stand next
        while self._settle_once(now):
            pass
        for fired in self.fired:
            self._look_for_cancel(fired)

    def _move(self) -> None:
        """What a link or an alias brings is new to whom it comes to, unless it was decided."""
        for start in self.starts:
            person = self._person(start) if start.journey.match == "person" else None
            if start.person != person and not (start.decided or start.forgotten):
                start.stood = False
            start.person = person

    def _settle_once(self, now: int) -> bool:
        changed = False
        for journey, starts, known in list(self._groups()):
            waits, standing = derive(journey, starts, known)
            for start in starts:
                if not start.forgotten:
                    self._stand(start, standing[start], waits, now)
            for wait in waits:
                wait.anchor.stood = True
                if any(cancels(cancel, wait.anchor) for cancel in known):
                    for step in wait.anchor.steps:
                        changed |= self._close(wait.anchor, step, "cancelled", None, now)
        return changed

    def _stand(self, start: Start, status: str, waits: list[Wait], now: int) -> None:
        if start.status is None and status == SUPERSEDED and stale_on_arrival(start, waits):
            status = STALE
        if status != WAIT and start.status == WAIT:
            outcome, reason = _FORMS[status]
            for step in start.steps:
                if step.number not in start.closed:
                    self._decide(start, step.number, outcome, reason, now)
        elif status != WAIT and start.status is None:
            self._decide(start, start.steps[0].number, *_FORMS[status], now)
        elif status == WAIT and start.status != WAIT:
            for step in start.of_variant:
                if step not in start.steps:
                    self._decide(start, step.number, "ignored", "missing_date", now)
        if status == WAIT or start.status in (None, WAIT):
            start.status = status

    def _close(self, start: Start, step: Step, outcome: str, reason: str | None, now: int) -> bool:
        if step.number in start.closed:
            return False
        start.closed[step.number] = outcome
        start.last_decided_at = now
        self._decide(start, step.number, outcome, reason, now)
        return True

    def _decide(
        self, start: Start, number: int, outcome: str, reason: str | None, now: int
    ) -> None:
        person = self._person(start)
        self.result.decisions.append(decision(start, number, person, outcome, reason, now))

    # -- steps that are due

    def _tick(self, now: int) -> None:
        self._settle(now)
        due: list[tuple[tuple[Any, ...], Start, Step]] = []
        for wait in self._waits():
            start = wait.anchor
            last: dict[str, Step] = {}
            at = self._due_of(start)
            for step in sorted(start.steps, key=lambda s: (start.deadline(s), s.number)):
                if at.get(step.number, now + 1) > now:
                    continue
                if now > start.deadline(step) + step.expires:
                    self._close(start, step, "expired", None, now)
                    continue
                if step.channel in last:
                    self._close(start, last[step.channel], "superseded", None, now)
                last[step.channel] = step
            for step in last.values():
                order = (
                    start.deadline(step),
                    start.time,
                    start.event.message_id,
                    start.journey.name,
                    step.number,
                )
                due.append((order, start, step))
        for _, start, step in sorted(due, key=lambda item: item[0]):
            self._judge(start, step, now)

    def _judge(self, start: Start, step: Step, now: int) -> None:
        journey, person = start.journey, self.people.person(start.event)
        theirs = [event for event in self.taken if self.people.person(event) == person]
        traits = trait_values(theirs)
        number = primary(self.consent.mentions(person), step.kind)
        called = [
            fired.at
            for fired in self.fired
            if fired.start.journey is journey and fired.record["to"] == number
        ]
        refused = first_closed(
            journey, step, start.event, person, theirs, number, self.consent, called, now
        )
        if refused or number is None:
            self._close(start, step, "suppressed", refused, now)
            return
        self._close(start, step, "fired", None, now)
        record = trigger(start, step, person, number, traits, now)
        self.result.outputs.append(record)
        self.fired.append(Fired(start, step, record, now))

    # -- after the trigger (rule 10)

    def _look_for_cancel(self, fired: Fired) -> None:
        start = fired.start
        if fired.retracted or start not in self.starts:
            return
        for cancel in self.cancels:
            if cancel.journey is not start.journey or cancel.key != start.key:
                continue
            together = start.journey.match == "key" or self.people.person(
                cancel.event
            ) == self._person(start)
            if together and cancels(cancel, start):
                fired.reasons.add(
                    "late_cancel" if cancel.time <= fired.deadline else "cancelled_after_fire"
                )

    def _retract(self, now: int) -> None:
        for fired in self.fired:
            record = fired.retraction(now)
            if record:
                self.result.outputs.append(record)
