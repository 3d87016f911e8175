"""Raw records become events: the one place that knows how Segment calls look on the wire.

Nothing that a producer sends raises here: what can't be used is in `Decoded` with its reason.
The forms are those of Segment's spec and HTTP API pages and of Regal's two pages on Segment,
with the quirks that SDKs have in practice. Decoding is deterministic: a replay gives the same.
"""

from typing import Final, NamedTuple

from pipeline.domain.events import AddressFact, CallType, Details, Event, OptInEntry, Source
from pipeline.wire import opt_ins
from pipeline.wire.common_fields import (
    NUL,
    call_type,
    pick,
    read_id,
    read_message_id,
    read_time,
    switched_off,
)
from pipeline.wire.contact_points import named_by, read_listed, stated
from pipeline.wire.envelope import unpack
from pipeline.wire.traits import read_traits
from pipeline.wire.verdicts import Decoded, Dropped, DropReason, Rejected, RejectReason

__all__ = ["Decoded", "DropReason", "Dropped", "RejectReason", "Rejected", "decode"]


class _Stated(NamedTuple):
    """What an identify call says of its person."""

    traits: dict[str, object]
    addresses: tuple[AddressFact, ...]
    opt_ins: tuple[OptInEntry, ...]
    cut: bool


_NOTHING_STATED: Final = _Stated({}, (), (), cut=False)


def decode(value: bytes | None, source: Source, kafka_time: int, region: str = "US") -> Decoded:
    """Everything in one record of the raw topic.

    `source` and `kafka_time` (ms) are the record's, `region` that of phones without country code.
    """
    decoded = Decoded()
    for index, call in unpack(value, decoded):
        integrations = call.get("integrations")
        if integrations and switched_off(integrations):
            decoded.drop(index, DropReason.INTEGRATION_OFF)
        elif (kind := call_type(call.get("type"))) is not None:
            _decode_call(call, kind, index, source, kafka_time, region, decoded)
        elif call.get("type") is None:
            decoded.reject(index, RejectReason.MISSING_TYPE)
        else:
            decoded.reject(index, RejectReason.UNKNOWN_TYPE)
    return decoded


def _decode_call(
    call: dict[str, object],
    kind: CallType,
    index: int,
    source: Source,
    kafka_time: int,
    region: str,
    decoded: Decoded,
) -> None:
    given_user = pick(call, "userId", "user_id")
    given_anonymous = pick(call, "anonymousId", "anonymous_id")
    user_id, anonymous_id = read_id(given_user), read_id(given_anonymous)
    previous_id = read_id(pick(call, "previousId", "previous_id")) if kind == "alias" else None
    unowned = None
    if user_id is None or anonymous_id is None:
        if _has_nul(given_user) or _has_nul(given_anonymous):
            unowned = RejectReason.NUL_IN_ID
            user_id = anonymous_id = None
        elif user_id is None and anonymous_id is None:
            unowned = RejectReason.NO_ID
    name = _name(call, kind)
    incomplete = _incomplete(call, kind, name, user_id, previous_id)
    if incomplete:
        decoded.reject(index, incomplete)
        return
    if unowned:
        decoded.reject(index, unowned)

    context = _object(call.get("context"))
    properties: dict[str, object] = {}
    said = _NOTHING_STATED
    if kind == "identify":
        said = _stated(call, context, region)
        if said.cut:
            decoded.reject(index, RejectReason.TOO_MANY_ENTRIES)
    else:
        properties = _object(call.get("traits" if kind == "group" else "properties"))
    if "traits" in context:
        context = {name: value for name, value in context.items() if name != "traits"}
    decoded.events.append(
        Event(  # by place, which is twice as fast as by name
            kind,
            name,
            user_id,
            anonymous_id,
            read_message_id(pick(call, "messageId", "message_id"), source, index),
            read_time(call, kafka_time),
            kafka_time,
            source,
            index,
            Details(properties, context),
            said.traits,
            said.addresses,
            said.opt_ins,
            named_by(properties, region) if kind == "track" else {},
            previous_id,
        )
    )


def _has_nul(given: object) -> bool:
    return isinstance(given, str) and NUL in given


def _name(call: dict[str, object], kind: CallType) -> str:
    """The event of a track call, the name of a page or screen, as it is: rules compare exactly."""
    if kind not in {"track", "page", "screen"}:
        return ""
    name = call.get("event" if kind == "track" else "name")
    return name if isinstance(name, str) else ""


def _incomplete(
    call: dict[str, object],
    kind: CallType,
    name: str,
    user_id: str | None,
    previous_id: str | None,
) -> RejectReason | None:
    """What this type of call can't do without."""
    if kind == "track":
        return None if name and not name.isspace() else RejectReason.MISSING_EVENT_NAME
    if kind == "group" and read_id(pick(call, "groupId", "group_id")) is None:
        return RejectReason.MISSING_GROUP_ID
    if kind == "alias" and (user_id is None or previous_id is None):
        return RejectReason.ALIAS_WITHOUT_IDS
    return None


def _stated(call: dict[str, object], context: dict[str, object], region: str) -> _Stated:
    traits = read_traits(call, context)
    opt_in = traits.pop("optIn", None)
    phones, phones_cut = read_listed("phone", traits.pop("phones", None), region)
    emails, emails_cut = read_listed("email", traits.pop("emails", None), region)
    entries = opt_ins.from_array(opt_in, traits, region)
    entries += opt_ins.from_listed("phone", phones)
    entries += opt_ins.from_listed("email", emails)
    facts = stated("phone", traits, phones, region) + stated("email", traits, emails, region)
    taken = opt_ins.bounded(entries)
    cut = phones_cut or emails_cut or len(taken) < len(entries)
    return _Stated(traits, tuple(facts), taken, cut)


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
