"""Topics, groups and keys: every name that is made of `PIPELINE_PREFIX`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """Every name under which the pipeline is known outside, with the prefix before it."""

    prefix: str = ""

    def of(self, name: str) -> str:
        """The name with the prefix."""
        return self.prefix + name

    @property
    def raw(self) -> str:
        """The topic that any producer writes Segment events to."""
        return self.of("segment.raw")

    @property
    def events(self) -> str:
        """The topic of what entities are told."""
        return self.of("segment.events")

    @property
    def triggers(self) -> str:
        """The topic of triggers and retractions."""
        return self.of("journey.triggers")

    @property
    def decisions(self) -> str:
        """The topic of the outcome of every wait."""
        return self.of("journey.decisions")

    @property
    def shadow(self) -> str:
        """The topic of what journeys in shadow would have sent and decided."""
        return self.of("journey.shadow")

    @property
    def contacts(self) -> str:
        """The compacted topic of contacts."""
        return self.of("contacts")

    @property
    def optins(self) -> str:
        """The compacted topic of opt-in states."""
        return self.of("optins")

    @property
    def evidence(self) -> str:
        """The topic of opt-ins and opt-outs, kept for ever."""
        return self.of("consent.evidence")

    @property
    def dead_letters(self) -> str:
        """The topic of what was refused."""
        return self.of("segment.dead-letter")

    @property
    def outbound(self) -> str:
        """The topic of our own happenings, for the feed back to Segment."""
        return self.of("segment.outbound")

    @property
    def worker_group(self) -> str:
        """The consumer group of the workers: of normalize and of the state agent."""
        return self.of("pipeline")

    @property
    def relay_group(self) -> str:
        """The group whose committed offsets are the places of the relays."""
        return self.of("relay")

    def transactional_id(self, partition: int) -> str:
        """Of the producer that owns a partition's outward records."""
        return self.of(f"relay-{partition}")

    def keys(self, partition: int) -> bytes:
        """What every Redis key of a partition begins with; the braces keep them in one slot."""
        return self.of(f"{{p{partition}}}:").encode()

    def pipeline_key(self, name: str) -> bytes:
        """A Redis key of the pipeline as a whole."""
        return self.of(f"{{pipeline}}:{name}").encode()
