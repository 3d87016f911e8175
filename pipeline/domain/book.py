"""The phones or emails of one person: which are known, and which is primary when (rule 15)."""

from bisect import insort
from dataclasses import dataclass, field
from typing import Final

from pipeline.domain.events import AddressKind, Event, Via

FACTS_MAX: Final = 64
"""Of one kind; beyond it the oldest that tells least is dropped, so a profile stays bounded."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One call's word on one phone or email. `value` None: the trait was null."""

    time: int
    message_id: str
    via: Via
    value: str | None

    @property
    def newness(self) -> tuple[int, bool, str]:
        """Event time; equal times: the flag, then the greater messageId."""
        return (self.time, self.via in {"primary", "not_primary"}, self.message_id)


@dataclass(slots=True)
class Book:
    """All mentions of one kind of address; `add` keeps them in order of newness."""

    mentions: list[Mention] = field(default_factory=list)

    def known(self) -> dict[str, int]:
        """Every address the person has or had, and the event time from which on it is known."""
        first: dict[str, int] = {}
        for mention in self.mentions:
            value = mention.value
            if value is not None and (value not in first or mention.time < first[value]):
                first[value] = mention.time
        return first

    def primary(self, at: int | None = None) -> str | None:
        """The primary address at an event time, or as of all that is known."""
        mentions = [m for m in self.mentions if at is None or m.time <= at]
        flags: dict[str, Mention] = {}
        for mention in mentions:
            if mention.via in {"primary", "not_primary"} and mention.value is not None:
                flag = flags.get(mention.value)
                if flag is None or mention.newness >= flag.newness:
                    flags[mention.value] = mention
        candidates = [m for m in mentions if m.via == "trait"]
        candidates += [m for m in flags.values() if m.via == "primary"]
        if candidates:
            latest = max(m.time for m in candidates)
            candidates = [m for m in candidates if m.time == latest]
            newest = max(m.newness for m in candidates)
            values = [m.value for m in candidates if m.newness == newest]
            return min((v for v in values if v is not None), default=None)
        first = Book(mentions).known()
        return min(first, key=lambda value: (first[value], value), default=None)

    def add(self, mentions: list[Mention]) -> set[str]:
        """Take mentions in; returns the addresses not known before, or not from so early on."""
        before = self.known()
        for mention in mentions:
            # traits are sent again and again: comparing times first spares the most
            if mention not in [m for m in self.mentions if m.time == mention.time]:
                insort(self.mentions, mention, key=lambda m: (m.newness, m.value or ""))
        while len(self.mentions) > FACTS_MAX:
            del self.mentions[self._tells_least()]
        return {value for value, time in self.known().items() if time != before.get(value)}

    def _tells_least(self) -> int:
        """The oldest mention between two that say the same; else the oldest but one."""
        said = [(m.via, m.value) for m in self.mentions]
        inner = range(1, len(said) - 1)
        return next((i for i in inner if said[i - 1] == said[i] == said[i + 1]), 1)


def mentions(event: Event, kind: AddressKind) -> list[Mention]:
    """What a call says about addresses of a kind; what is no possible one says nothing."""
    return [
        Mention(event.time, event.message_id, fact.via, fact.value)
        for fact in event.addresses
        if fact.kind == kind and fact.via != "unusable"
    ]
