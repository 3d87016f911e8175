"""What tells who somebody is: collected from events, so that it can be found wherever it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.domain.events import Event
from pipeline.domain.ids import at_path, key_text
from pipeline.process.capture.selection import Taken
from pipeline.rulebook.reading import Reading

PERSONAL: Final = frozenset(
    "firstname lastname middlename fullname name nickname username displayname title birthday"
    " birthdate dateofbirth dob ssn avatar street street2 addressline1 addressline2 city"
    " zip zipcode postalcode postcode company employer website description bio contact"
    " customername passport taxid accountnumber".split()
)
"""Names of fields, in lower case without `_` and `-`, whose texts are personal."""

_WORD_LEAST: Final = 3


@dataclass(slots=True)
class Identifiers:
    """Everything of the events that must not be seen again. `roles`: what an id was used as."""

    roles: dict[str, str] = field(default_factory=dict)
    messages: set[str] = field(default_factory=set)
    phones: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)
    ips: set[str] = field(default_factory=set)
    keys: dict[str, None] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, events: list[Taken], reading: Reading) -> "Identifiers":
        """Of all events, in their order."""
        made = cls()
        for taken in events:
            made._learn(taken.event, reading)
        return made

    def _learn(self, event: Event, reading: Reading) -> None:
        for id_, role in (
            (event.user_id, "user"),
            (event.anonymous_id, "device"),
            (event.previous_id, "user"),
        ):
            if id_ is not None:
                self.roles.setdefault(id_, role)
        self.messages.add(event.message_id)
        stated = [(fact.kind, fact.value) for fact in event.addresses]
        for kind, address in [*stated, *event.named.items()]:
            if address is not None:
                (self.phones if kind == "phone" else self.emails).add(address)
        ips = [event.ip, event.properties.get("ip"), *(entry.ip for entry in event.opt_ins)]
        self.ips |= {ip for ip in ips if isinstance(ip, str) and ip.strip()}
        self._learn_keys(event, reading)
        for holder in (event.traits, event.properties):
            self.words |= set(_words(holder))

    def _learn_keys(self, event: Event, reading: Reading) -> None:
        roots = {"properties": event.properties, "context": event.context}
        for path in sorted(reading.keys):
            key = key_text(at_path(roots, path))
            if key not in {None, "true", "false"} and not reading.judges(path):
                self.keys.setdefault(str(key))


def is_personal(name: str) -> bool:
    """Whether a field's name says that it holds something personal."""
    return name.lower().replace("_", "").replace("-", "") in PERSONAL


def _words(value: object, *, personal: bool = False) -> Iterator[str]:
    """Personal texts and the words they are made of."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _words(each, personal=personal or is_personal(name))
    elif isinstance(value, list):
        for each in value:
            yield from _words(each, personal=personal)
    elif isinstance(value, str) and personal:
        words = (value.strip(), *value.split())
        yield from (word for word in words if len(word) >= _WORD_LEAST)
