"""What an event says about consent, and which addresses it means (rules 12 to 14).

A *claim* is an opt-in or opt-out that is fit to be weighed by its address; what is not is told as
evidence with the reason. The rules are not even: an opt-in must prove itself, an opt-out counts.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.domain.events import CHANNEL_KIND, Channel, Event, OptInEntry
from pipeline.domain.facts import EventRef
from pipeline.domain.rules import ConsentRule
from pipeline.domain.times import FUTURE_TOLERANCE, parse_instant


class Claim(NamedTuple):
    """One opt-in or opt-out of a channel, with its evidence; `timestamp` is its own time.

    `own_id` is the id it came under: an opt-in that waits takes only an address from there.
    """

    channel: Channel
    subscribed: bool
    timestamp: int
    ip: str | None
    source: str | None
    text: str | None
    via: str
    ref: EventRef
    own_id: str

    @property
    def order(self) -> tuple[int, int, str]:
        """By its own time, then its event's."""
        return (self.timestamp, self.ref.time, self.ref.message_id)


@dataclass(slots=True)
class OptOut:
    """An opt-out event: also for addresses that become known later. `applied`: those it met."""

    claim: Claim
    applied: list[str] = field(default_factory=list)


class Waiting(NamedTuple):
    """An opt-in that no address was known for, until `until` (log time)."""

    claim: Claim
    until: int


class Said(NamedTuple):
    """A claim and the address it names.

    `named` without an address: it names one that is none. `everywhere`: an opt-out that means
    every address of its kind the person has or had.
    """

    claim: Claim
    named: bool
    address: str | None
    everywhere: bool


class Ignored(NamedTuple):
    """What is no claim, and why."""

    entry: OptInEntry
    reason: str


def from_entry(event: Event, entry: OptInEntry) -> Said | Ignored:
    """Judge one entry of an `optIn` array or object (rules 12 and 13)."""
    if entry.channel is None:
        return Ignored(entry, "unknown_channel")
    if entry.subscribed is None:
        return Ignored(entry, "unclear")
    limit = event.kafka_time + FUTURE_TOLERANCE
    ip = entry.ip or event.ip
    timestamp = entry.timestamp
    if entry.subscribed:
        if timestamp is None:
            return Ignored(entry, "without_timestamp")
        if timestamp > limit:
            return Ignored(entry, "in_future")
        if ip is None:
            return Ignored(entry, "without_ip")
    else:
        timestamp = event.time if timestamp is None else _cut(timestamp, event)
    claim = Claim(
        channel=entry.channel,
        subscribed=entry.subscribed,
        timestamp=timestamp,
        ip=ip,
        source=entry.source,
        text=entry.text,
        via="identify",
        ref=EventRef.of(event),
        own_id=event.own_id,
    )
    return Said(claim, entry.named, entry.address, everywhere=False)


def from_event(event: Event, rule: ConsentRule) -> list[Said | Ignored]:
    """What a track event means that the rulebook calls an opt-in or opt-out (rules 13 and 14)."""
    said: list[Said | Ignored] = []
    given = parse_instant(event.properties.get("timestamp"))
    timestamp = event.time if given is None else given
    if not rule.subscribed:
        timestamp = max(_cut(timestamp, event), event.time)
    for channel in rule.channels:
        claim = Claim(
            channel=channel,
            subscribed=rule.subscribed,
            timestamp=timestamp,
            ip=_text(event, "ip") or event.ip,
            source=_text(event, "source"),
            text=_text(event, "text"),
            via="event",
            ref=EventRef.of(event),
            own_id=event.own_id,
        )
        kind = CHANNEL_KIND[channel]
        if rule.subscribed and timestamp > event.kafka_time + FUTURE_TOLERANCE:
            said.append(Ignored(as_entry(claim), "in_future"))
            continue
        address = event.named.get(kind)
        said.append(Said(claim, kind in event.named, address, everywhere=not rule.subscribed))
    return said


def as_entry(claim: Claim, address: str | None = None) -> OptInEntry:
    """A claim in the form of an entry, for evidence of what became of it."""
    return OptInEntry(
        channel=claim.channel,
        subscribed=claim.subscribed,
        timestamp=claim.timestamp,
        ip=claim.ip,
        source=claim.source,
        text=claim.text,
        address=address,
        named=address is not None,
    )


def _cut(timestamp: int, event: Event) -> int:
    """An opt-out dated ahead counts from its record's time on."""
    return event.kafka_time if timestamp > event.kafka_time + FUTURE_TOLERANCE else timestamp


def _text(event: Event, name: str) -> str | None:
    value = event.properties.get(name)
    return value if isinstance(value, str) and value.strip() else None
