"""Where a phone number is from: by our table of area codes, outside the US by libphonenumber."""

from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import timezone

from pipeline.rulebook.clocks import zone_names, zones_of_countries
from pipeline.rulebook.us_places import us_places

_NANP: Final = 1


class PhonePlace(NamedTuple):
    """What a phone number says. `zones` only where it says more than its country does."""

    countries: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    nanp: bool = True


@lru_cache(maxsize=65536)
def place_of_phone(phone: str) -> PhonePlace:
    """What is known of it, nothing for what is no number."""
    try:
        parsed = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return PhonePlace()
    nanp = parsed.country_code == _NANP
    if nanp and (area := us_places().areas.get(str(parsed.national_number)[:3])):
        return PhonePlace(("US",), area.states, area.zones)
    country = phonenumbers.region_code_for_number(parsed)
    countries = (country,) if country in zones_of_countries() else _sharing(parsed.country_code)
    if not phonenumbers.is_number_geographical(parsed):
        return PhonePlace(countries, nanp=nanp)
    zones = timezone.time_zones_for_geographical_number(parsed)
    known = tuple(zone for zone in zones if zone.lower() in zone_names())
    return PhonePlace(countries, (), known, nanp)


def _sharing(code: int | None) -> tuple[str, ...]:
    """The countries of a calling code; North America's twenty are as good as none."""
    known = phonenumbers.region_codes_for_country_code(code) if code else ()
    return tuple(known) if code != _NANP and "001" not in known else ()
