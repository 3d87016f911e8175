"""What a test case takes as known, as the raw records that would have made it known.

An entry is `u1: {phone, email, traits, optIn}`, for a person without a userId
`a1: {anonymous: true, ...}` with the anonymousId as its name; `u1: {anonymous: a1}` (or a list)
also links devices to the person. `optIn` has, for each channel, since when it is subscribed, or
`true`, `false`, or `{subscribed, timestamp, ip, source, text}`.

Phone, email and traits come 400 days before everything else in the case, each opt-in at its own
time in a call of its own, so that it means the phone or email that was primary then and later
events still decide what is primary. No window of the rules (24 hours of rules 3 and 14) reaches
from one to the other. Feed them before the journeys are put in force: they start and cancel
nothing.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipeline.domain.times import DAY, MINUTE, format_instant
from pipeline.rulebook.shape import Node
from pipeline.rulebook.steps import CHANNELS

GIVEN_KEYS: Final = ("phone", "email", "traits", "optIn", "anonymous")
OPT_IN_KEYS: Final = ("subscribed", "timestamp", "ip", "source", "text")
BEFORE: Final = 400 * DAY
SHORTLY: Final = 2 * DAY
SHORTLY_BEFORE: Final = 2 * MINUTE
_IP: Final = "192.0.2.1"


class Arrival(NamedTuple):
    """One record as it arrives in the raw topic at this log time."""

    at: int
    value: bytes
    kafka_time: int | None = None
    """Where a record's own time is another than when it is taken."""


class _OptIn(NamedTuple):
    channel: str
    at: int | None
    entry: dict[str, Any]


class _Person(NamedTuple):
    ids: dict[str, str]
    devices: list[str]
    traits: dict[str, Any]
    opt_ins: list[_OptIn]


def read_given(node: Node, first: int | None) -> tuple[Arrival, ...]:
    """The records, in order of arrival. `first` is when the case's own events begin."""
    if not node.has_keys():
        node.wrong("a map of people")
        return ()
    people = [_person(name, node.at(name)) for name in node.value]
    known = [person for person in people if person is not None]
    times = [said.at for person in known for said in person.opt_ins if said.at is not None]
    begin = max(
        1, min([*times, *([] if first is None else [first])], default=BEFORE + DAY) - BEFORE
    )
    last = max(begin, first - SHORTLY_BEFORE) if first is not None else None
    records: list[tuple[int, dict[str, Any]]] = []
    for person in known:
        records += _records(person, begin)
    records.sort(key=lambda record: record[0])
    return tuple(
        # an opt-in may be dated later than the first event; it is known before it all the same
        Arrival(
            at if last is None else min(at, last),
            encode({"messageId": f"given:{n:04d}"} | record),
            at,
        )
        for n, (at, record) in enumerate(records, 1)
    )


def encode(record: Any) -> bytes:
    """A record's bytes."""
    return json.dumps(record).encode()


def _person(name: str, node: Node) -> _Person | None:
    if not node.map(GIVEN_KEYS, "what is known of a person (a map)"):
        return None
    devices = _devices(node.at("anonymous")) if node.has("anonymous") else []
    nameless = node.has("anonymous") and node.value["anonymous"] in (True, name)
    ids = {"anonymousId": name} if nameless else {"userId": name}
    traits = node.at("traits").plain_map()
    for kind in ("phone", "email"):
        if node.has(kind):
            traits[kind] = node.at(kind).text()
    opt_ins: list[_OptIn] = []
    if node.has("optIn") and node.at("optIn").map(CHANNELS):
        for channel in [each for each in CHANNELS if node.at("optIn").has(each)]:
            kind = "email" if channel == "email" else "phone"
            said = _opt_in(channel, node.at("optIn").at(channel))
            if said and kind not in traits and f"{kind}s" not in traits:
                remedy = f"add `{kind}`, or leave {channel} out"
                node.at("optIn").error(f"an opt-in for {channel} without {kind}", remedy)
            opt_ins += [said] if said else []
    return _Person(ids, [] if nameless else devices, traits, opt_ins)


def _devices(node: Node) -> list[str]:
    if node.value is True:
        return []
    return [text for each in node.list(single=True) if (text := each.text()) is not None]


def _opt_in(channel: str, node: Node) -> _OptIn | None:
    entry: dict[str, Any] = {"channel": channel, "subscribed": True, "ip": _IP, "source": "given"}
    at: int | None = None
    if isinstance(node.value, bool):
        entry["subscribed"] = node.value
    elif isinstance(node.value, dict):
        if not node.map(OPT_IN_KEYS):
            return None
        entry |= {key: node.value[key] for key in ("ip", "source", "text") if key in node.value}
        if node.has("subscribed"):
            entry["subscribed"] = node.at("subscribed").boolean()
        at = node.optional("timestamp", None, Node.instant)
    else:
        at = node.instant()
        if at is None:
            return None
    return _OptIn(channel, at, entry)


def _records(person: _Person, begin: int) -> Iterator[tuple[int, dict[str, Any]]]:
    def record(at: int, **content: Any) -> tuple[int, dict[str, Any]]:
        time = format_instant(at)
        return at, {"type": "identify", "timestamp": time, **person.ids, **content}

    yield record(begin, traits=person.traits, context={"ip": _IP})
    for device in person.devices:
        yield record(begin, anonymousId=device, traits={})
    for said in person.opt_ins:
        at = begin + SHORTLY if said.at is None else said.at
        entry = {**said.entry, "timestamp": format_instant(at)}
        yield record(at, traits={"optIn": [entry]}, context={"ip": _IP})
