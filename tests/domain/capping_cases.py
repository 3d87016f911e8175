"""Two phones that have opted in, a journey of low and one of high priority, and a limit."""

import random
from typing import Any, Final

from pipeline.domain.entities import Address, Person
from pipeline.domain.events import AddressFact, Details, Event, Source
from pipeline.domain.outputs import Consent, Decision
from pipeline.domain.refs import Ref
from pipeline.domain.turn import Rules
from pipeline.rulebook.compile import canonical_document, compile_rulebook
from tests.domain.network import Network

BEGIN: Final = 1_772_550_000_000
PHONES: Final = ("+12125550100", "+12125550101")
SOURCE: Final = Source("segment.raw", 0, 0)


def rules(cooldown: str, calling: dict[str, Any] | None) -> Rules:
    journeys = [
        {
            "journey": name,
            "version": 1,
            "priority": priority,
            "key": "properties.id",
            "match": match,
            "start": {"event": name},
            "unless": [{"event": f"not {name}"}],
            "steps": [
                {"after": "1h", "channel": "voice", "expires": "3d", "cooldown": cooldown},
            ],
        }
        for name, priority, match in (("low", -1, "person"), ("high", 1, "key"))
    ]
    content: dict[str, Any] = {"journeys": journeys}
    document = canonical_document(content | ({"calling": calling} if calling else {}))
    made = Rules(compile_rulebook(document))
    made.know(made.current)
    return made


def network(
    most: int = 1,
    *,
    scope: str = "person",
    cooldown: str = "0s",
    calling: dict[str, Any] | None = None,
) -> Network:
    """Two phones that have opted in, and nobody who has them."""
    calling = calling or {"limits": [{"max": most, "per": "1d", "scope": scope}]}
    consent = Consent("voice", True, 1, None, None, None, SOURCE)  # noqa: FBT003
    made = Network(rules(cooldown, calling), BEGIN)
    for phone in PHONES:
        made.entities[Ref("address", phone)] = Address(consents={"voice": consent})
    return made


def event(made: Network, user: str, name: str, number: int, **more: Any) -> Event:
    return Event(
        type="track",
        name=name,
        user_id=user,
        anonymous_id=None,
        message_id=f"{number} {name}",
        time=made.now,
        kafka_time=made.now,
        source=SOURCE,
        details=Details({"id": str(number)}, {}),
        **more,
    )


def phone(made: Network, user: str, number: str, state: str = "NY") -> Event:
    return Event(
        type="identify",
        name="",
        user_id=user,
        anonymous_id=None,
        message_id=f"phone{made.now}",
        traits={"address": {"state": state}},
        time=made.now,
        kafka_time=made.now,
        source=SOURCE,
        addresses=(AddressFact("phone", number, "trait"),),
    )


def person(made: Network, user: str) -> Person:
    entity = made.entities[Ref("person", user)]
    assert isinstance(entity, Person)
    return entity


def keys(made: Network, outcome: str) -> list[str | None]:
    """The keys of the decisions of an outcome, in order."""
    return [
        said.key for said in made.said if isinstance(said, Decision) and said.outcome == outcome
    ]


def run(made: Network, chance: random.Random, until: int) -> None:
    """Let time pass, tick by tick."""
    made.settle(chance)
    while (due := made.next_due()) is not None and due <= until:
        made.now = max(made.now, due)
        assert made.tick()
        made.settle(chance)
    made.now = until
