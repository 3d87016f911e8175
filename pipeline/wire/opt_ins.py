"""Opt-in entries of an identify call, in the legacy `optIn` array and under phones and emails.

Nothing is judged here: what can't be read becomes None, and rules 12 to 14 say what it means.
"""

from collections.abc import Mapping
from typing import Final

from pipeline.domain.events import CHANNEL_KIND, AddressKind, Channel, OptInEntry
from pipeline.domain.times import parse_instant
from pipeline.wire.common_fields import pick, read_flag
from pipeline.wire.contact_points import Listed, read_address

MAX_ENTRIES: Final = 100
"""Entries that are taken from one call."""

_CHANNELS: Final[Mapping[str, Channel]] = {"voice": "voice", "sms": "sms", "email": "email"}
_UNDER: Final[Mapping[AddressKind, tuple[tuple[Channel, str, str], ...]]] = {
    "phone": (("voice", "voiceOptIn", "voice_opt_in"), ("sms", "smsOptIn", "sms_opt_in")),
    "email": (("email", "emailOptIn", "email_opt_in"),),
}


def from_array(value: object, traits: Mapping[str, object], region: str) -> list[OptInEntry]:
    """The `optIn` trait: an array of entries, or one; each means the call's own phone or email."""
    if value is None:
        return []
    own = {
        kind: read_address(kind, traits[kind], region)
        for kind in _UNDER
        if traits.get(kind) is not None
    }
    entries = []
    for item in value if isinstance(value, list) else [value]:
        fields = item if isinstance(item, dict) else {}
        channel = _channel(fields.get("channel"))
        kind = None if channel is None else CHANNEL_KIND[channel]
        address = None if kind is None else own.get(kind)
        entries.append(_entry(channel, fields, address, named=kind in own))
    return entries


def from_listed(kind: AddressKind, listed: list[Listed]) -> list[OptInEntry]:
    """`voiceOptIn`, `smsOptIn` and `emailOptIn`, each for the address it stands under.

    A bare boolean is an entry without evidence: no opt-in, but an opt-out always counts.
    """
    entries = []
    for address, details in listed:
        for channel, camel, snake in _UNDER[kind] if details else ():
            value = pick(details, camel, snake)
            if value is not None:
                fields = value if isinstance(value, dict) else {"subscribed": value}
                entries.append(_entry(channel, fields, address, named=True))
    return entries


def bounded(entries: list[OptInEntry]) -> tuple[OptInEntry, ...]:
    """At most as many as are taken from one call, opt-outs before all others."""
    if len(entries) > MAX_ENTRIES:
        entries = sorted(entries, key=lambda entry: entry.subscribed is not False)[:MAX_ENTRIES]
    return tuple(entries)


def _channel(value: object) -> Channel | None:
    return _CHANNELS.get(value.strip().lower()) if isinstance(value, str) else None


def _entry(
    channel: Channel | None, fields: Mapping[str, object], address: str | None, *, named: bool
) -> OptInEntry:
    ip = _text(fields.get("ip"))
    return OptInEntry(
        channel=channel,
        subscribed=read_flag(fields.get("subscribed")),
        timestamp=parse_instant(fields.get("timestamp")),
        ip=ip if ip and ip.strip() else None,
        source=_text(fields.get("source")),
        text=_text(fields.get("text")),
        address=address,
        named=named,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
