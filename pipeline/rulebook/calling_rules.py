"""Rules of the law, limits and data sets of them, in their canonical form.

A data set comes with the program and is named by name and date; or its rules are written out, as in
a canonical document, and as somebody may who knows better.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from pipeline.rulebook.calling_data import known_sets, read_set
from pipeline.rulebook.calling_hours import read_holidays, read_hours
from pipeline.rulebook.clocks import zones_of_countries
from pipeline.rulebook.durations import parse_duration
from pipeline.rulebook.findings import nearest
from pipeline.rulebook.shape import Node
from pipeline.rulebook.steps import CHANNELS
from pipeline.rulebook.us_places import us_places

DATA_KEYS: Final = ("name", "date", "without", "holidays", "rules", "limits")
RULE_KEYS: Final = ("regions", "channels", "numbers", "source", "hours", "days", "holidays")
LIMIT_KEYS: Final = ("max", "per", "scope", "regions", "channels", "numbers", "source")
SCOPES: Final = ("address", "person")
LIMIT_MAX: Final = 1000

_REGION: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

Made = dict[str, Any]


def read_map(node: Node, key: str, read: Callable[[Node], Made | None]) -> Made:
    """The map at a key, empty where it is left out."""
    empty: Made = {}
    return node.optional(key, empty, read) if node.has_keys() else empty


def read_each(node: Node, key: str, read: Callable[[Node], Made | None]) -> list[Made]:
    """What is read of each entry of the list at a key."""
    none: list[Made] = []
    if not node.has_keys():
        return none
    return node.optional(key, none, lambda n: [made for each in n.list() if (made := read(each))])


def read_region(node: Node) -> str | None:
    """A country or a state by its ISO 3166 code."""
    text = node.value
    if not isinstance(text, str) or not _REGION.fullmatch(text):
        node.wrong("a country as GB or a state as US-FL (ISO 3166)")
        return None
    country, _, state = text.partition("-")
    known = zones_of_countries() if not state else us_places().states
    if (not state and country not in known) or (country == "US" and state and state not in known):
        near = nearest(text, known) if not state else None
        remedy = f"did you mean `{near}`?" if near else "write its ISO 3166 code"
        node.error(f"there is no region `{text}`", remedy)
        return None
    return text


def read_sets(node: Node) -> Made | None:
    """Sets of holidays by name."""
    if not node.has_keys():
        node.wrong("a map of names to lists of holidays")
        return None
    return {name: read_holidays(node.at(name)) for name in sorted(node.value)}


def read_data(node: Node) -> Made | None:
    """A data set by name and date, or with its rules written out."""
    if not node.map(DATA_KEYS, "a data set (`name` and `date`)"):
        return None
    name, date = node.required("name", Node.text), node.required("date", _date)
    if name is None or date is None:
        return None
    content = node
    if not any(node.has(key) for key in ("holidays", "rules", "limits")):
        value = read_set(name, date)
        if value is None:
            near = nearest(f"{name} {date}", known_sets())
            remedy = f"did you mean {near}?" if near else f"known are {', '.join(known_sets())}"
            node.at("date").error(f"there is no data set {name} of {date}", remedy)
            return None
        content = Node(value, node.file, node.findings, node.line, f"data set {name} {date}")
    rules, limits = read_each(content, "rules", _rule), read_each(content, "limits", read_limit)
    none: list[str] = []
    without = node.optional("without", none, _regions)
    for region in without:
        if not any(region in each["regions"] for each in (*rules, *limits)):
            node.at("without").error(f"{name} has no rule for {region}", "remove it")
    return {
        "name": name,
        "date": date,
        "holidays": read_map(content, "holidays", read_sets),
        "rules": _except(rules, without),
        "limits": _except(limits, without),
    }


def _date(node: Node) -> str | None:
    if isinstance(node.value, str) and _DATE.fullmatch(node.value):
        return node.value
    node.wrong("a date as 2025-11-01")
    return None


def _except(found: list[Made], without: list[str]) -> list[Made]:
    left = [each | {"regions": sorted(set(each["regions"]) - set(without))} for each in found]
    return [
        now for now, each in zip(left, found, strict=True) if now["regions"] or not each["regions"]
    ]


def _regions(node: Node) -> list[str]:
    found = {read_region(each) for each in node.list(single=True)}
    return sorted(region for region in found if region is not None)


def _applies(node: Node) -> Made:
    none: list[str] = []
    return {
        "regions": node.optional("regions", none, _regions),
        "channels": node.optional("channels", list(CHANNELS), _channels),
        "numbers": node.optional("numbers", default=False, read=Node.boolean),
        "source": node.optional("source", "", Node.free_text),
    }


def _channels(node: Node) -> list[str]:
    found = {each.choice(CHANNELS) for each in node.list(empty=False, single=True)}
    return [channel for channel in CHANNELS if channel in found]


def _rule(node: Node) -> Made | None:
    return _applies(node) | read_hours(node) if node.map(RULE_KEYS, "a rule (a map)") else None


def read_limit(node: Node) -> Made | None:
    """How many triggers in how long a time."""
    if not node.map(LIMIT_KEYS, "a limit (a map)"):
        return None
    return _applies(node) | {
        "max": node.required("max", lambda n: n.whole(1, LIMIT_MAX)),
        "per": node.required("per", _length),
        "scope": node.optional("scope", "address", lambda n: n.choice(SCOPES)),
    }


def _length(node: Node) -> str | None:
    length = node.duration()
    if length is not None and not parse_duration(length):
        node.error(f"{node.name} is no time at all", "write how long the limit counts, as 24h")
        return None
    return length
