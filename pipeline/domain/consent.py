"""A person's side of consent: which addresses a claim means, what waits, what is remembered.

Weighing against what is known of the address is the address's own (`address.py`).
"""

from collections.abc import Iterable
from typing import Final

from pipeline.domain.book import Book, mentions
from pipeline.domain.claims import (
    Claim,
    Ignored,
    OptOut,
    Said,
    Waiting,
    from_entry,
    from_event,
)
from pipeline.domain.events import CHANNEL_KIND, AddressKind, Event
from pipeline.domain.facts import EventRef
from pipeline.domain.messages import Claimed
from pipeline.domain.outputs import Evidence, Who
from pipeline.domain.profile import Profile
from pipeline.domain.refs import Ref
from pipeline.domain.times import DAY, FUTURE_TOLERANCE
from pipeline.domain.turn import Turn
from pipeline.domain.weighing import NOBODY, evidence

PATIENCE: Final = DAY
"""How long an opt-in waits for an address (rule 14), in log time."""
WAITING_MAX: Final = 100
"""Opt-ins that wait; beyond it the one that is the oldest by its own timestamp does no longer."""


def said_by(event: Event, turn: Turn) -> Iterable[Said | Ignored]:
    """Everything an event says about consent, by itself or by what the rulebook makes of it."""
    for entry in event.opt_ins:
        yield from_entry(event, entry)
    for rule in turn.rules.current.consent_rules(event):
        yield from from_event(event, rule)


def take(
    profile: Profile, who: Who, event: Event, fresh: dict[AddressKind, set[str]], turn: Turn
) -> None:
    """After the profile learned of an event: `fresh` are the addresses that it brought."""
    for kind, addresses in fresh.items():
        bind(profile, who, kind, addresses, turn)
    if event.addresses and profile.waiting:
        _end_waiting(profile, who, event, turn)
    for said in said_by(event, turn):
        if isinstance(said, Ignored):
            _ignore(said, who, event, turn)
        else:
            _apply(profile, who, event, said, turn)


def bind(profile: Profile, who: Who, kind: AddressKind, fresh: set[str], turn: Turn) -> None:
    """Remembered opt-outs meet addresses that have become known."""
    for opt_out in profile.opt_outs if fresh else []:
        if CHANNEL_KIND[opt_out.claim.channel] == kind:
            for address in profile.bind(opt_out, fresh):
                _tell(opt_out.claim, who, address, turn)


def _apply(profile: Profile, who: Who, event: Event, said: Said, turn: Turn) -> None:
    claim = said.claim
    kind = CHANNEL_KIND[claim.channel]
    if said.named and said.address is not None:
        _tell(claim, who, said.address, turn)
    if said.everywhere:
        _everywhere(profile, who, claim, said.address, turn)
        return
    if said.named and (said.address is not None or claim.subscribed):
        if said.address is None:
            # it names a number that nobody can call: not consent to call another
            turn.say(evidence(claim, who, None, kind, "without_address", turn.now))
        return
    primary = profile.book(kind).primary(event.time)
    if primary is not None:
        _tell(claim, who, primary, turn)
    elif claim.subscribed:
        profile.waiting.append(Waiting(claim, turn.now + PATIENCE))
        bound(profile, who, turn)
    else:
        _everywhere(profile, who, claim, None, turn)


def _everywhere(profile: Profile, who: Who, claim: Claim, told: str | None, turn: Turn) -> None:
    known = sorted(profile.book(CHANNEL_KIND[claim.channel]).known())
    for address in known:
        if address != told:
            _tell(claim, who, address, turn)
    profile.remember(OptOut(claim, known))


def _end_waiting(profile: Profile, who: Who, event: Event, turn: Turn) -> None:
    still: list[Waiting] = []
    for waiting in profile.waiting:
        claim = waiting.claim
        in_time = event.time <= claim.ref.time + FUTURE_TOLERANCE and turn.now <= waiting.until
        brought = Book(mentions(event, CHANNEL_KIND[claim.channel])).primary()
        if brought is not None and in_time and claim.own_id == event.own_id:
            _tell(claim, who, brought, turn)
        else:
            still.append(waiting)
    profile.waiting = still


def tick(profile: Profile, who: Who, turn: Turn) -> None:
    """Opt-ins that waited long enough are ignored."""
    over = [waiting for waiting in profile.waiting if waiting.until <= turn.now]
    for waiting in over:
        _give_up(profile, who, waiting, turn)


def bound(profile: Profile, who: Who, turn: Turn) -> None:
    """Of too many that wait some are ignored before their time."""
    while len(profile.waiting) > WAITING_MAX:
        _give_up(profile, who, min(profile.waiting, key=lambda each: each.claim.order), turn)


def _give_up(profile: Profile, who: Who, waiting: Waiting, turn: Turn) -> None:
    kind = CHANNEL_KIND[waiting.claim.channel]
    turn.say(evidence(waiting.claim, who, None, kind, "without_address", turn.now))
    profile.waiting.remove(waiting)


def count_for_named(event: Event, turn: Turn) -> None:
    """Rules 19 and 20: of an event without a person, opt-outs still count where they name one."""
    for said in said_by(event, turn):
        if isinstance(said, Said) and not said.claim.subscribed and said.address is not None:
            _tell(said.claim, NOBODY, said.address, turn)


def _tell(claim: Claim, who: Who, address: str, turn: Turn) -> None:
    kind = CHANNEL_KIND[claim.channel]
    turn.tell(Ref("address", address), Claimed(kind, claim, who))


def _ignore(ignored: Ignored, who: Who, event: Event, turn: Turn) -> None:
    entry = ignored.entry
    turn.say(
        Evidence(
            address=entry.address,
            kind=CHANNEL_KIND[entry.channel] if entry.channel else None,
            channel=entry.channel,
            subscribed=entry.subscribed,
            reason=ignored.reason,
            timestamp=entry.timestamp,
            ip=entry.ip or event.ip,
            source=entry.source,
            text=entry.text,
            via="identify" if event.type == "identify" else "event",
            who=who,
            ref=EventRef.of(event),
            at=turn.now,
        )
    )
