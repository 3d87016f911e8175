"""What somebody did: a Segment call after decoding, the only form in which the rules see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

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


class Details:
    """Properties and context of a call, as its producer wrote them; not to be changed.

    Hardly any rule reads them, so that `wire` decodes them when they are asked for.
    """

    __slots__ = ("context", "properties")

    def __init__(self, properties: dict[str, object], context: dict[str, object]) -> None:
        """Of one call."""
        self.properties = properties
        self.context = context

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Details):
            return NotImplemented
        return self.properties == other.properties and self.context == other.context

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Details({self.properties}, {self.context})"


_NO_DETAILS: Final = Details({}, {})
_NO_TRAITS: Final[dict[str, object]] = {}
_NONE_NAMED: Final[dict[str, str | None]] = {}


class Event(NamedTuple):
    """One call. A tuple, since it is made and read more often than anything else.

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
    index: int = 0  # type: ignore[assignment]  # tuples have a method of this name
    details: Details = _NO_DETAILS
    traits: dict[str, object] = _NO_TRAITS
    addresses: tuple[AddressFact, ...] = ()
    opt_ins: tuple[OptInEntry, ...] = ()
    named: dict[str, str | None] = _NONE_NAMED
    previous_id: str | None = None

    @property
    def properties(self) -> dict[str, object]:
        """As its producer wrote them; of a group call its traits."""
        return self.details.properties

    @property
    def context(self) -> dict[str, object]:
        """As its producer wrote it, without traits."""
        return self.details.context

    @property
    def own_id(self) -> str:
        """The id it came under: userId, else anonymousId; empty for nobody's."""
        return self.user_id or self.anonymous_id or ""

    @property
    def ip(self) -> str | None:
        """The caller's address as Segment's servers or a server-side SDK noted it."""
        value = self.context.get("ip")
        return value if isinstance(value, str) and value.strip() else None
