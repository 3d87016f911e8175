"""One start of a journey and every record about it, put together by its anchor event."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipeline.commands.raw_events import Arrived, Place, place_of
from pipeline.commands.redaction import redacted

Json = dict[str, Any]


@dataclass(slots=True)
class Story:
    """All records about one anchor of one journey, each as it was written.

    `evidence` are the opt-ins and opt-outs of the addresses and channels that it was about.
    `erased`: whose it is was erased; then nothing but ids, places and verdicts is in it.
    """

    journey: str
    key: str | None
    anchor: Json
    raw: Arrived | None = None
    erased: bool = False
    decisions: list[Json] = field(default_factory=list)
    triggers: list[Json] = field(default_factory=list)
    retractions: list[Json] = field(default_factory=list)
    waiting: list[Json] = field(default_factory=list)
    held: list[Json] = field(default_factory=list)
    evidence: list[Json] = field(default_factory=list)

    @property
    def version(self) -> int:
        """The version of the journey that it went by."""
        records = self.decisions + self.triggers + self.waiting + self.held
        return int(records[-1]["version"])

    @property
    def who(self) -> set[tuple[str, str]]:
        """Whose it is, as the records named them: a userId or an anonymousId."""
        found = set()
        for record in self.decisions + self.triggers:
            for name in ("userId", "anonymousId"):
                if record[name] is not None:
                    found.add((name, record[name]))
        return found

    @property
    def addresses(self) -> set[tuple[str, str]]:
        """Where it went or would have gone, and by which channel."""
        records = self.decisions + self.triggers + self.held
        pairs = ((record.get("to"), record.get("channel")) for record in records)
        return {(to, channel) for to, channel in pairs if to is not None and channel is not None}

    def places(self) -> set[Place]:
        """Where the events that it names stand in the raw topic."""
        causes = [each.get("cause") for each in (*self.decisions, *self.retractions)]
        named = [self.anchor, *(cause for cause in causes if cause is not None)]
        return {place_of(event["source"]) for event in named}

    def redact(self) -> None:
        """Keep of somebody who was erased what proves that it was so, not what it said."""
        self.erased, self.raw, self.key = True, None, None
        self.decisions = [redacted(each) for each in self.decisions]
        self.triggers = [redacted(each) for each in self.triggers]
        self.retractions = [redacted(each) for each in self.retractions]
        self.evidence = []


class Pile:
    """Stories by anchor, as records come in."""

    def __init__(self) -> None:
        self._stories: dict[tuple[str, str, Place], Story] = {}
        self._by_id: dict[str, Story] = {}

    def of(self, record: Json) -> Story:
        """The story of a record that names its anchor."""
        anchor = record["anchor"]
        name = (record["journey"], anchor["messageId"], place_of(anchor["source"]))
        made = self._stories.setdefault(name, Story(record["journey"], record["key"], anchor))
        self._by_id[record["id"]] = made
        return made

    def add(self, decisions: Iterable[Json], sent: Iterable[Json]) -> None:
        """Decisions, and triggers with their retractions, which come behind them."""
        for record in decisions:
            self.of(record).decisions.append(record)
        for record in sent:
            if record["type"] == "trigger":
                self.of(record).triggers.append(record)
            elif record["id"] in self._by_id:
                self._by_id[record["id"]].retractions.append(record)

    def all(self) -> list[Story]:
        """In order of what began them."""
        return sorted(self._stories.values(), key=lambda each: each.anchor["timestamp"])
