"""What a person and a device without a link do alike: learn, weigh consent, wait, judge.

A subject is whose facts these are at the moment: the profile, and the reference it goes by.
"""

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from pipeline.domain import capping, consent, judging, postponing, rulings
from pipeline.domain.events import Event, Source
from pipeline.domain.facts import EventRef, Facts
from pipeline.domain.ids import trigger_id
from pipeline.domain.journeys import Noticed, cancels, case_of, starts
from pipeline.domain.messages import (
    Ask,
    Ended,
    Held,
    InLine,
    Judged,
    Noted,
    Postponed,
    Recalled,
)
from pipeline.domain.outputs import Contact, Decision, Happening, Who, decision_on
from pipeline.domain.profile import KINDS, Profile
from pipeline.domain.refs import Ref
from pipeline.domain.reviews import Review, Verdict, forget, pass_time
from pipeline.domain.rulings import look, rule
from pipeline.domain.schedule import deadline, first_step, steps_of, variant_of
from pipeline.domain.turn import Turn

News: TypeAlias = InLine | Judged | Postponed | Ended

DEVICES_MAX: Final = 1_000
"""Devices that a profile names; more still belong to it by their own links."""


@dataclass(slots=True)
class Subject:
    """A profile and whose it is."""

    ref: Ref
    profile: Profile

    @property
    def who(self) -> Who:
        """As records name it."""
        return who_is(self.ref)


def who_is(ref: Ref) -> Who:
    """A person by userId, a device by anonymousId."""
    return Who(ref.id, None) if ref.kind == "person" else Who(None, ref.id)


def take_event(subject: Subject, event: Event, turn: Turn) -> None:
    """Everything an event means for the one who did it."""
    profile, device = subject.profile, event.anonymous_id
    new_device = (
        device is not None and device not in profile.devices and subject.ref.kind == "person"
    )
    shown = event.type == "identify" or new_device
    before = profile.contact(subject.who) if shown else None
    fresh = profile.learn(event)
    if new_device and device is not None and len(profile.devices) < DEVICES_MAX:
        profile.devices.append(device)
    if fresh:
        _hold(subject, fresh["phone"], fresh["email"], turn)
    meant = turn.rules.mean(event)
    if fresh or event.opt_ins or meant:
        consent.take(profile, subject.who, event, fresh, turn)
    for noticed in starts(event, subject.ref, turn) if meant else ():
        _note_start(subject, noticed, turn)
    for noticed in cancels(event, turn) if meant else ():
        _note_cancel(subject, noticed, turn)
    if shown:
        show(subject, before, event.source, turn)


def show(subject: Subject, before: Contact | None, source: Source | None, turn: Turn) -> None:
    """Publish the contact if it is another than before."""
    profile, who = subject.profile, subject.who
    after = profile.contact(who)
    if after is None or after == before:
        return
    profile.updated_at, profile.source = turn.now, source
    if profile.created_at is None:
        profile.created_at = turn.now
        turn.say(Happening("Contact Created", who, {}, turn.now))
    created_at = profile.created_at
    turn.say(after._replace(source=source, created_at=created_at, updated_at=turn.now))


def _hold(subject: Subject, phones: set[str], emails: set[str], turn: Turn) -> None:
    user_id = subject.who.user_id
    if user_id is None:
        return
    for address in sorted(phones):
        turn.tell(Ref("address", address), Held("phone", user_id, holds=True))
    for address in sorted(emails):
        turn.tell(Ref("address", address), Held("email", user_id, holds=True))


def _note_start(subject: Subject, noticed: Noticed, turn: Turn) -> None:
    journey, start = noticed.journey, noticed.start
    assert start is not None
    if noticed.key is None or not steps_of(journey, start):
        reason = "missing_key" if noticed.key is None else "missing_date"
        verdict = Verdict(journey, start, first_step(journey, start), "ignored", reason)
        turn.say(decision(verdict, noticed.key, subject.who, turn.now))
    elif journey.match == "key":
        case = case_of(journey.name, noticed.key)
        subject.profile.cases[case.id] = turn.now + journey.memory
        turn.tell(case, Noted(journey.name, noticed.key, start, None))
    else:
        facts = _facts(subject.profile, journey.name, noticed.key)
        forget(facts, turn.rules.of(journey.name), turn.now)
        if facts.find(start.identity) is None:
            if not (subject.profile.has_room(journey.name) and facts.add_start(start)):
                turn.count("too_many_starts")
                return
            _tell(subject, noticed.key, look(facts, turn.rules.of(journey.name), turn.now), turn)


def _note_cancel(subject: Subject, noticed: Noticed, turn: Turn) -> None:
    journey, cancel, key = noticed.journey, noticed.cancel, noticed.key
    assert cancel is not None
    assert key is not None
    if journey.match == "key":
        turn.tell(case_of(journey.name, key), Noted(journey.name, key, None, cancel))
        return
    facts = _facts(subject.profile, journey.name, key)
    versions = turn.rules.of(journey.name)
    forget(facts, versions, turn.now)
    if facts.add_cancel(cancel):
        _tell(subject, key, look(facts, versions, turn.now, [cancel]), turn)


def _facts(profile: Profile, journey: str, key: str) -> Facts:
    return profile.journeys.setdefault(journey, {}).setdefault(key, Facts())


def _tell(subject: Subject, key: str, result: Review, turn: Turn) -> None:
    for verdict in result.verdicts:
        turn.say(decision(verdict, key, subject.who, turn.now))
    for journey, start, step, cause in result.withdrawals:
        recall(
            subject, trigger_id(journey.name, start.own_id, start.ref.message_id, step), cause, turn
        )


def decision(verdict: Verdict, key: str | None, who: Who, now: int) -> Decision:
    """A verdict as it is told."""
    journey, start, step, outcome, reason, cause = verdict
    return Decision(
        id=trigger_id(journey.name, start.own_id, start.ref.message_id, step),
        journey=journey.name,
        version=journey.version,
        step=step,
        key=key or None,
        who=who,
        outcome=outcome,
        reason=reason,
        deadline=deadline(journey.steps[step - 1], start),
        decided_at=now,
        anchor=start.ref,
        cause=cause,
        variant=variant_of(journey, start.own_id),
    )


def recall(subject: Subject, trigger: str, cause: EventRef, turn: Turn) -> None:
    """A cancel came for a step that was judged: its address takes it back if it fired."""
    waiting = capping.leave(subject.profile, trigger)
    if waiting is not None:
        waiting = replace(waiting, who=subject.who)
        turn.say(decision_on(waiting, "cancelled", "cancelled", turn.now, cause))
        return
    sent = subject.profile.sent.get(trigger)
    if sent is not None:
        turn.tell(Ref("address", sent.address), Recalled(trigger, erased=False, cause=cause))


def follow(subject: Subject, news: News, turn: Turn) -> None:
    """How it goes on with a step that passed its person's gates."""
    profile = subject.profile
    match news:
        case InLine(trigger):
            capping.ready(profile, trigger, turn)
        case Judged():
            capping.count(profile, news, turn)
        case Postponed(attempt):
            capping.release(profile, attempt.id)
            postponing.keep(profile, attempt, turn)
        case Ended():
            postponing.end(profile, subject.who, news, turn)


def ask(subject: Subject, question: Ask, turn: Turn) -> None:
    """A case's step is due: judge it as one's own."""
    _tidy(subject.profile, turn.now)  # who has waits in cases alone has no tick
    journey = turn.rules.of(question.journey)[question.version]
    number, key, start = question.step, question.key, question.start
    judging.judge(subject.profile, subject.who, journey, number, key, start, turn)


def join(subject: Subject, other: Profile, turn: Turn) -> None:
    """A device was linked or a person merged: what they knew and waited for is ours now."""
    profile = subject.profile
    before = profile.contact(subject.who)
    fresh = profile.join(other)
    for kind in KINDS:
        everything = fresh[kind] | other.book(kind).known().keys()
        mine = {address for address in profile.book(kind).known() if address not in everything}
        consent.bind(profile, subject.who, kind, everything, turn)
        # what the other side remembered also means the addresses that were here before
        consent.bind(profile, subject.who, kind, mine, turn)
    consent.bound(profile, subject.who, turn)
    _hold(subject, set(profile.phones.known()), set(profile.emails.known()), turn)
    for journey, keys in other.journeys.items():
        versions = turn.rules.of(journey)
        for key in keys:
            facts = profile.journeys[journey][key]
            forget(facts, versions, turn.now)
            _tell(subject, key, look(facts, versions, turn.now, list(facts.cancels)), turn)
    postponing.visit(profile, subject.who, turn)
    show(subject, before, other.source or profile.source, turn)


def tick(subject: Subject, turn: Turn) -> None:
    """Decide what is due, in the order of rule 8."""
    profile = subject.profile
    capping.tick(profile, subject.who, turn)
    due = []
    for journey, keys in profile.journeys.items():
        versions = turn.rules.of(journey)
        for key, facts in keys.items():
            _tell(subject, key, rule(facts, versions, turn.now), turn)
            result = pass_time(facts, versions, turn.now)
            _tell(subject, key, result, turn)
            due += [(step.order, key, step) for step in result.judge]
            forget(facts, versions, turn.now)
    for _, key, step in sorted(due, key=lambda item: item[0]):
        wait = step.wait
        judging.judge(profile, subject.who, wait.journey, step.step.number, key, wait.anchor, turn)
    postponing.tick(profile, subject.who, turn)
    consent.tick(profile, subject.who, turn)
    _tidy(profile, turn.now)


def visit(subject: Subject, turn: Turn) -> bool:
    """A rulebook came into force that means what is open; whether anything is other than before."""
    changed = postponing.visit(subject.profile, subject.who, turn)
    for journey, keys in subject.profile.journeys.items():
        versions = turn.rules.of(journey)
        for key, facts in keys.items():
            result, other = rulings.visit(facts, versions, turn.now)
            _tell(subject, key, result, turn)
            changed |= other
    return changed


def _tidy(profile: Profile, now: int) -> None:
    """Let go of what cannot matter any more."""
    for journey in list(profile.journeys):
        keys = profile.journeys[journey]
        for key in [key for key, facts in keys.items() if facts.is_empty()]:
            del keys[key]
        if not keys:
            del profile.journeys[journey]
    profile.sent = {id_: sent for id_, sent in profile.sent.items() if sent.expires_at >= now}
    profile.cases = {case: until for case, until in profile.cases.items() if until >= now}


def due(profile: Profile) -> int | None:
    """The earliest instant at which something of the profile is due."""
    if not (profile.journeys or profile.waiting or profile.postponed or profile.caps):
        return None
    dues = [facts.due for keys in profile.journeys.values() for facts in keys.values()]
    waiting = [waiting.until for waiting in profile.waiting]
    postponed = [postponing.due_at(attempt) for attempt in profile.postponed.values()]
    dues += [profile.caps.due() if profile.caps else None]
    return min((d for d in (*dues, *waiting, *postponed) if d is not None), default=None)
