"""Of an address only what decides time zones and regions: country, state, the ZIP code's area."""

from typing import Final

from pipeline.rulebook.clocks import zone_names
from pipeline.rulebook.us_places import us_places
from pipeline.rulebook.zones import locate

_COUNTRY: Final = frozenset({"country", "countrycode"})
_STATE: Final = frozenset({"state", "region", "province"})
_POSTAL: Final = frozenset({"postalcode", "postcode", "zipcode", "zip"})
_ZIP: Final = 5
_AREA: Final = 3


def place_part(name: str, value: object) -> str | None:
    """What stays of a field of this name in an address or among traits; None for nothing."""
    folded = name.lower().replace("_", "")
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = f"{value:05d}" if isinstance(value, int) else value.strip()
    if folded == "timezone":
        return zone_names().get(text.lower())
    if folded in _COUNTRY and locate({"country": text}, None, {}).regions:
        return text
    if folded in _STATE:
        return us_places().state(text)
    return _zip(text) if folded in _POSTAL else None


def _zip(text: str) -> str | None:
    digits, _, more = text.partition("-")
    plain = digits.isascii() and digits.isdecimal() and len(digits) == _ZIP
    if not plain or len(more) >= _ZIP or digits[:_AREA] not in us_places().zips:
        return None
    return digits[:_AREA] + "00"
