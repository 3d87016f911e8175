"""One entity's turn: when it is, which rules are in force, and what the entity says in it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.domain.entities import Entity, Node
from pipeline.domain.events import Event
from pipeline.domain.messages import Message
from pipeline.domain.outputs import Output
from pipeline.domain.refs import Ref
from pipeline.domain.rules import NO_RULES, ByEvent, Journey, Rulebook
from pipeline.domain.versions import Versions


@dataclass(slots=True)
class Rules:
    """The rulebook in force, and every version of every journey that waits may be pinned to.

    `current` is one of those that are known.
    """

    current: Rulebook = NO_RULES
    versions: dict[str, Versions] = field(default_factory=dict)
    _cancelling: ByEvent = field(default_factory=ByEvent)
    _meant: dict[str, set[str | None]] = field(default_factory=dict)

    def know(self, rulebook: Rulebook) -> None:
        """Its journeys can be pinned from now on."""
        for journey in rulebook.journeys:
            self.of(journey.name)[journey.version] = journey
            for pattern in journey.start + journey.unless:
                self._meant.setdefault(pattern.type, set()).add(pattern.name)
        for rule in rulebook.consent:
            self._meant.setdefault("track", set()).add(rule.event)
        self._cancelling = ByEvent()
        for journey in (each for known in self.versions.values() for each in known.values()):
            self._cancelling.add(journey, journey.unless)

    def mean(self, event: Event) -> bool:
        """Whether any rule, in force or not, names the event: most events no rule does."""
        names = self._meant.get(event.type)
        return names is not None and (event.name in names or None in names)

    def of(self, journey: str) -> Versions:
        """All versions of a journey, and what else holds for its waits."""
        return self.versions.setdefault(journey, Versions({}))

    def cancelled_by(self, event: Event) -> list[Journey]:
        """Versions of journeys for which the event may be a cancel, its condition left aside."""
        return self._cancelling.of(event)


def _no_nodes(_: str) -> Node | None:
    return None


class Turn:
    """Collects what an entity says; nothing in it acts."""

    __slots__ = ("changed", "counts", "node", "now", "rules", "said", "told")

    def __init__(
        self, now: int, rules: Rules, node: Callable[[str], Node | None] = _no_nodes
    ) -> None:
        """`node` reads the directory, which is one entity in many pieces, in its own partition."""
        self.now = now
        self.rules = rules
        self.node = node
        self.told: list[tuple[Ref, Message]] = []
        self.said: list[Output] = []
        self.changed: dict[Ref, Entity | None] = {}
        self.counts: dict[str, int] = {}

    def tell(self, to: Ref, message: Message) -> None:
        """Send another entity a record."""
        self.told.append((to, message))

    def say(self, output: Output) -> None:
        """Tell the world."""
        self.said.append(output)

    def count(self, what: str) -> None:
        """Note that something was dropped or could not be judged, by the reason's name."""
        self.counts[what] = self.counts.get(what, 0) + 1
