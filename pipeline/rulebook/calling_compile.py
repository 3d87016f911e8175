"""From the canonical form of calling.yaml to the rules that `next_open` uses."""

from collections.abc import Mapping
from typing import Any, cast

from pipeline.domain.calling_hours import MINUTES, Spans, Window
from pipeline.domain.calling_rules import (
    Applies,
    Atlas,
    CallingRule,
    CallingRules,
    Limit,
    OwnHours,
    Scope,
)
from pipeline.domain.events import Channel
from pipeline.rulebook.calling import UNKNOWN, holiday_sets
from pipeline.rulebook.calling_hours import DAYS, Hours, parse_holiday
from pipeline.rulebook.durations import parse_duration
from pipeline.rulebook.zones import ATLAS

NOTHING: dict[str, Any] = {
    "hours": {}, "places": {}, "holidays": {}, "data": [], "unknown": UNKNOWN, "limits": [],
}  # fmt: skip
"""The canonical form of a rulebook without a calling.yaml: every hour is open, no limits."""


def compile_calling(made: dict[str, Any] | None, atlas: Atlas = ATLAS) -> CallingRules:
    """Compile what `read_calling` gave without an error; None: there is no calling.yaml."""
    made = made or NOTHING
    sets = holiday_sets(made)
    own = [_own(channel, "", hours, sets) for channel, hours in made["hours"].items()]
    for region, channels in made["places"].items():
        own += [_own(channel, region, hours, sets) for channel, hours in channels.items()]
    return CallingRules(
        atlas=atlas,
        own=tuple(own),
        rules=tuple(_rule(each, sets) for part in made["data"] for each in part["rules"]),
        limits=tuple(_limit(each) for part in (made, *made["data"]) for each in part["limits"]),
        unknown_zones=_zones(made["unknown"]["zone"]),
        strict_regions=made["unknown"]["region"] == "strictest",
    )


def compile_step_window(hours: Hours | None, made: dict[str, Any] | None) -> Window | None:
    """A journey step's `window`, with the holidays that calling.yaml and its data name."""
    return compile_window(hours, "step window", holiday_sets(made or NOTHING)) if hours else None


def _own(channel: str, region: str, hours: Hours, sets: dict[str, list[str]]) -> OwnHours:
    label = f"{channel} in {region}" if region else channel
    window = compile_window(hours, f"{label} hours", sets)
    return OwnHours(cast("Channel", channel), region, window)


def _rule(made: dict[str, Any], sets: dict[str, list[str]]) -> CallingRule:
    label = " ".join((*made["regions"], "hours")) if made["regions"] else "hours"
    return CallingRule(_applies(made), compile_window(made, label, sets))


def _limit(made: dict[str, Any]) -> Limit:
    where = f" in {' '.join(made['regions'])}" if made["regions"] else ""
    channels = " or ".join(made["channels"])
    return Limit(
        name=f"{made['max']} {channels} per {made['per']} and {made['scope']}{where}",
        applies=_applies(made),
        most=made["max"],
        per=parse_duration(made["per"]) or 0,
        scope=cast("Scope", made["scope"]),
    )


def _applies(made: dict[str, Any]) -> Applies:
    channels = tuple(cast("Channel", channel) for channel in made["channels"])
    return Applies(channels, tuple(made["regions"]), made["numbers"])


def _zones(policy: str | dict[str, Any]) -> tuple[str, ...]:
    if isinstance(policy, str):
        return ()
    return (policy["assume"],) if "assume" in policy else tuple(policy["strictest"])


def compile_window(made: Hours, label: str, sets: Mapping[str, list[str]]) -> Window:
    """A canonical window; `sets` are the texts of the holiday sets by name."""
    texts = dict.fromkeys(text for name in made["holidays"] for text in sets[name])
    holidays = (parse_holiday(text) for text in texts)
    named = f", closed on {' and '.join(made['holidays'])}" if made["holidays"] else ""
    return Window(
        name=f"{label} {written_hours(made['hours'])}{named}",
        week=tuple(_minutes(made["hours"][day]) for day in DAYS),
        holidays=tuple(each for each in holidays if each is not None),
    )


def _minutes(spans: list[str]) -> Spans:
    found = []
    for span in spans:
        start, end = (int(text[:2]) * 60 + int(text[3:]) for text in span.split("-"))
        found.append((start, end if end > start else end + MINUTES))
    return tuple(found)


def written_hours(week: Mapping[str, list[str]]) -> str:
    """As one reads it: `09:00-20:00 mon..sat, 12:00-20:00 sun`."""
    runs: list[tuple[str, str, str]] = []
    for day in DAYS:
        spans = " and ".join(week[day])
        if runs and runs[-1][2] == spans:
            runs[-1] = (runs[-1][0], day, spans)
        else:
            runs.append((day, day, spans))
    open_runs = [run for run in runs if run[2]]
    if len(runs) == 1:
        return runs[0][2]
    return ", ".join(
        f"{spans} {first if first == last else f'{first}..{last}'}"
        for first, last, spans in open_runs
    )
