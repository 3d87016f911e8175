"""Compares what was published with what had to be: each promise has its own list of violations."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from tests.chaos.topics import Stood
from tests.e2e.load import Json, Wait

CONSENT = ("no_consent", "opted_out")


@dataclass
class Published:
    """The outward topics."""

    triggers: list[Json] = field(default_factory=list)
    retractions: list[Json] = field(default_factory=list)
    decisions: list[Json] = field(default_factory=list)
    dead: int = 0
    positions: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    """Topic, and the place in the log that caused the record."""

    def add(self, record: Stood, value: Json | None, short: str) -> None:
        """One record of the topic that is called so without its prefix."""
        if (position := record.headers.get("position")) is not None:
            self.positions[short, position] += 1
        match short, value:
            case "journey.triggers", dict():
                kept = self.triggers if value["type"] == "trigger" else self.retractions
                kept.append(value)
            case "journey.decisions", dict():
                self.decisions.append(value)
            case "segment.dead-letter", _:
                self.dead += 1
            case _:
                pass


@dataclass
class Verdict:
    """What was found; `violations` by kind, each with what is needed to look for its cause."""

    expected: int = 0
    published: int = 0
    retracted: int = 0
    decided: int = 0
    unproven: int = 0
    violations: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def count(self, kind: str) -> int:
        return len(self.violations.get(kind, ()))

    @property
    def good(self) -> bool:
        return not any(self.violations.values())


def judge(
    waits: Mapping[tuple[str, str], Wait],
    retracted: Set[str],
    published: Published,
    unproven: Set[tuple[str, str]] = frozenset(),
) -> Verdict:
    """`unproven` are waits of which only that nothing comes twice can be said."""
    wanted = {
        wait.trigger: place
        for place, wait in waits.items()
        if wait.trigger and place not in unproven
    }
    verdict = Verdict(
        expected=len(wanted),
        published=len(published.triggers),
        retracted=len(published.retractions),
        decided=len(published.decisions),
        unproven=len(unproven),
    )
    found = verdict.violations
    sent = Counter(trigger["id"] for trigger in published.triggers)
    found["lost"] += [f"{place} {i}" for i, place in wanted.items() if i not in sent]
    found["doubled"] += [f"trigger {i}: {n} times" for i, n in sent.items() if n > 1]
    found["doubled"] += [
        f"{topic} {position.decode()}: {n} times"
        for (topic, position), n in published.positions.items()
        if n > 1
    ]
    for trigger in published.triggers:
        _judge_trigger(trigger, waits, unproven, found)
    _judge_retractions(published.retractions, retracted, set(sent), unproven, found)
    _judge_decisions(published.decisions, waits, unproven, found)
    if published.dead:
        found["dead letters"].append(str(published.dead))
    return verdict


def _judge_trigger(
    trigger: Json,
    waits: Mapping[tuple[str, str], Wait],
    unproven: Set[tuple[str, str]],
    found: dict[str, list[str]],
) -> None:
    place = trigger["journey"], trigger["key"]
    wait = waits.get(place)
    said = f"{place} {trigger['id']} to {trigger['to']}, fired {trigger['firedAt']}"
    if wait is None:
        found["of nobody's"].append(said)
    elif wait.reason in CONSENT:
        # an opt-out that was late to arrive can't have been known; never opted in is another thing
        if wait.reason == "no_consent" or place not in unproven:
            found["without consent"].append(f"{said}: {wait.reason}")
    elif place in unproven:
        return
    elif wait.trigger is None:
        found["although cancelled"].append(said)
    elif (trigger["id"], trigger["to"], trigger["userId"]) != wait[2:]:
        found["of nobody's"].append(f"{said}: wanted {wait}")
    if trigger["firedAt"] < trigger["deadline"]:
        found["too early"].append(said)


def _judge_retractions(
    retractions: Iterable[Json],
    retracted: Set[str],
    sent: Set[str],
    unproven: Set[tuple[str, str]],
    found: dict[str, list[str]],
) -> None:
    taken = Counter(each["id"] for each in retractions)
    for each in retractions:
        if each["id"] not in retracted and (each["journey"], each["key"]) not in unproven:
            found["wrongly retracted"].append(f"{each['key']} {each['id']}: {each['reason']}")
    found["wrongly retracted"] += [f"{i}: {n} times" for i, n in taken.items() if n > 1]
    found["not retracted"] += [i for i in retracted if i not in taken and i in sent]


def _judge_decisions(
    decisions: Iterable[Json],
    waits: Mapping[tuple[str, str], Wait],
    unproven: Set[tuple[str, str]],
    found: dict[str, list[str]],
) -> None:
    made: dict[tuple[str, str], list[tuple[str, str | None]]] = defaultdict(list)
    for each in decisions:
        made[each["journey"], each["key"]].append((each["outcome"], each["reason"]))
    for place in waits.keys() | made.keys():
        wait, outcomes = waits.get(place), made.get(place, [])
        if place in unproven and len(outcomes) == 1:
            continue
        if wait is None or outcomes != [(wait.outcome, wait.reason)]:
            wanted = None if wait is None else (wait.outcome, wait.reason)
            found["decided otherwise"].append(f"{place}: found {outcomes}, wanted {wanted}")
