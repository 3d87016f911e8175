"""A journey and key with `match: key`: whoever reports the events, the facts meet here (rule 4).

The case knows nobody. What it decides it has told by who has the anchor event, under the id they
go by then; a step that is due it has judged by them.
"""

from pipeline.domain import rulings
from pipeline.domain.entities import Case
from pipeline.domain.facts import Settled, Start
from pipeline.domain.ids import trigger_id
from pipeline.domain.messages import Ask, Decided, EraseCase, Message, Noted, Recall
from pipeline.domain.refs import Ref
from pipeline.domain.reviews import Review, Verdict, forget, pass_time, review
from pipeline.domain.rulings import look, rule
from pipeline.domain.schedule import steps_of
from pipeline.domain.subject import decision, who_is
from pipeline.domain.turn import Turn


def take(case: Case, message: Message, turn: Turn) -> None:
    """Take one message for this case."""
    match message:
        case Noted():
            case.journey, case.key = message.journey, message.key
            _note(case, message, turn)
        case EraseCase():
            _erase(case, message, turn)
        case _:
            raise TypeError(type(message))


def _note(case: Case, noted: Noted, turn: Turn) -> None:
    versions = turn.rules.of(case.journey)
    facts = case.facts
    forget(facts, versions, turn.now)
    start, cancel = noted.start, noted.cancel
    if start is not None and facts.find(start.identity) is None:
        if not facts.add_start(start):
            turn.count("too_many_starts")
            return
        _tell(case, look(facts, versions, turn.now), turn)
    if cancel is not None and facts.add_cancel(cancel):
        _tell(case, look(facts, versions, turn.now, [cancel]), turn)


def _holder(start: Start) -> Ref:
    return Ref(start.holder_kind, start.holder_id)


def _tell(case: Case, result: Review, turn: Turn) -> None:
    for verdict in result.verdicts:
        holder = _holder(verdict.start)
        turn.tell(holder, Decided(decision(verdict, case.key, who_is(holder), turn.now)))
    for journey, start, step, cause in result.withdrawals:
        trigger = trigger_id(journey.name, start.own_id, start.ref.message_id, step)
        turn.tell(_holder(start), Recall(trigger, cause))


def tick(case: Case, turn: Turn) -> None:
    """Have what is due judged by who has the anchor, in the order of rule 8."""
    versions = turn.rules.of(case.journey)
    _tell(case, rule(case.facts, versions, turn.now), turn)
    result = pass_time(case.facts, versions, turn.now)
    _tell(case, result, turn)
    for due in sorted(result.judge, key=lambda step: step.order):
        start, journey = due.wait.anchor, due.wait.journey
        question = Ask(journey.name, journey.version, due.step.number, case.key, start)
        turn.tell(_holder(start), question)
    forget(case.facts, versions, turn.now)


def visit(case: Case, turn: Turn) -> bool:
    """A rulebook came into force that means what is open; whether anything is other than before."""
    result, changed = rulings.visit(case.facts, turn.rules.of(case.journey), turn.now)
    _tell(case, result, turn)
    return changed


def _erase(case: Case, erased: EraseCase, turn: Turn) -> None:
    """Rule 20: their waits end and stay ended for the starts of others; their data goes."""
    versions = turn.rules.of(case.journey)
    for start in case.facts.starts:
        if _holder(start) not in erased.holders:
            continue
        journey = versions[start.version]
        for step in steps_of(journey, start) if start.standing == ("open", "") else ():
            if step.number not in start.settled:
                start.settled[step.number] = Settled("erased", turn.now)
                verdict = Verdict(journey, start, step.number, "erased", "erasure")
                turn.say(decision(verdict, case.key, erased.who, turn.now))
        start.properties, start.context = {}, {}
        start.closed |= start.standing != ("open", "")
    review(case.facts, versions, turn.now)
