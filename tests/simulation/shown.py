"""What compacted topics show: contacts and opt-ins as they are, each opt-in with its evidence."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from pipeline.domain.entities import Address, Device, Person
from pipeline.domain.outputs import OptIn
from pipeline.domain.subject import who_is
from pipeline.wire.outputs import describe
from tests.simulation.kept import Kept
from tests.simulation.system import NAMES

Json = dict[str, Any]
CONTACT = ("phone", "email", "phones", "emails", "traits", "custom")
OPT_IN = ("channel", "status", "timestamp", "ip", "source", "text", "evidence")


class Shown:
    """The newest record of each key; None for a tombstone."""

    def __init__(self) -> None:
        self.contacts: dict[str, Json | None] = {}
        self._opt_ins: dict[str, Json | None] = {}
        self._taken: set[tuple[Any, ...]] = set()
        self._heard: Counter[tuple[str, str, str | None]] = Counter()
        """How often there is evidence of a messageId, channel and address of an identify call."""

    def see(self, topic: str, key: bytes | None, value: Json | None) -> str:
        """A record became visible; what is wrong with it."""
        if topic == NAMES.contacts:
            self.contacts[(key or b"").decode()] = value
        elif topic == NAMES.optins:
            self._opt_ins[(key or b"").decode()] = value
            if value is not None and _evidence(value, value["status"]) not in self._taken:
                return f"opt-in {value} without evidence"
        elif topic == NAMES.evidence and value is not None:
            if value["via"] == "identify":
                self._heard[value["messageId"], value["channel"], value["address"]] += 1
            if value["taken"]:
                self._taken.add(_evidence(value, value["action"]))
        return ""

    def consent(self, trigger: Json) -> str:
        """Whether a trigger may go there, and says so."""
        opt_in = self._opt_ins.get(f"{trigger['to']}|{trigger['channel']}")
        if opt_in is None or opt_in["status"] != "subscribed":
            return "without consent"
        rests_on = {name: opt_in[name] for name in OPT_IN}
        return "" if trigger["consent"] == rests_on else f"does not rest on {rests_on}"

    def opt_ins(self) -> dict[tuple[str, str], str]:
        """Status by address and channel."""
        found = [each for each in self._opt_ins.values() if each is not None]
        return {(each["address"], each["channel"]): each["status"] for each in found}

    def unheard(self, calls: list[Json]) -> Iterator[str]:
        """Opt-ins and opt-outs of these calls that nothing became of, or more than once."""
        heard = {(message_id, channel) for message_id, channel, _ in self._heard}
        for call in calls:
            for entry in call.get("traits", {}).get("optIn", ()):
                if (call["messageId"], entry["channel"]) not in heard:
                    yield f"no evidence of {entry} in {call['messageId']}"
        for evidence, count in self._heard.items():
            if count > 1:
                yield f"evidence of {evidence} {count} times"

    def stale(self, all_: Iterable[Kept]) -> Iterator[str]:
        """What is shown otherwise than the store holds it, when nothing is on its way."""
        contacts: dict[str, Json] = {}
        opt_ins: dict[str, Json] = {}
        for _, _, ref, entity in all_:
            if isinstance(entity, Person | Device):
                contacts |= _shown(entity.profile.contact(who_is(ref)), CONTACT)
            elif isinstance(entity, Address):
                for channel, consent in entity.consents.items():
                    users = tuple(entity.user_ids)
                    opt_in = OptIn(ref.id, entity.kind, channel, consent, "", users)
                    shown = _shown(opt_in, (*OPT_IN, "userIds"))
                    opt_ins |= shown if consent.subscribed else {}
        for topic, held, known in (
            ("contacts", contacts, self.contacts),
            ("optins", opt_ins, self._opt_ins),
        ):
            shown = {key: each for key, each in known.items() if each is not None}
            if topic == "optins":
                shown = {k: each for k, each in shown.items() if each["status"] == "subscribed"}
            for key in sorted(held.keys() | shown.keys()):
                there = shown.get(key)
                there = there and {name: there[name] for name in held.get(key, there)}
                if there != held.get(key):
                    yield f"{topic} of {key} is {there} and should be {held.get(key)}"


def _evidence(value: Json, status: str) -> tuple[Any, ...]:
    return (value["address"], value["channel"], value["timestamp"], status)


def _shown(output: Any, names: tuple[str, ...]) -> dict[str, Json]:
    if output is None:
        return {}
    _, key, value, _ = describe(output)
    made: Json = orjson.loads(orjson.dumps(value))
    return {str(key): {name: made[name] for name in names}}
