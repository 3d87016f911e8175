"""An address's opt-ins: weighed by their own time, shown, wiped (rules 12 and 20)."""

from dataclasses import replace
from typing import Final

from pipeline.domain import firing
from pipeline.domain.claims import Claim
from pipeline.domain.entities import Address
from pipeline.domain.events import AddressKind, Channel
from pipeline.domain.messages import Claimed, Held, Wipe
from pipeline.domain.outputs import Consent, Evidence, Happening, OptIn, Who
from pipeline.domain.turn import Turn

HOLDERS_MAX: Final = 1_000
"""Users that an address names: a number that a form fills in for everybody has no end."""

NOBODY: Final = Who(None, None)


def weigh(address: Address, to: str, claimed: Claimed, turn: Turn) -> None:
    """Rule 12: the newest by its own timestamp wins, an opt-out wins a tie."""
    claim = claimed.claim
    now = address.consents.get(claim.channel)
    wins = now is None or (claim.timestamp, not claim.subscribed) > (
        now.timestamp,
        not now.subscribed,
    )
    turn.say(evidence(claim, claimed.who, to, claimed.kind, None if wins else "older", turn.now))
    consent = Consent(
        claim.channel,
        claim.subscribed,
        claim.timestamp,
        claim.ip,
        claim.source,
        claim.text,
        claim.ref.source,
    )
    _overrule(address, *((now, consent) if wins else (consent, now)))
    if not wins:
        return
    address.consents[claim.channel] = consent
    address.via[claim.channel] = claim.via
    turn.say(_opt_in(address, to, claim.channel))
    if claimed.who.key and (now is None or now.subscribed != claim.subscribed):
        name = "Contact Subscribed" if claim.subscribed else "Contact Unsubscribed"
        properties: dict[str, object] = {"channel": claim.channel, address.kind: to}
        turn.say(Happening(name, claimed.who, properties, turn.now))
    if now is not None and now.subscribed and not claim.subscribed:
        firing.opted_out(address, claim.channel, claim.ref, turn)


def _overrule(address: Address, older: Consent | None, newer: Consent | None) -> None:
    """Keep the newest opt-out that an opt-in wins over; what a newer opt-out says says it all."""
    if newer is None or older is None:
        return
    if not newer.subscribed:
        address.overruled.pop(newer.channel, None)
    elif not older.subscribed:
        kept = address.overruled.get(older.channel)
        if kept is None or kept.timestamp < older.timestamp:
            address.overruled[older.channel] = _bare(older)


def _bare(opt_out: Consent) -> Consent:
    """Without what was said: it is kept to outlive an erasure."""
    return replace(opt_out, ip=None, source=None, text=None)


def evidence(
    claim: Claim, who: Who, to: str | None, kind: AddressKind, reason: str | None, at: int
) -> Evidence:
    """What became of a claim."""
    return Evidence(
        address=to,
        kind=kind,
        channel=claim.channel,
        subscribed=claim.subscribed,
        reason=reason,
        timestamp=claim.timestamp,
        ip=claim.ip,
        source=claim.source,
        text=claim.text,
        via=claim.via,
        who=who,
        ref=claim.ref,
        at=at,
    )


def _opt_in(address: Address, to: str, channel: Channel) -> OptIn:
    via, users = address.via.get(channel, ""), tuple(address.user_ids)
    return OptIn(to, address.kind, channel, address.consents[channel], via, users)


def hold(address: Address, to: str, held: Held, turn: Turn) -> None:
    """Somebody has the address, or no longer."""
    if held.holds == (held.user_id in address.user_ids):
        return
    if held.holds and len(address.user_ids) >= HOLDERS_MAX:
        turn.count("too_many_holders")
        return
    if held.holds:
        address.user_ids.append(held.user_id)
    else:
        address.user_ids.remove(held.user_id)
    for channel in address.consents:
        turn.say(_opt_in(address, to, channel))


def wipe(address: Address, to: str, wipe: Wipe, turn: Turn) -> None:
    """Rule 20: opt-ins go, also for others; opt-outs stay, without what was said."""
    for channel, consent in list(address.consents.items()):
        if not consent.subscribed:
            address.consents[channel] = _bare(consent)
        else:
            firing.opted_out(address, channel, None, turn)
            del address.consents[channel]
            if channel in address.overruled:
                address.consents[channel] = address.overruled.pop(channel)
        address.via.pop(channel, None)
        turn.say(OptIn(to, address.kind, channel, None))
    if wipe.who.user_id in address.user_ids:
        address.user_ids.remove(wipe.who.user_id)
