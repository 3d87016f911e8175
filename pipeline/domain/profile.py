"""What is known of a person, or of a device that nobody is linked to: a union of facts.

Joining two profiles is taking the union, so the order in which it came together cannot matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pipeline.domain.book import Book, mentions
from pipeline.domain.caps import Caps
from pipeline.domain.claims import OptOut, Waiting
from pipeline.domain.events import CHANNEL_KIND, AddressKind, Event, Source
from pipeline.domain.facts import Facts
from pipeline.domain.outputs import Attempt, Contact, Who
from pipeline.domain.seen import Seen
from pipeline.domain.shadow import is_shadow

EVENT_NAMES_MAX: Final = 500
TRAITS_MAX: Final = 1_000
TRAIT_CHARACTERS_MAX: Final = 256 * 1024
"""Of all traits together, as text: one entity must fit one record when it is handed over."""
FACTS_MAX: Final = 2_000
"""Starts and cancels of all journeys and keys together."""
OPT_OUTS_MAX: Final = 100
"""Remembered of one channel; beyond it the oldest goes: what it means the newer ones mean, too."""
KINDS: Final[tuple[AddressKind, ...]] = ("phone", "email")


class Trait(NamedTuple):
    """A trait's newest value; None: it was removed."""

    value: object
    time: int
    message_id: str


@dataclass(slots=True)
class Stat:
    """How often a track event was seen, and when first and last by event time."""

    count: int
    first: int
    last: int


class Sent(NamedTuple):
    """A trigger that may be out: whom to tell when it has to be retracted, and until when."""

    kind: AddressKind
    address: str
    expires_at: int


@dataclass(slots=True)
class Profile:
    """Facts of one person or device.

    `journeys` holds facts by journey and key (`match: person`); `postponed` what waits for its
    calling window; `caps` what limits of scope person go by, where there are any; `cases` the ids
    of the cases it has starts in, with how long those remember; `devices` the anonymousIds linked
    to it, of which `handed` gave it all they had done.
    """

    traits: dict[str, Trait] = field(default_factory=dict)
    trait_characters: int = 0
    phones: Book = field(default_factory=Book)
    emails: Book = field(default_factory=Book)
    stats: dict[str, Stat] = field(default_factory=dict)
    journeys: dict[str, dict[str, Facts]] = field(default_factory=dict)
    opt_outs: list[OptOut] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    sent: dict[str, Sent] = field(default_factory=dict)
    postponed: dict[str, Attempt] = field(default_factory=dict)
    cases: dict[str, int] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    user_ids: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    handed: list[str] = field(default_factory=list)
    created_at: int | None = None
    updated_at: int = 0
    first_seen_at: int = 0
    source: Source | None = None
    caps: Caps | None = None

    def book(self, kind: AddressKind) -> Book:
        """The phones or the emails."""
        return self.phones if kind == "phone" else self.emails

    def learn(self, event: Event) -> dict[AddressKind, set[str]]:
        """Take an event's traits, addresses and count in; returns addresses that are new."""
        if event.type == "track":
            self._count(event)
        for name, value in event.traits.items():
            self._set_trait(name, Trait(value, event.time, event.message_id))
        if not self.first_seen_at or event.time < self.first_seen_at:
            self.first_seen_at = event.time
        if not event.addresses:
            return {}
        return {kind: self.book(kind).add(mentions(event, kind)) for kind in KINDS}

    def _count(self, event: Event) -> None:
        stat = self.stats.get(event.name)
        if stat is not None:
            stat.count += 1
            stat.first = min(stat.first, event.time)
            stat.last = max(stat.last, event.time)
        elif len(self.stats) < EVENT_NAMES_MAX:
            self.stats[event.name] = Stat(1, event.time, event.time)

    def _set_trait(self, name: str, trait: Trait) -> None:
        old = self.traits.get(name)
        if old is None and len(self.traits) >= TRAITS_MAX:
            return
        if old is None or (trait.time, trait.message_id) >= (old.time, old.message_id):
            size = self.trait_characters + _characters(trait) - (_characters(old) if old else 0)
            if size <= TRAIT_CHARACTERS_MAX:
                self.traits[name] = trait
                self.trait_characters = size

    def has_room(self, journey: str) -> bool:
        """Whether one more start may be remembered; shadows take no room from live journeys."""
        if sum(map(len, self.journeys.values())) < FACTS_MAX // 100:
            return True
        alike = [k for name, k in self.journeys.items() if is_shadow(name) == is_shadow(journey)]
        every = [facts for keys in alike for facts in keys.values()]
        return sum(len(facts.starts) + len(facts.cancels) for facts in every) < FACTS_MAX

    def live_traits(self) -> dict[str, object]:
        """Traits as conditions and records see them."""
        return {name: t.value for name, t in self.traits.items() if t.value is not None}

    def join(self, other: "Profile") -> dict[AddressKind, set[str]]:
        """Take over what another side of a link or a merge knows; returns new addresses."""
        for name, trait in other.traits.items():
            self._set_trait(name, trait)
        for name, stat in other.stats.items():
            self._join_stat(name, stat)
        for journey, keys in other.journeys.items():
            mine = self.journeys.setdefault(journey, {})
            for key, facts in keys.items():
                mine.setdefault(key, Facts()).join(facts)
        for opt_out in other.opt_outs:
            self.remember(opt_out)
        self.waiting += [waiting for waiting in other.waiting if waiting not in self.waiting]
        self.sent |= other.sent
        self.postponed |= other.postponed
        if other.caps is not None:
            self.caps = self.caps or Caps()
            self.caps.join(other.caps)
        self.cases |= {k: max(t, self.cases.get(k, 0)) for k, t in other.cases.items()}
        self.seen.join(other.seen)
        _extend(self.user_ids, other.user_ids)
        _extend(self.devices, other.devices)
        _extend(self.handed, other.handed)
        self.created_at = _earliest(self.created_at, other.created_at)
        self.first_seen_at = _earliest(self.first_seen_at or None, other.first_seen_at or None) or 0
        return {kind: self.book(kind).add(other.book(kind).mentions) for kind in KINDS}

    def _join_stat(self, name: str, other: Stat) -> None:
        mine = self.stats.get(name)
        if mine is None:
            self.stats[name] = other
            return
        mine.count += other.count
        mine.first = min(mine.first, other.first)
        mine.last = max(mine.last, other.last)

    def remember(self, opt_out: OptOut) -> None:
        """Keep an opt-out event, for addresses that become known later."""
        for mine in self.opt_outs:
            if mine.claim == opt_out.claim:
                _extend(mine.applied, opt_out.applied)
                return
        self.opt_outs.append(opt_out)
        alike = [each for each in self.opt_outs if each.claim.channel == opt_out.claim.channel]
        if len(alike) > OPT_OUTS_MAX:
            self.opt_outs.remove(min(alike, key=lambda each: each.claim.order))

    def contact(self, who: Who) -> Contact | None:
        """As the `contacts` topic shows it; None without phone and email."""
        phones, emails = self.phones.known(), self.emails.known()
        if not phones and not emails:
            return None
        return Contact(
            who=who,
            anonymous_ids=tuple(self.devices),
            phone=self.phones.primary(),
            email=self.emails.primary(),
            phones=tuple(sorted(phones)),
            emails=tuple(sorted(emails)),
            traits=self.live_traits(),
            created_at=self.created_at or 0,
            updated_at=self.updated_at,
            first_seen_at=self.first_seen_at,
            source=self.source,
        )

    def bind(self, opt_out: OptOut, fresh: set[str]) -> list[str]:
        """The addresses among new ones that a remembered opt-out means.

        Where there was none when it came, all of the first ones that come, as those of the person
        that its device is linked to; else those that were known at its time already.
        """
        kind = CHANNEL_KIND[opt_out.claim.channel]
        known = self.book(kind).known()
        until = opt_out.claim.timestamp
        meant = [a for a in fresh if not opt_out.applied or known[a] <= until]
        bound = sorted(set(meant) - set(opt_out.applied))
        opt_out.applied += bound
        return bound


def _characters(trait: Trait) -> int:
    value = trait.value
    return len(value) if isinstance(value, str) else len(str(value))


def _extend(mine: list[str], others: Iterable[str]) -> None:
    mine += [other for other in others if other not in mine]


def _earliest(one: int | None, other: int | None) -> int | None:
    given = [value for value in (one, other) if value is not None]
    return min(given, default=None)
