"""What somebody did: a Segment call after decoding, the only form in which the rules see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

CallType: TypeAlias = Literal["identify", "track", "page", "screen", "group", "alias"]
AddressKind: TypeAlias = Literal["phone", "email"]
Channel: TypeAlias = Literal["voice", "sms", "email"]
Via: TypeAlias = Literal["trait", "primary", "not_primary", "known", "unusable"]

CHANNEL_KIND: Mapping[Channel, AddressKind] = {"voice": "phone", "sms": "phone", "email": "email"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where in Kafka something stands."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class AddressFact:
    """A phone or email as one call states it (rule 15).

    `via`: the `phone` or `email` trait (`value` None: the trait was null), an `isPrimary` flag of
    a `phones`/`emails` object set or taken back, a number merely listed there, or `unusable`: the
    trait was given and is no possible phone or email.
    """

    kind: AddressKind
    value: str | None
    via: Via


@dataclass(frozen=True, slots=True)
class OptInEntry:
    """One entry of an `optIn` array, or a `voiceOptIn`/`smsOptIn`/`emailOptIn` object.

    What could not be read is None: the rules decide what that means. `address` is the one the
    entry stands under or that its call names; `named` tells that the call names one at all.
    """

    channel: Channel | None
    subscribed: bool | None
    timestamp: int | None
    ip: str | None
    source: str | None
    text: str | None
    address: str | None
    named: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One call.

    `time` is the event time of rule 1, `kafka_time` the raw record's; `index` is the place in a
    batch envelope. `name` is the event of a track call and the name of a page or screen. `named`
    holds the phone and email among a track call's properties, None where it is no possible one.
    `traits` are those of an identify call, standard ones under their camelCase name, without
    optIn, phones and emails.
    """

    type: CallType
    name: str
    user_id: str | None
    anonymous_id: str | None
    message_id: str
    time: int
    kafka_time: int
    source: Source
    index: int = 0
    properties: dict[str, object] = field(default_factory=dict)
    context: dict[str, object] = field(default_factory=dict)
    traits: dict[str, object] = field(default_factory=dict)
    addresses: tuple[AddressFact, ...] = ()
    opt_ins: tuple[OptInEntry, ...] = ()
    named: dict[str, str | None] = field(default_factory=dict)
    previous_id: str | None = None

    @property
    def own_id(self) -> str:
        """The id it came under: userId, else anonymousId; empty for nobody's."""
        return self.user_id or self.anonymous_id or ""

    @property
    def ip(self) -> str | None:
        """The caller's address as Segment's servers or a server-side SDK noted it."""
        value = self.context.get("ip")
        return value if isinstance(value, str) and value.strip() else None
