"""A rulebook against what a history has shown: names, fields and keys that never come."""

from collections.abc import Collection, Iterable, Iterator

from pipeline.rulebook.branches import FALSE, TRUE, UNJUDGED, Branch, pattern_rule
from pipeline.rulebook.cel.paths import Path, shown
from pipeline.rulebook.checks.names import folded, uses_of
from pipeline.rulebook.checks.observed import DEPTH_MAX, Call, Observed, SeenCall
from pipeline.rulebook.conditions import fields_read
from pipeline.rulebook.findings import nearest
from pipeline.rulebook.journeys import Pattern, pattern_name
from pipeline.rulebook.load import Sources
from pipeline.rulebook.places import (
    JourneyPlace,
    PatternPlace,
    conditions_of,
    journeys_of,
    patterns_of,
    steps_of,
)
from pipeline.rulebook.shape import Node
from pipeline.rulebook.slots import slot_of


def check_history(sources: Sources, observed: Observed) -> None:
    """Note what the rules wait for and the history, as far as it goes, does not have."""
    if not observed.cut:
        _check_names(sources, observed)
    for journey in journeys_of(sources):
        for check in (_check_fields, _check_includes, _check_keys, _check_starts, _check_channels):
            check(journey, observed)


def _check_names(sources: Sources, observed: Observed) -> None:
    names: dict[str, set[str]] = {}
    for kind, name in observed.calls:
        names.setdefault(kind, set()).add(name)
    for use in uses_of(sources):
        known = names.get(use.type, set())
        if use.name not in known:
            what = "event" if use.type == "track" else use.type
            message = f"the history has no {what} `{use.name}`"
            use.node.warn(message, _near(use.name, known, use.type, observed), "unseen-event")


def _near(name: str, known: Collection[str], kind: str, observed: Observed) -> str:
    same = sorted(each for each in known if folded(each) == folded(name))
    near = same[0] if same else nearest(name, known)
    if near is None:
        return "see whether somebody sends it under another name"
    return f"did you mean `{near}` ({observed.calls[kind, near].count:,} in the history)?"


def _seen(patterns: Iterable[Pattern], observed: Observed) -> list[SeenCall]:
    """The calls of the history that one of these names."""
    wanted = [(made["type"], pattern_name(made)) for made in patterns]
    return [
        seen
        for call, seen in observed.calls.items()
        if any(call[0] == kind and name in {None, call[1]} for kind, name in wanted)
    ]


def _lacks(path: Path, seen: list[SeenCall]) -> bool:
    """Whether there were such calls, and none had the field."""
    came = any(each.count for each in seen)
    sure = came and not any(each.cut for each in seen) and len(path) <= DEPTH_MAX
    return sure and not any(path in each.fields for each in seen)


def _check_fields(journey: JourneyPlace, observed: Observed) -> None:
    """What conditions read: of the event itself, of its start, of the person."""
    started = _seen(journey.made["start"], observed)
    for part in ("start", "unless"):
        for where, patterns in _wheres(journey, part):
            own = _seen(patterns, observed)
            for path in _own_paths(patterns[0]["where"]):
                _note_lack(where, path, own, "no such event of the history has it")
    for place in conditions_of(journey):
        for path in sorted(fields_read(place.text)):
            if path[0] == "traits" and len(path) > 1:
                lack = "nobody in the history has it"
                _note_lack(place.node, path, [observed.traits], lack)
            elif path[0] == "start" and len(path) > 2 and path[1] in {"properties", "context"}:  # noqa: PLR2004
                lack = "no start of the history has it"
                _note_lack(place.node, path[1:], started, lack)


def _wheres(journey: JourneyPlace, part: str) -> Iterator[tuple[Node, list[Pattern]]]:
    """Every `where`, with the alternatives that share it."""
    groups: dict[tuple[int, str], tuple[Node, list[Pattern]]] = {}
    for each in patterns_of(journey, part):
        if each.where is not None:
            key = (each.where.line, each.made["where"])
            groups.setdefault(key, (each.where, []))[1].append(each.made)
    return iter(groups.values())


def _own_paths(text: str) -> list[Path]:
    roots = {"properties", "context"}
    return sorted(path for path in fields_read(text) if path[0] in roots and len(path) > 1)


def _note_lack(node: Node, path: Path, seen: list[SeenCall], lack: str) -> None:
    if not _lacks(path, seen):
        return
    siblings = {other[-1] for each in seen for other in each.fields if other[:-1] == path[:-1]}
    near = nearest(path[-1], siblings)
    remedy = "see what is sent"
    if near is not None:
        remedy = f"did you mean {shown((*path[:-1], near))}?"
    node.warn(f"{shown(path)} is read, and {lack}", remedy, "unseen-field")


def _check_includes(journey: JourneyPlace, observed: Observed) -> None:
    started = _seen(journey.made["start"], observed)
    for step in steps_of(journey):
        for node, text in zip(
            step.node.at("include").items() if step.made["include"] else (),
            step.made["include"],
            strict=True,
        ):
            path = tuple(text.split("."))
            seen, lack = started, "no start of the history has it"
            if path[0] == "traits":
                seen, lack = [observed.traits], "nobody in the history has it"
            _note_lack(node, path, seen, lack)
        if "until" in step.made:
            path = tuple(step.made["until"].split("."))
            lack = "no start of the history has it"
            _note_lack(step.node.at("until"), path, started, lack)


def _check_keys(journey: JourneyPlace, observed: Observed) -> None:
    if "key" not in journey.made:
        return
    kinds: dict[str, set[str]] = {"start": set(), "unless": set()}
    for part in ("start", "unless"):
        for each in patterns_of(journey, part):
            found = _key_kinds(journey, part, each, observed)
            kinds[part] |= found or set()
            if found is not None and not found:
                consequence = "starts nothing" if part == "start" else "ends nothing"
                message = f"no `{_name(each.made)}` of the history has {journey.made['key']}"
                remedy = f"without it, it {consequence}: name another `key`"
                each.node.warn(message, remedy, "unseen-field")
    if kinds["start"] and kinds["unless"] and not kinds["start"] & kinds["unless"]:
        starts, cancels = (" and ".join(sorted(kinds[part])) for part in ("start", "unless"))
        message = (
            f"in the history it is {starts} in starts and {cancels} in `unless`: they never meet"
        )
        journey.root.at("key").warn(message, "name a `key` that both have", "unlike-keys")


def _key_kinds(
    journey: JourneyPlace, part: str, each: PatternPlace, observed: Observed
) -> set[str] | None:
    """Kinds of the keys that such events had; None where there were no such events."""
    name = pattern_name(each.made)
    calls: list[Call] = [
        call
        for journey_, part_, call in observed.keys
        if (journey_, part_) == (slot_of(journey.made), part)
        and call[0] == each.made["type"]
        and name in {None, call[1]}
    ]
    if not calls:
        return None
    return {
        str(kind) for call in calls for kind in observed.keys[slot_of(journey.made), part, call]
    }


def _name(made: Pattern) -> str:
    return pattern_name(made) or f"any {made['type']}"


def _check_starts(journey: JourneyPlace, observed: Observed) -> None:
    """Conditions of starts that were true of no event."""
    for each in patterns_of(journey, "start"):
        if each.where is None:
            continue
        rule = pattern_rule("start", each.number, each.made["type"], pattern_name(each.made))
        counts = {
            word: observed.verdicts[Branch(slot_of(journey.made), rule, word)]
            for word in (TRUE, FALSE, UNJUDGED)
        }
        if not counts[TRUE] and (judged := sum(counts.values())):
            unjudged = f", {counts[UNJUDGED]:,} could not be judged" if counts[UNJUDGED] else ""
            message = f"`where` was true of none of {judged:,} `{_name(each.made)}`{unjudged}"
            each.where.warn(message, "compare it with what they are sent with", "never-true")


def _check_channels(journey: JourneyPlace, observed: Observed) -> None:
    noted: set[str] = set()
    for step in steps_of(journey):
        channel = step.made["channel"]
        if channel not in noted and not observed.opted_in[channel]:
            noted.add(channel)
            message = f"nobody in the history opted in to {channel}: every step would be suppressed"
            remedy = "send `optIn` entries, or name the event that grants it in consent.yaml"
            step.node.at("channel").warn(message, remedy, "no-opt-in")
