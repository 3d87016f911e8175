"""Finds who an id, a phone or an email is, the way records find them: along merges and links."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pipeline.commands.open_waits import OpenStep, open_steps
from pipeline.commands.past import Past
from pipeline.commands.reach import read_entity
from pipeline.domain.entities import Address, Case, Device, Entity, Person
from pipeline.domain.profile import KINDS, Profile
from pipeline.domain.refs import Ref
from pipeline.domain.shadow import is_shadow
from pipeline.domain.turn import Rules
from pipeline.wire.contact_points import read_email, read_phone
from pipeline.wire.state import entity_key, partition_of

_HOPS_MAX: Final = 64
_EVER: Final = 2**52


@dataclass(slots=True)
class Found:
    """Who was found, by what, and everything the store has of them."""

    ref: Ref
    via: list[str]
    profile: Profile
    erased: bool = False
    addresses: dict[str, Address] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)

    @property
    def own_ids(self) -> set[str]:
        """Every id that records about them may carry."""
        return {self.ref.id, *self.profile.user_ids, *self.profile.devices}

    def open_steps(self, rules: Rules) -> list[OpenStep]:
        """What they wait for, in order of time; a case's waits only where the anchor is theirs.

        Of live journeys: what is decided in shadow comes to nobody.
        """
        steps: list[OpenStep] = []
        for journey, keys in self.profile.journeys.items():
            for key, facts in keys.items():
                steps += open_steps(journey, key, facts, rules)
        holders = {self.ref.id, *self.profile.user_ids, *self.profile.handed}
        for case in self.cases:
            theirs = [start for start in case.facts.starts if start.holder_id in holders]
            steps += open_steps(case.journey, case.key, case.facts, rules, theirs)
        live = (step for step in steps if not is_shadow(step.journey))
        return sorted(live, key=lambda open_: (open_.wait.due(open_.step), open_.journey))


class People:
    """Looks people up in the store."""

    def __init__(self, past: Past) -> None:
        self._store = past.store
        self._partitions = past.settings.partitions
        self._region = past.settings.region

    async def entity(self, ref: Ref) -> Entity | None:
        """One entity."""
        (value,) = await self._store.load(partition_of(ref, self._partitions), [entity_key(ref)])
        return None if value is None else read_entity(value)

    async def find(self, id_: str) -> list[Found]:
        """Whose a userId, anonymousId, phone or email is: mostly one, of a shared phone several."""
        found = await self._person(id_, [f"userId {id_}"])
        if found is None:
            found = await self._device(id_, [f"anonymousId {id_}"])
        if found is not None:
            return [await self._complete(found)]
        people: list[Found] = []
        for address in self.addresses(id_):
            entity = await self.entity(Ref("address", address))
            if not isinstance(entity, Address):
                continue
            for user_id in entity.user_ids:
                one = await self._person(user_id, [f"{entity.kind} {address}", f"userId {user_id}"])
                if one is not None and one.ref not in {other.ref for other in people}:
                    people.append(one)
            if not entity.user_ids and (entity.consents or entity.open):
                ref = Ref("address", address)
                people.append(Found(ref, [f"{entity.kind} {address}"], Profile()))
        return [await self._complete(one) for one in people]

    async def erased(self, ref: Ref) -> bool:
        """Whether the erasure of a person or device was taken."""
        entity = await self.entity(ref)
        return isinstance(entity, Person | Device) and entity.erased

    def addresses(self, text: str) -> list[str]:
        """The phone and the email that a text may be."""
        read = (read_phone(text, self._region), read_email(text))
        return [address for address in read if address is not None]

    async def _person(self, user_id: str, via: list[str]) -> Found | None:
        for _ in range(_HOPS_MAX):
            entity = await self.entity(Ref("person", user_id))
            if not isinstance(entity, Person):
                return None
            if entity.merged_into is None:
                return Found(Ref("person", user_id), via, entity.profile, entity.erased)
            user_id = entity.merged_into
            via = [*via, f"merged into userId {user_id}"]
        return None

    async def _device(self, anonymous_id: str, via: list[str]) -> Found | None:
        entity = await self.entity(Ref("device", anonymous_id))
        if not isinstance(entity, Device):
            return None
        owner = entity.owner(_EVER)
        if owner is None or entity.erased:
            return Found(Ref("device", anonymous_id), via, entity.profile, entity.erased)
        found = await self._person(owner, [*via, f"linked to userId {owner}"])
        return found or Found(Ref("device", anonymous_id), via, entity.profile)

    async def _complete(self, found: Found) -> Found:
        profile = found.profile
        known = [a for kind in KINDS for a in sorted(profile.book(kind).known())]
        if found.ref.kind == "address":
            known = [found.ref.id]
        found.addresses = await self._all(known)
        for case in profile.cases:
            entity = await self.entity(Ref("case", case))
            if isinstance(entity, Case):
                found.cases.append(entity)
        return found

    async def _all(self, addresses: Iterable[str]) -> dict[str, Address]:
        found: dict[str, Address] = {}
        for address in addresses:
            entity = await self.entity(Ref("address", address))
            if isinstance(entity, Address):
                found[address] = entity
        return found
