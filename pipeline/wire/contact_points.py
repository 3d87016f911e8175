"""Phones and emails: how they are read, and what a call states about them (rule 15)."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers

from pipeline.domain.events import AddressFact, AddressKind, Via
from pipeline.domain.ids import key_text
from pipeline.wire.common_fields import pick, read_flag, trim

MAX_LISTED: Final = 100
"""Phones, and emails, that are read from one call."""

_LONGEST_PHONE: Final = 60
_LONGEST_EMAIL: Final = 254  # RFC 5321
_NOTHING: Final[Mapping[str, object]] = {}


def read_address(kind: AddressKind, value: object, region: str) -> str | None:
    """A phone as E.164 or an email in lower case; None for what is no possible one."""
    return read_phone(value, region) if kind == "phone" else read_email(value)


def read_phone(value: object, region: str) -> str | None:
    """E.164 of a possible number; `region` says how one without a country code is meant.

    Numbers are read, too: JSON made of an unquoted `+19545552399` has lost the plus sign.
    Numbers that can only be dialled locally, emergency numbers and short codes are not possible.
    """
    if isinstance(value, str):
        return _phone(value, region) if len(value) <= _LONGEST_PHONE else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    digits = key_text(value)
    if digits is None or not digits.isdecimal() or len(digits) > _LONGEST_PHONE:
        return None
    return _phone(digits, region) or _phone(f"+{digits}", region)


@lru_cache(maxsize=1 << 15)
def _phone(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    how = phonenumbers.is_possible_number_with_reason(number)
    if how != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    if phonenumbers.is_valid_short_number(number) and not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def read_email(value: object) -> str | None:
    """Trimmed and in lower case: one `@` with something on both sides, no blanks, at most 254."""
    if not isinstance(value, str) or len(value) > _LONGEST_EMAIL:
        return None
    email = trim(value).lower()
    local, _, host = email.partition("@")
    if not local or not host or "@" in host or not email.isprintable() or " " in email:
        return None
    return email


class Listed(NamedTuple):
    """An entry of `phones` or `emails`; `address` None where it names no possible one."""

    address: str | None
    details: Mapping[str, object]


def read_listed(kind: AddressKind, value: object, region: str) -> tuple[list[Listed], bool]:
    """The entries of `phones` or `emails`, and whether some were cut.

    Regal's form is an object keyed by address; an array of objects (`phone`, `email`, `number` or
    `address` names the address) or of addresses is read, too. A null entry says nothing. Where
    there are too many, those with an opt-out are kept first.
    """
    pairs = _pairs(kind, value)
    cut = len(pairs) > MAX_LISTED
    if cut:
        pairs = sorted(pairs, key=lambda pair: not _opts_out(pair[1]))[:MAX_LISTED]
    return [Listed(read_address(kind, at, region), details) for at, details in pairs], cut


def _pairs(kind: AddressKind, value: object) -> list[tuple[object, Mapping[str, object]]]:
    if isinstance(value, dict):
        listed = list(value.items())
    elif isinstance(value, list):
        listed = [
            (next((item[name] for name in (kind, "number", "address") if name in item), None), item)
            if isinstance(item, dict)
            else (item, _NOTHING)
            for item in value
        ]
    else:
        return []
    return [
        (address, details if isinstance(details, dict) else _NOTHING)
        for address, details in listed
        if details is not None
    ]


def _opts_out(details: Mapping[str, object]) -> bool:
    return any(
        read_flag(entry.get("subscribed") if isinstance(entry, dict) else entry) is False
        for name, entry in details.items()
        if name not in {"isPrimary", "is_primary"}
    )


def stated(
    kind: AddressKind, traits: Mapping[str, object], listed: list[Listed], region: str
) -> list[AddressFact]:
    """What an identify call says of one kind of address: its trait, then its list."""
    facts: list[AddressFact] = []
    if kind in traits:
        given = traits[kind]
        address = read_address(kind, given, region)
        via: Via = "trait" if given is None or address is not None else "unusable"
        facts.append(AddressFact(kind, address, via))
    for address, details in listed:
        if address is not None:
            facts.append(AddressFact(kind, address, _via(details)))
    return facts


def _via(details: Mapping[str, object]) -> Via:
    flag = read_flag(pick(details, "isPrimary", "is_primary"))
    return "known" if flag is None else "primary" if flag else "not_primary"


def named_by(properties: Mapping[str, object], region: str) -> dict[str, str | None]:
    """The phone and email that a track call names (rule 14), None for no possible one."""
    if "phone" not in properties and "email" not in properties:
        return {}
    kinds: tuple[AddressKind, AddressKind] = ("phone", "email")
    return {
        kind: read_address(kind, properties[kind], region)
        for kind in kinds
        if properties.get(kind) is not None
    }
