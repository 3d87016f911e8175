"""The rules of the job on plain dicts, for the peers whose state is a value of each key.

A device passes calls on to its person; a person keeps a profile, tells of its contact and opt-ins,
and when its waits are over of the loans to call about. No call is too late or too
early: what counts is decided by the times in the calls, whatever the order in which they come.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

APPROVED, SIGNED, SUPPORT = "Loan Application Approved", "Loan Signed", "Support Contacted"

Json = dict[str, Any]
Output = tuple[str, str, Json]
"""Topic, key, value."""


_KEPT = ("type", "event", "userId", "anonymousId", "timestamp", "traits", "properties")


def slim(call: Json) -> Json:
    """What the job needs of a call, before it is sent from stage to stage."""
    return {name: call[name] for name in _KEPT if name in call}


def new_device() -> Json:
    """A device that nobody is linked to."""
    return {"user": None, "waiting": []}


def at_device(device: Json, call: Json) -> list[Json]:
    """The calls that can be passed on to the person of this device."""
    user = call.get("userId")
    if user is not None:
        device["user"] = user
        waiting, device["waiting"] = device["waiting"], []
        for earlier in waiting:
            earlier["userId"] = user
        return [*waiting, call]
    if device["user"] is None:
        device["waiting"].append(call)
        return []
    call["userId"] = device["user"]
    return [call]


def new_person() -> Json:
    """A person of whom nothing is known."""
    return {"traits": {}, "voice": None, "events": {}, "loans": {}}


def at_person(person: Json, call: Json) -> Iterator[Output]:
    """Take a call into the profile; what is to be published of it."""
    kind = call["type"]
    if kind == "identify":
        yield from _identify(person, call)
        return
    if kind != "track":
        return
    name = call["event"]
    person["events"][name] = person["events"].get(name, 0) + 1
    if name in {APPROVED, SIGNED}:
        loan = person["loans"].setdefault(call["properties"]["loanId"], {})
        loan[name] = min(call["timestamp"], loan.get(name, call["timestamp"]))


def _identify(person: Json, call: Json) -> Iterator[Output]:
    traits, user = dict(call["traits"]), call["userId"]
    entries = traits.pop("optIn", [])
    person["traits"].update(traits)
    phone = person["traits"].get("phone")
    if phone is None:
        return
    yield "contacts", user, {"userId": user, "phone": phone, "traits": person["traits"]}
    for entry in entries:
        said, status = entry["timestamp"], ("subscribed" if entry["subscribed"] else "unsubscribed")
        if entry["channel"] != "voice" or (person["voice"] and person["voice"][0] > said):
            continue
        person["voice"] = [said, status]
        key = f"{phone}|voice"
        yield "optins", key, {"address": phone, "channel": "voice", "status": status, **entry}


def to_call(person: Json, user: str, wait: float) -> Iterator[Output]:
    """The loans approved and not signed in time, each once; for when all waits are over."""
    if not person["voice"] or person["voice"][1] != "subscribed":
        return
    if person["events"].get(SUPPORT):
        return
    phone = person["traits"]["phone"]
    for loan, times in person["loans"].items():
        if APPROVED not in times or times.get("told"):
            continue
        deadline = datetime.fromisoformat(times[APPROVED]) + timedelta(seconds=wait)
        if SIGNED in times and datetime.fromisoformat(times[SIGNED]) <= deadline:
            continue
        times["told"] = True
        yield "journey.triggers", user, {"key": loan, "userId": user, "to": phone}
