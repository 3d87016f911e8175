"""An event as the short form of a test file, which decodes to the same event again."""

from collections.abc import Iterator
from typing import Any, Final

from pipeline.domain.events import CHANNEL_KIND, AddressFact, AddressKind, Event, OptInEntry
from pipeline.domain.profile import KINDS
from pipeline.domain.times import format_instant
from pipeline.process.capture.rewriting import Rewriter
from pipeline.process.capture.selection import Taken

Json = dict[str, Any]
_NOBODY: Final = "undefined"
"""An id that is none (rule 19)."""
_GROUP: Final = "group-1"
"""Which group it is decides nothing."""


def call_of(taken: Taken, rewriter: Rewriter) -> Json:
    """One entry of a case's `events`."""
    event = taken.event
    made: Json = {"at": format_instant(event.time)}
    if taken.at != event.time:
        made["arrives"] = format_instant(taken.at)
    if event.user_id is not None:
        made["user"] = rewriter.id(event.user_id)
    if event.anonymous_id is not None:
        made["anonymous"] = rewriter.id(event.anonymous_id)
    if event.own_id == "":
        made["user"] = _NOBODY
    made["messageId"] = rewriter.message(event.message_id)
    made |= _subject(event, rewriter)
    if context := rewriter.context(event.context):
        made["context"] = context
    return made


def _subject(event: Event, rewriter: Rewriter) -> Json:
    """What the call is, with what it says."""
    match event.type:
        case "identify":
            return {"identify": _identify(event, rewriter)}
        case "group":
            return {"group": _GROUP, "traits": rewriter.properties(event.properties)}
        case "alias":
            assert event.previous_id is not None
            return {"alias": rewriter.id(event.previous_id)}
    name = rewriter.event(event.name) if event.name else None
    made: Json = {event.type: name}
    properties = rewriter.properties(event.properties)
    for kind in KINDS:
        if kind in event.named:
            properties[kind] = rewriter.address(kind, event.named[kind])
    return made | ({"properties": properties} if properties else {})


def _identify(event: Event, rewriter: Rewriter) -> Json:
    """Traits, the addresses that it lists and its opt-ins, each where it means the same."""
    plain = {name: value for name, value in event.traits.items() if name not in KINDS}
    made = rewriter.traits(plain)
    own = {fact.kind: fact for fact in event.addresses if fact.via in {"trait", "unusable"}}
    for kind, fact in own.items():
        removed = event.traits.get(kind) is None
        made[kind] = None if removed else rewriter.address(kind, fact.value)
    array = [entry for entry in event.opt_ins if _is_own(entry, own, event)]
    if array:
        made["optIn"] = [
            {"channel": entry.channel or "other", **rewriter.entry(entry)} for entry in array
        ]
    listed = [entry for entry in event.opt_ins if not _is_own(entry, own, event)]
    for kind in KINDS:
        entries = [e for e in listed if e.channel is not None and CHANNEL_KIND[e.channel] == kind]
        if found := list(_listed(kind, event, entries, rewriter)):
            made[f"{kind}s"] = found
    return made


def _is_own(entry: OptInEntry, own: dict[AddressKind, AddressFact], event: Event) -> bool:
    """Whether it means the call's own phone or email, as an entry of `optIn` does."""
    if entry.channel is None or not entry.named:
        return True
    kind = CHANNEL_KIND[entry.channel]
    fact = own.get(kind)
    given = event.traits.get(kind) is not None
    return fact is not None and given and fact.value == entry.address


def _listed(
    kind: AddressKind, event: Event, entries: list[OptInEntry], rewriter: Rewriter
) -> Iterator[Json]:
    for fact in event.addresses:
        if fact.kind == kind and fact.via in {"known", "primary", "not_primary"}:
            flag = {} if fact.via == "known" else {"isPrimary": fact.via == "primary"}
            yield {kind: rewriter.address(kind, fact.value), **flag}
    for entry in entries:
        name = f"{entry.channel}OptIn"
        yield {kind: rewriter.address(kind, entry.address), name: rewriter.entry(entry)}
