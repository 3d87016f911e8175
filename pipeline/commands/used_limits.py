"""How much of `calling.yaml`'s limits somebody has used, and what their hours and place are."""

from collections.abc import Iterator
from typing import Any

from pipeline.commands.people import Found
from pipeline.domain.calling import next_open
from pipeline.domain.calling_rules import CallingRules, Limit, Place
from pipeline.domain.entities import Address
from pipeline.domain.events import CHANNEL_KIND, Channel
from pipeline.domain.times import format_instant
from pipeline.domain.turn import Rules

Json = dict[str, Any]


def calling_of(found: Found, rules: Rules, now: int) -> list[Json]:
    """For each channel that has a primary address: where that is, when it may be used, what its
    limits have left. Empty where the rulebook has no hours and no limits.
    """
    calling = rules.current.calling
    if calling is None or found.ref.kind == "address":
        return []
    made = []
    for channel, kind in CHANNEL_KIND.items():
        to = found.profile.book(kind).primary()
        if to is not None:
            made.append(_channel(found, calling, channel, to, now))
    return made


def _channel(found: Found, calling: CallingRules, channel: Channel, to: str, now: int) -> Json:
    phone = to if CHANNEL_KIND[channel] == "phone" else found.profile.phones.primary()
    place = calling.atlas.locate(found.profile.live_traits(), phone, {})
    opening = next_open(now, calling, place, channel)
    return {
        "channel": channel,
        "to": to,
        **_place(place),
        "open": opening.at == now,
        "opensAt": None if opening.at is None else format_instant(opening.at),
        "rule": opening.rule,
        "limits": list(_limits(found, calling.limits_for(place, channel), channel, to, now)),
    }


def _place(place: Place) -> Json:
    return {
        "zones": list(place.zones),
        "zoneBy": place.zone_source,
        "regions": list(place.regions),
        "regionBy": place.region_source,
    }


def _limits(
    found: Found, limits: list[Limit], channel: Channel, to: str, now: int
) -> Iterator[Json]:
    address = found.addresses.get(to) or Address()
    caps = found.profile.caps
    theirs = [each.at for each in caps.fired.values() if each.channel == channel] if caps else []
    for limit in limits:
        counted = theirs if limit.scope == "person" else address.fired.get(channel, [])
        fired = sorted(at for at in counted if at > now - limit.per)
        room = None
        if len(fired) >= limit.most:
            room = format_instant(fired[-limit.most] + limit.per)
        used = {"used": len(fired), "max": limit.most, "roomAt": room}
        yield {"limit": limit.name, "scope": limit.scope, **used}
