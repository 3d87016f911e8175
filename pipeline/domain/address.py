"""A phone or an email: weighs opt-ins, lets triggers out, takes them back.

Promise 2 rests here: a trigger leaves only from the address it names, which knows its own consent.
"""

from pipeline.domain import firing, weighing
from pipeline.domain.entities import Address
from pipeline.domain.messages import Attempted, Claimed, Held, LetGo, Message, Recalled, Wipe
from pipeline.domain.times import HOUR
from pipeline.domain.turn import Turn


def take(address: Address, to: str, message: Message, turn: Turn) -> None:
    """Take one message for the address `to`."""
    match message:
        case Claimed():
            address.kind = message.kind
            weighing.weigh(address, to, message, turn)
        case Attempted(attempt) if attempt.ordered:
            address.queue.append(attempt)
            address.queued_at = turn.now
        case Attempted(attempt):
            firing.attempt_now(address, attempt, turn)
        case Recalled():
            firing.recall(address, message, turn)
        case LetGo(trigger):
            address.held.pop(trigger, None)
        case Held():
            address.kind = message.kind
            weighing.hold(address, to, message, turn)
        case Wipe():
            address.kind = message.kind
            weighing.wipe(address, to, message, turn)
        case _:
            raise TypeError(type(message))


def tick(address: Address, turn: Turn) -> None:
    """Judge and retract what there is to; forget what cannot be retracted any more."""
    for attempt in sorted(address.queue, key=lambda attempt: attempt.order):
        firing.attempt_now(address, attempt, turn)
    address.queue = []
    for trigger, held in list(address.held.items()):
        if turn.now > held.expires_at:
            del address.held[trigger]
    for trigger, opened in list(address.open.items()):
        if opened.causes:
            firing.retract(opened.attempt, min(opened.causes, key=lambda cause: cause[:3]), turn)
            del address.open[trigger]
        elif turn.now > opened.attempt.expires_at:
            del address.open[trigger]


def due(address: Address) -> int | None:
    """At once where something is to be judged or retracted; else when it can be forgotten."""
    pending = [cause.at for opened in address.open.values() for cause in opened.causes]
    pending += [address.queued_at] if address.queue else []
    if pending:
        return min(pending)
    expiries = [opened.attempt.expires_at for opened in address.open.values()]
    expiries += [held.expires_at for held in address.held.values()]
    return (min(expiries) // HOUR + 1) * HOUR if expiries else None


def is_empty(address: Address) -> bool:
    """Nothing left worth keeping."""
    kept = (address.consents, address.user_ids, address.open, address.queue, address.held)
    return not any(kept) and not (address.last_fired or address.fired)
