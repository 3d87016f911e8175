"""Fictional phone numbers that are from the same place: same country, states and time zones."""

from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Final

import phonenumbers

from pipeline.rulebook.phone_places import place_of_phone
from pipeline.wire.contact_points import read_phone

_NANP: Final = 1
_FICTIONAL: Final = 100
"""555-0100 to 555-0199 of every area code are kept for fiction."""
_KEPT_LEAST: Final = 4
"""Digits at the end that are always others than they were."""


class NoNumberLeft(ValueError):
    """There are more numbers of one area than fictional ones."""


def fictional(phone: str, taken: Collection[str]) -> str:
    """A number in place of an E.164 one, none of those taken, the least that will do.

    In North America 555-01xx of the same area code, elsewhere libphonenumber's example number of
    the country, or where that is from another place the shortest beginning of the number that
    tells its place, with other digits at the end. Raises `NoNumberLeft`.
    """
    for candidate in _candidates(phone):
        if candidate != phone and candidate not in taken:
            return candidate
    raise NoNumberLeft(phone[:-_KEPT_LEAST])


def _candidates(phone: str) -> Iterator[str]:
    parsed = phonenumbers.parse(phone)
    if parsed.country_code == _NANP:
        area = str(parsed.national_number)[:3]
        yield from (f"+1{area}55501{n:02d}" for n in range(_FICTIONAL))
        return
    stem = _stem(phone)
    width = len(phone) - len(stem)
    yield from (f"{stem}{n:0{width}d}" for n in range(10 ** min(width, _KEPT_LEAST)))


@lru_cache(maxsize=4096)
def _stem(phone: str) -> str:
    """What stays at the beginning, so that the rest may be any digits."""
    example = _example(phone)
    if example is not None and _alike(phone, stem := example[:-_KEPT_LEAST], len(example)):
        return stem
    first = len(f"+{phonenumbers.parse(phone).country_code}")
    last = max(first, len(phone) - _KEPT_LEAST)
    stems = (phone[:end] for end in range(first, last + 1))
    return next((stem for stem in stems if _alike(phone, stem, len(phone))), phone[:last])


def _alike(phone: str, stem: str, length: int) -> bool:
    """Whether numbers that begin so are possible ones from the same place."""
    made = f"{stem}{'0' * (length - len(stem))}"
    return read_phone(made, "US") == made and place_of_phone(made) == place_of_phone(phone)


def _example(phone: str) -> str | None:
    parsed = phonenumbers.parse(phone)
    region = phonenumbers.region_code_for_number(parsed)
    if region is None:
        return None
    kind = phonenumbers.number_type(parsed)
    example = phonenumbers.example_number_for_type(region, kind)
    if example is None:
        return None
    return phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
