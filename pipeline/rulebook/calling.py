"""calling.yaml in its canonical form: hours, places, holidays, data sets of rules, limits.

The canonical form holds the rules of the data sets themselves, not only their names: what is in the
log decides the same under any version of this program.
"""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.rulebook.calling_hours import Hours, read_window
from pipeline.rulebook.calling_rules import (
    read_data,
    read_each,
    read_limit,
    read_map,
    read_region,
    read_sets,
)
from pipeline.rulebook.clocks import zone_names
from pipeline.rulebook.findings import nearest
from pipeline.rulebook.shape import Node
from pipeline.rulebook.steps import CHANNELS

CALLING_KEYS: Final = ("hours", "places", "holidays", "data", "unknown", "limits")
UNKNOWN: Final = {"zone": "never", "region": "strictest"}

Made = dict[str, Any]


def read_calling(node: Node) -> Made:
    """Read it; what is wrong is noted, and is its default or missing in what is returned."""
    node.map(CALLING_KEYS)
    data = read_each(node, "data", read_data)
    made: Made = {
        "hours": read_map(node, "hours", _by_channel),
        "places": read_map(node, "places", _places),
        "holidays": read_map(node, "holidays", read_sets),
        "data": sorted(data, key=lambda each: (str(each["name"]), str(each["date"]))),
        "unknown": read_map(node, "unknown", _unknown) or dict(UNKNOWN),
        "limits": read_each(node, "limits", read_limit),
    }
    _check_names(node, made)
    return made


def holiday_sets(made: Made) -> dict[str, list[str]]:
    """Every set that a name may mean: our own, then those of the data sets."""
    found: dict[str, list[str]] = {}
    for part in (*reversed(made["data"]), made):
        found |= part["holidays"]
    return found


def _by_channel(node: Node) -> Made | None:
    if not node.map(CHANNELS, "a map of channels"):
        return None
    read = {name: read_window(node.at(name)) for name in CHANNELS if node.has(name)}
    return {name: window for name, window in read.items() if window is not None}


def _places(node: Node) -> Made | None:
    if not node.has_keys():
        node.wrong("a map of regions as US, US-FL or GB")
        return None
    found = {}
    for name in sorted(node.value):
        region = read_region(Node(name, node.file, node.findings, node.at(name).line, f"`{name}`"))
        hours = _by_channel(node.at(name))
        if region and hours is not None:
            found[region] = hours
    return found


def _unknown(node: Node) -> Made | None:
    if not node.map(tuple(UNKNOWN)):
        return None
    regions = ("strictest", "ignore")
    return {
        "zone": node.optional("zone", UNKNOWN["zone"], _zone_policy),
        "region": node.optional("region", UNKNOWN["region"], lambda n: n.choice(regions)),
    }


def _zone_policy(node: Node) -> Any:
    if not isinstance(node.value, Mapping):
        return node.choice(("never",))
    if not node.map(("assume", "strictest")) or len(node.value) != 1:
        node.error(
            f"{node.name} is not one policy", "write never, assume: ZONE or strictest: [...]"
        )
        return None
    if node.has("assume"):
        zone = _zone(node.at("assume"))
        return {"assume": zone} if zone else None
    zones = [_zone(each) for each in node.at("strictest").list(empty=False)]
    return {"strictest": list(dict.fromkeys(zone for zone in zones if zone))}


def _zone(node: Node) -> str | None:
    known = zone_names()
    if isinstance(node.value, str) and node.value.lower() in known:
        return known[node.value.lower()]
    near = nearest(node.value, known.values()) if isinstance(node.value, str) else None
    remedy = f"did you mean {near}?" if near else "write an IANA name as America/New_York"
    node.error(f"{node.name} is no time zone of a place", remedy)
    return None


def _check_names(node: Node, made: Made) -> None:
    """Data sets stand once; holiday sets that are used must be there, and mean one thing."""
    first: dict[str, list[str]] = {}
    for part, before in zip(made["data"], [None, *made["data"]], strict=False):
        if before is not None and before["name"] == part["name"]:
            node.at("data").error(f"data set {part['name']} stands twice", "keep one date of it")
        for name, texts in part["holidays"].items():
            if name in made["holidays"] or first.setdefault(name, texts) != texts:
                key = "holidays" if name in made["holidays"] else "data"
                message = f"the holidays `{name}` stand in two places"
                node.at(key).error(message, "give your own another name")
    known = holiday_sets(made)
    used: list[tuple[str, Hours]] = [("hours", each) for each in made["hours"].values()]
    used += [("places", each) for part in made["places"].values() for each in part.values()]
    used += [("data", each) for part in made["data"] for each in part["rules"]]
    for key, hours in used:
        for name in hours["holidays"]:
            if name not in known:
                near = nearest(name, known)
                remedy = f"did you mean `{near}`?" if near else "add them under `holidays`"
                node.at(key).error(f"there are no holidays `{name}`", remedy)
