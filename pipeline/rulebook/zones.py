"""Where somebody is: time zones and regions, by a documented order of evidence.

The zone: traits.timezone, address.postalCode, address.state, the phone number, context.timezone,
the country. The first that says anything counts; where it leaves several zones open, all of them
are possible. A mobile number that says no more than its country is no better than the country.
The region: address.state and address.postalCode (both, where they contradict each other), the
state of the phone's area code, address.country, the phone's country.

A postal code or a state is one of the US only in an address that says so, or that says no country
and does not stand beside a phone number from outside North America. A phone from another country
than the address is no evidence of a zone.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from pipeline.domain.calling_rules import Clock, Place
from pipeline.rulebook.clocks import clock, country_names, zone_names, zones_of_countries
from pipeline.rulebook.phone_places import PhonePlace, place_of_phone
from pipeline.rulebook.us_places import Prefix, us_places

NOWHERE: Final = Prefix()
_OUTER: Final = frozenset({"PR", "VI", "GU", "AS", "MP"})
"""Territories that ISO 3166 has as countries, too: no zone of theirs is one of "the US"."""

_POSTAL: Final = ("postalCode", "postal_code", "postcode", "zipCode", "zip_code", "zipcode", "zip")
_COUNTRY: Final = ("countryCode", "country_code", "country")
_STATE: Final = ("state", "region", "province")
_ALIASES: Final = {"usa": "US", "u.s.": "US", "u.s.a.": "US", "united states of america": "US"} | {
    "uk": "GB", "united kingdom": "GB", "great britain": "GB", "england": "GB",
}  # fmt: skip


class WorldAtlas:
    """Fulfils `domain.calling_rules.Atlas`."""

    def clock(self, zone: str) -> Clock:
        """The clock of a zone."""
        return clock(zone)

    def locate(
        self, traits: Mapping[str, object], phone: str | None, context: Mapping[str, object]
    ) -> Place:
        """Where somebody is, as the module says."""
        return locate(traits, phone, context)


ATLAS: Final = WorldAtlas()


def locate(traits: Mapping[str, object], phone: str | None, context: Mapping[str, object]) -> Place:
    """Zones and regions, with what they were taken from."""
    number = place_of_phone(phone) if phone else PhonePlace()
    country, state = _country(_from(traits, _COUNTRY)), None
    if country in _OUTER:
        country, state = "US", country
    elif country == "US" or (country is None and number.nanp):
        state = us_places().state(_from(traits, _STATE))
    # five digits alone may be anywhere's
    us_zip = "US" in {country, *(() if country else number.countries)} or state is not None
    by_zip = _zip(_from(traits, _POSTAL)) if us_zip else NOWHERE
    countries = (country,) if country else ("US",) if state else number.countries
    by_number = tuple(f"US-{each}" for each in number.states) or number.countries
    if number.countries and not set(countries) & set(number.countries):
        number = PhonePlace()
    zones = _zones(traits, context, number, state, by_zip, countries)
    return Place(*zones, *_regions(number, state, by_zip, countries), by_number)


def _zones(
    traits: Mapping[str, object],
    context: Mapping[str, object],
    number: PhonePlace,
    state: str | None,
    by_zip: Prefix,
    countries: tuple[str, ...],
) -> tuple[tuple[str, ...], str]:
    found: list[tuple[tuple[str, ...], str]] = [
        (_named(traits.get("timezone")), "traits.timezone"),
        (by_zip.zones, "address.postalCode"),
        (us_places().states[state] if state else (), "address.state"),
        (number.zones, "phone"),
        (_named(context.get("timezone")), "context.timezone"),
        (tuple(zone for each in countries for zone in _of_country(each)), "country"),
    ]
    return next((each for each in found if each[0]), ((), "unknown"))


def _regions(
    number: PhonePlace,
    state: str | None,
    by_zip: Prefix,
    countries: tuple[str, ...],
) -> tuple[tuple[str, ...], str]:
    states = by_zip.states
    if state is not None:
        states = (state,) if state in states else (state, *states)
    if states:
        source = "address.state" if state is not None else "address.postalCode"
        return tuple(f"US-{each}" for each in states), source
    if number.states:
        return tuple(f"US-{each}" for each in number.states), "phone"
    return countries, "country" if countries else "unknown"


def _from(traits: Mapping[str, object], keys: tuple[str, ...]) -> str:
    """Of the address, else of the traits themselves, as text; empty for nothing."""
    address = traits.get("address")
    holders: list[Mapping[str, object]] = [traits]
    if isinstance(address, Mapping):
        holders.insert(0, address)
    for value in (holder.get(key) for holder in holders for key in keys):
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, int) and not isinstance(value, bool):
            # a ZIP code that was taken for a number has lost its zeros
            return f"{value:05d}"
    return ""


def _country(text: str) -> str | None:
    code = text.upper()
    if code in zones_of_countries():
        return code
    return _ALIASES.get(text.lower()) or country_names().get(text.lower())


def _zip(text: str) -> Prefix:
    digits, _, more = text.partition("-")
    plain = digits.isascii() and digits.isdigit() and len(digits) == 5  # noqa: PLR2004
    return us_places().zips.get(digits[:3], NOWHERE) if plain and len(more) <= 4 else NOWHERE  # noqa: PLR2004


def _named(value: object) -> tuple[str, ...]:
    """A zone by its IANA name."""
    name = zone_names().get(value.strip().lower()) if isinstance(value, str) else None
    return (name,) if name else ()


@lru_cache(maxsize=512)
def _of_country(country: str) -> tuple[str, ...]:
    if country == "US":
        states = us_places().states
        zones = (zone for state in states if state not in _OUTER for zone in states[state])
        return tuple(dict.fromkeys(zones))
    return zones_of_countries().get(country, ())
