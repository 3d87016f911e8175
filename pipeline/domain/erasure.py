"""Right to erasure (rule 20): what goes, what is retracted, and the little that must stay."""

from dataclasses import replace

from pipeline.domain.entities import Person
from pipeline.domain.facts import Facts
from pipeline.domain.messages import Ask, EraseCase, Postponed, Recalled, Suppress, Wipe
from pipeline.domain.outputs import Contact, Who, decision_on
from pipeline.domain.profile import KINDS, Profile
from pipeline.domain.refs import Ref
from pipeline.domain.reviews import Verdict
from pipeline.domain.subject import Subject, decision
from pipeline.domain.turn import Turn
from pipeline.domain.waits import derive


def erase(subject: Subject, turn: Turn) -> None:
    """End waits, retract, tell cases and addresses, suppress every other id of theirs."""
    profile, who = subject.profile, subject.who
    for journey, keys in profile.journeys.items():
        for key, facts in keys.items():
            _end(facts, journey, key, subject, turn)
    in_line = [queued.attempt for queued in profile.caps.line.values()] if profile.caps else []
    for attempt in (*profile.postponed.values(), *in_line):
        turn.say(decision_on(attempt, "erased", "erasure", turn.now))
    for trigger, sent in profile.sent.items():
        turn.tell(Ref("address", sent.address), Recalled(trigger, erased=True, cause=None))
    holders = (
        subject.ref,
        *(Ref("person", user_id) for user_id in profile.user_ids),
        *(Ref("device", device) for device in profile.handed),
    )
    for case in profile.cases:
        turn.tell(Ref("case", case), EraseCase(holders, who))
    for kind in KINDS:
        for address in sorted(profile.book(kind).known()):
            turn.tell(Ref("address", address), Wipe(kind, who))
    user_ids = tuple({subject.ref.id, *profile.user_ids}) if who.user_id else ()
    for user_id in profile.user_ids:
        turn.tell(Ref("person", user_id), Suppress(user_ids))
    for device in profile.devices:
        turn.tell(Ref("device", device), Suppress(user_ids))
    turn.say(Contact(who, moved=True))


def _end(facts: Facts, journey: str, key: str, subject: Subject, turn: Turn) -> None:
    for wait in derive(facts, turn.rules.of(journey)).waits:
        for step in wait.open_steps():
            verdict = Verdict(wait.journey, wait.anchor, step, "erased", "erasure")
            turn.say(decision(verdict, key, subject.who, turn.now))


def come_to_erased(message: Ask | Postponed, who: Who, turn: Turn) -> None:
    """A step was on its way between its gates when they were erased: nobody else tells its end."""
    match message:
        case Ask():
            journey = turn.rules.of(message.journey)[message.version]
            verdict = Verdict(journey, message.start, message.step, "erased", "erasure")
            turn.say(decision(verdict, message.key, who, turn.now))
        case Postponed(attempt):
            turn.say(decision_on(replace(attempt, who=who), "erased", "erasure", turn.now))


def suppress(person: Person) -> None:
    """Nothing stays of them but that their id takes nothing any more."""
    person.profile = Profile()
    person.merged_into = None
    person.erased = True
