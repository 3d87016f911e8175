"""Traits of an identify call in one form: standard ones under Segment's camelCase names.

Only documented spellings are folded (Segment's and Regal's pages, and those that real payloads
have side by side); every other trait is custom and keeps its name and value, null included.
"""

from collections.abc import Mapping
from typing import Final

_STANDARD: Final = {
    "first_name": "firstName",
    "firstname": "firstName",
    "last_name": "lastName",
    "lastname": "lastName",
    "created_at": "createdAt",
    "opt_in": "optIn",
}
_ADDRESS: Final = {
    "addressline1": "street",
    "street": "street",
    "city": "city",
    "stateprovincecounty": "state",
    "state": "state",
    "ziporpostcode": "postalCode",
    "postalcode": "postalCode",
    "zipcode": "postalCode",
    "zip": "postalCode",
    "countryid": "country",
    "country": "country",
}
"""By name in lower case without underscores."""
_NESTED: Final = "traits"


def read_traits(call: Mapping[str, object], context: Mapping[str, object]) -> dict[str, object]:
    """The call's own traits over those of its context (where RudderStack's SDKs put them)."""
    traits = _folded(context.get("traits")) | _folded(call.get("traits"))
    address = traits.get("address")
    if isinstance(address, dict):
        traits["address"] = fold_address(address)
    return traits


def _folded(given: object) -> dict[str, object]:
    """One spelling each; `traits` within traits, as Regal's page has them, count as the outer's."""
    if not isinstance(given, dict):
        return {}
    nested = given.get(_NESTED)
    if not isinstance(nested, dict):
        return _spelled(given)
    return _spelled(nested) | _spelled({k: v for k, v in given.items() if k != _NESTED})


def _spelled(given: dict[str, object]) -> dict[str, object]:
    if _STANDARD.keys().isdisjoint(given):
        return given
    traits = {name: value for name, value in given.items() if name not in _STANDARD}
    for spelling, name in _STANDARD.items():
        if spelling in given:
            traits.setdefault(name, given[spelling])
    return traits


def fold_address(given: Mapping[str, object]) -> dict[str, object]:
    """Segment's {street, city, state, postalCode, country}; other parts keep their names.

    Segment's own spelling wins over others in the same address, else the first one does.
    """
    address = {name: given[name] for name in _ADDRESS.values() if name in given}
    for spelling, value in given.items():
        address.setdefault(_ADDRESS.get(spelling.replace("_", "").lower(), spelling), value)
    return address
