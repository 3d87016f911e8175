"""A journey in its one canonical form: every default written out, every short form made long.

Two files that mean the same give the same form, whatever shorthand they use, and a default that
changes one day does not change what is already in the log. Reading the canonical form gives
itself.
"""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.rulebook.conditions import AUDIENCE_NAMES, START_NAMES, UNLESS_NAMES
from pipeline.rulebook.experiment import check_variants, read_experiment
from pipeline.rulebook.expressions import KEY_ROOTS, read_condition, read_path
from pipeline.rulebook.shape import Node
from pipeline.rulebook.slots import SHADOW
from pipeline.rulebook.steps import check_steps, read_steps

JOURNEY_KEYS: Final = (
    "journey", "version", "description", "key", "match", "start", "unless", "lookback", "lateness",
    "repeat", "once", "priority", "audience", "holdout", "experiment", "steps", "status",
)  # fmt: skip
PATTERN_KEYS: Final = ("type", "event", "name", "where")
TYPES: Final = ("track", "page", "screen", "identify", "group")
NAMED_TYPES: Final = ("page", "screen")
NAME_MAX: Final = 100
PRIORITY_MAX: Final = 1000
STATUSES: Final = ("active", "paused", "retired", SHADOW)

Pattern = dict[str, Any]


def read_journey(node: Node) -> dict[str, Any]:
    """Read one; what is wrong is noted, and is its default or missing in what is returned."""
    if not node.map(JOURNEY_KEYS, "a journey (a map)"):
        return {}
    none: list[Pattern] = []
    made: dict[str, Any] = {
        "journey": node.required("journey", _name),
        "version": node.required("version", lambda n: n.whole(1, 2**31 - 1)),
        "description": node.optional("description", "", Node.free_text),
        "key": node.optional("key", None, lambda n: read_path(n, KEY_ROOTS)),
        "match": node.optional("match", "person", lambda n: n.choice(("key", "person"))),
        "start": node.required("start", lambda n: _patterns(n, START_NAMES, empty=False)) or [],
        "unless": node.optional("unless", none, lambda n: _patterns(n, UNLESS_NAMES, empty=True)),
        "lookback": node.optional("lookback", "0s", Node.duration),
        "lateness": node.optional("lateness", "0s", Node.duration),
        "repeat": node.optional("repeat", "keep_first", lambda n: n.choice(_REPEATS)),
        "once": node.optional("once", default=False, read=Node.boolean),
        "priority": node.optional("priority", 0, _priority) or None,
        "audience": node.optional("audience", None, lambda n: read_condition(n, AUDIENCE_NAMES)),
        "holdout": node.optional("holdout", None, _holdout),
        "experiment": node.optional("experiment", None, read_experiment),
        "steps": node.required("steps", read_steps) or [],
        "status": node.optional("status", None, _status),
    }
    _together(node, made)
    return {key: value for key, value in made.items() if value is not None}


_REPEATS: Final = ("keep_first", "restart")


def _priority(node: Node) -> int | None:
    """0 is left out of the canonical form: a journey without one stays what it was."""
    return node.whole(-PRIORITY_MAX, PRIORITY_MAX)


def _status(node: Node) -> str | None:
    """Active is what no status means: documents of before it existed keep their digest."""
    status = node.choice(STATUSES)
    return None if status == STATUSES[0] else status


def _name(node: Node) -> str | None:
    name = node.text()
    if name is not None and len(name) > NAME_MAX:
        node.error(f"{node.name} is longer than {NAME_MAX} characters", "shorten it")
        return None
    return name


def _patterns(node: Node, names: frozenset[str], *, empty: bool) -> list[Pattern] | None:
    """Every alternative: a text, a map or a list of those."""
    found: list[Pattern] = []
    for each in node.list(empty=empty, single=True):
        found += _alternatives(each, names)
    return found


def _alternatives(node: Node, names: frozenset[str]) -> list[Pattern]:
    if not isinstance(node.value, Mapping):
        return _of_track(node, None)
    if not node.map(PATTERN_KEYS):
        return []
    where = node.optional("where", None, lambda n: read_condition(n, names))
    kind = node.optional("type", "track", lambda n: n.choice(TYPES))
    if node.has("event"):
        event = node.at("event")
        if node.has("name") or kind != "track":
            remedy = "write `event` for a track call, `type` and `name` for a page or screen"
            event.error("`event` stands beside another `type` or `name`", remedy)
        parts = event.list(empty=False, single=True)
        return [pattern for each in parts for pattern in _event(each, where)]
    if node.has("name"):
        return _named(node.at("name"), kind, where)
    if not node.has("type"):
        node.error("this names no event", "write `event: NAME`, or `type: page` and `name: NAME`")
        return []
    return [_pattern(kind, None, where)]


def _event(node: Node, where: str | None) -> list[Pattern]:
    """What may stand at `event`: a track event's name, or a map of type and name."""
    if not isinstance(node.value, Mapping):
        return _of_track(node, where)
    if not node.map(("type", "name")):
        return []
    kind = node.required("type", lambda n: n.choice(TYPES)) or "page"
    return (
        _named(node.at("name"), kind, where) if node.has("name") else [_pattern(kind, None, where)]
    )


def _named(node: Node, kind: str, where: str | None) -> list[Pattern]:
    if kind not in NAMED_TYPES:
        remedy = "write `event` for a track call, `type: page` or `type: screen` beside `name`"
        node.error(f"a {kind} call has no `name`", remedy)
        return []
    names = [each.text() for each in node.list(empty=False, single=True)]
    return [_pattern(kind, name, where) for name in names if name is not None]


def _of_track(node: Node, where: str | None) -> list[Pattern]:
    name = node.text()
    return [] if name is None else [_pattern("track", name, where)]


def _pattern(kind: str, name: str | None, where: str | None) -> Pattern:
    made = {"type": kind, "event" if kind == "track" else "name": name, "where": where}
    return {key: value for key, value in made.items() if value is not None}


def pattern_name(pattern: Pattern) -> str | None:
    """The event, page or screen that a pattern means; None: any of its type."""
    name: str | None = pattern.get("event", pattern.get("name"))
    return name


def _holdout(node: Node) -> dict[str, Any] | None:
    if not node.map(("percent", "salt")):
        return None
    percent = node.required("percent", lambda n: n.number(0, 100))
    salt = node.optional("salt", "", Node.free_text)
    if percent is not None and percent == int(percent):
        percent = int(percent)
    return {"percent": percent, "salt": salt}


def _together(node: Node, made: dict[str, Any]) -> None:
    """Check what only shows when parts are seen side by side."""
    if made["match"] == "key" and not node.has("key"):
        node.at("match").error("`match: key` needs a `key`", "add `key: properties.NAME`")
    check_steps(node, made)
    check_variants(node, made)
    _both(node, made)


def _both(node: Node, made: dict[str, Any]) -> None:
    for start in made["start"]:
        for cancel in made["unless"]:
            names = {pattern_name(start), pattern_name(cancel)}
            if start["type"] == cancel["type"] and (len(names) == 1 or None in names):
                name = pattern_name(start) or pattern_name(cancel) or f"any {start['type']}"
                remedy = "write `repeat: restart` for a start that begins the wait anew"
                node.at("unless").error(f"`{name}` is both `start` and `unless`", remedy)
                return
