"""Where in the US somebody may be, by state, ZIP code or area code: `data/us-places.yaml`."""

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Prefix:
    """The first three digits of a ZIP code or a phone number: states and zones that it may mean."""

    states: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()


@dataclass(slots=True)
class UsPlaces:
    """By state its zones; states also by their English names in lower case."""

    states: dict[str, tuple[str, ...]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    zips: dict[str, Prefix] = field(default_factory=dict)
    areas: dict[str, Prefix] = field(default_factory=dict)

    def state(self, text: str) -> str | None:
        """A state by its code or name."""
        upper = text.upper()
        return upper if upper in self.states else self.names.get(text.lower())


@cache
def us_places() -> UsPlaces:
    """Read the data, once."""
    text = (files(__package__) / "data" / "us-places.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    made = UsPlaces()
    for code, state in content["states"].items():
        zones = tuple(state["zones"])
        made.states[code] = zones
        made.names[state["name"].lower()] = code
        for prefixes, text in ((made.zips, state["zip"]), (made.areas, state["area"])):
            for prefix in _spread(text):
                known = prefixes.get(prefix, Prefix())
                prefixes[prefix] = Prefix(
                    (*known.states, code), tuple(dict.fromkeys(known.zones + zones))
                )
    for prefixes, part, key in ((made.zips, "zips", "zip"), (made.areas, "areas", "area")):
        for entry in content[part]:
            for prefix in _spread(entry[key]):
                prefixes[prefix] = Prefix(prefixes[prefix].states, tuple(entry["zones"]))
    return made


def _spread(text: str) -> list[str]:
    """`"005 010-012"` as 005, 010, 011, 012."""
    found = []
    for part in text.split():
        first, _, last = part.partition("-")
        found += [f"{number:03d}" for number in range(int(first), int(last or first) + 1)]
    return found
