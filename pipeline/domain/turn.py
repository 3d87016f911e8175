"""One entity's turn: when it is, which rules are in force, and what the entity says in it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.domain.entities import Entity, Node
from pipeline.domain.events import Event
from pipeline.domain.messages import Message, Ref
from pipeline.domain.outputs import Output
from pipeline.domain.rules import NO_RULES, Journey, Rulebook
from pipeline.domain.versions import Versions


@dataclass(slots=True)
class Rules:
    """The rulebook in force, and every version of every journey that waits may be pinned to."""

    current: Rulebook = NO_RULES
    versions: dict[str, Versions] = field(default_factory=dict)
    _cancelling: dict[tuple[str, str | None], list[Journey]] = field(default_factory=dict)

    def know(self, rulebook: Rulebook) -> None:
        """Its journeys can be pinned from now on."""
        for journey in rulebook.journeys:
            self.of(journey.name)[journey.version] = journey
        self._cancelling.clear()
        for journey in (each for known in self.versions.values() for each in known.values()):
            for name in dict.fromkeys((each.type, each.name) for each in journey.unless):
                self._cancelling.setdefault(name, []).append(journey)

    def of(self, journey: str) -> Versions:
        """All versions of a journey, and what else holds for its waits."""
        return self.versions.setdefault(journey, Versions({}))

    def cancelled_by(self, event: Event) -> list[Journey]:
        """Versions of journeys for which the event may be a cancel, its condition left aside."""
        exact = self._cancelling.get((event.type, event.name), [])
        wide = self._cancelling.get((event.type, None), [])
        return exact + [journey for journey in wide if journey not in exact] if wide else exact


def _no_nodes(_: str) -> Node | None:
    return None


@dataclass(slots=True)
class Turn:
    """Collects what an entity says; nothing in it acts.

    `node` reads the directory, which is one entity in many pieces, in its own partition.
    """

    now: int
    rules: Rules
    node: Callable[[str], Node | None] = _no_nodes
    told: list[tuple[Ref, Message]] = field(default_factory=list)
    said: list[Output] = field(default_factory=list)
    changed: dict[Ref, Entity | None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def tell(self, to: Ref, message: Message) -> None:
        """Send another entity a record."""
        self.told.append((to, message))

    def say(self, output: Output) -> None:
        """Tell the world."""
        self.said.append(output)

    def count(self, what: str) -> None:
        """Note that something was dropped or could not be judged, by the reason's name."""
        self.counts[what] = self.counts.get(what, 0) + 1
