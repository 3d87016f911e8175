"""What entities say of each other, when nothing is on its way: each is told by messages alone."""

from collections.abc import Iterable, Iterator

from pipeline.domain.entities import Address, Device, Person
from tests.simulation.kept import Kept


def disagreements(all_: Iterable[Kept]) -> Iterator[str]:
    """Of all partitions together."""
    people: dict[str, Person] = {}
    devices: dict[str, Device] = {}
    addresses: dict[str, Address] = {}
    for _, _, ref, entity in all_:
        if isinstance(entity, Person):
            people[ref.id] = entity
        elif isinstance(entity, Device):
            devices[ref.id] = entity
        elif isinstance(entity, Address):
            addresses[ref.id] = entity
    yield from _holders(people, addresses)
    yield from _merged(people)
    yield from _linked(people, devices)


def _holders(people: dict[str, Person], addresses: dict[str, Address]) -> Iterator[str]:
    """An address knows who has it."""
    has: dict[str, set[str]] = {}
    for user_id, person in people.items():
        for book in (person.profile.phones, person.profile.emails):
            for address in book.known():
                has.setdefault(address, set()).add(user_id)
    for address, entity in addresses.items():
        holders = has.get(address, set())
        if set(entity.user_ids) != holders:
            yield f"{address} is told that {entity.user_ids} have it, and {sorted(holders)} do"


def _merged(people: dict[str, Person]) -> Iterator[str]:
    """Who goes on for others knows all their ids, and they keep nothing."""
    for user_id, person in people.items():
        heir = _heir(people, user_id)
        if person.merged_into is None or _gone(people, heir):
            continue
        if user_id not in people[heir].profile.user_ids:
            yield f"{user_id} was merged into {heir}, who does not know"
        if person.profile.first_seen_at or person.profile.journeys:
            yield f"{user_id} was merged into {heir}, and still has something"


def _linked(people: dict[str, Person], devices: dict[str, Device]) -> Iterator[str]:
    """Who has a device knows it: an erasure must find it."""
    for name, device in devices.items():
        for link in device.links:
            heir = _heir(people, link.user_id)
            if not _gone(people, heir) and name not in people[heir].profile.devices:
                yield f"{name} is linked to {link.user_id}, and {heir} does not know"


def _gone(people: dict[str, Person], user_id: str) -> bool:
    """Erased: nothing is kept under the id itself."""
    return user_id not in people or people[user_id].erased


def _heir(people: dict[str, Person], user_id: str) -> str:
    while user_id in people and (into := people[user_id].merged_into) is not None:
        user_id = into
    return user_id
