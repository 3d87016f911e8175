"""A failed case at one glance: what was expected, what came, why, and the events that took part."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from pipeline.commands.tables import shown
from pipeline.domain.times import format_instant
from pipeline.process.rulebook_runner import Verdict
from pipeline.rulebook.branches import FALSE, UNJUDGED
from pipeline.rulebook.cases import Arrival, Case, Erase
from pipeline.rulebook.compare import Difference, decided, fields_told, fields_wanted, shown_as
from pipeline.rulebook.findings import nearest
from pipeline.rulebook.journeys import pattern_name
from pipeline.rulebook.load import Document

_DECISIONS_MAX: Final = 4
_EVENTS_MAX: Final = 8
_INDENT: Final = " " * 4
_LABEL: Final = 12
Line = tuple[str, str]


def failure_lines(verdict: Verdict, document: Document) -> list[str]:
    """The case's place and name, and below it each difference, labels in one column."""
    case = verdict.case
    lines = [f"{case.file}:{case.line}: {shown(case.name)}"]
    for each in verdict.differences:
        told = [*_what(each), *_why(each, verdict, document), *_events(each, case, document)]
        before = ""
        for label, text in told:
            name = "" if label == before else label
            lines.append(f"{_INDENT}{name:<{_LABEL}}{shown(text)}".rstrip())
            before = label
    return lines


def _what(each: Difference) -> Iterator[Line]:
    if each.wanted is None:
        yield "unexpected", _listed(fields_told(each.came or {}))
    elif each.came is None:
        label = "missing" if each.kind == "missing" else "no decision"
        yield label, _listed(fields_wanted(each.wanted))
    else:
        yield "expected", _listed(fields_wanted(each.wanted))
        for name, wanted, came in each.compared:
            yield "but", f"{name} came as {came}, not {wanted}"


def _listed(fields: Sequence[Line]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fields)


def _why(each: Difference, verdict: Verdict, document: Document) -> Iterator[Line]:
    """The decisions with their gates; where there is none, what the conditions said."""
    about = each.decisions
    for record in about[-_DECISIONS_MAX:]:
        yield "decided", decided(record)
        if gates := record.get("gates"):
            yield "decided", f"    gates: {', '.join(map(_gate, gates))}"
    if (more := len(about) - _DECISIONS_MAX) > 0:
        yield "decided", f"and {more} earlier"
    if not about:
        yield "decided", "nothing"
        for text in _not_started(each, verdict, document):
            yield "because", text


def _gate(gate: Mapping[str, Any]) -> str:
    detail = f" ({gate['detail']})" if gate.get("detail") else ""
    until = f" until {shown_as('until', gate['until'])}" if gate.get("until") else ""
    return f"{gate['gate']} {gate['verdict']}{until}{detail}"


def _not_started(each: Difference, verdict: Verdict, document: Document) -> Iterator[str]:
    journey = _journey(each, document)
    if journey is None:
        return
    for branch, count in sorted(verdict.taken.items()):
        if branch.journey == each.journey and branch.branch in {FALSE, UNJUDGED}:
            yield f"{branch.rule}: {branch.branch}" + (f", {count} times" if count > 1 else "")
    starts = {name for made in journey["start"] if (name := pattern_name(made)) is not None}
    came = {name for _, _, name, _ in _calls(verdict.case)}
    if starts and not starts & came:
        wanted = " or ".join(f"`{name}`" for name in sorted(starts))
        yield f"no event named {wanted} came"
        for name in sorted(starts):
            if (near := nearest(name, came)) is not None:
                yield f"`{near}` came, but names are exact"


def _journey(each: Difference, document: Document) -> dict[str, Any] | None:
    named = (made for made in document["journeys"] if made["journey"] == each.journey)
    return next(named, None)


def _events(each: Difference, case: Case, document: Document) -> Iterator[Line]:
    """The events of the case that are named by a record, or that the journey's rules name."""
    roles = _roles([*each.decisions, *([each.came] if each.came else [])])
    journey = _journey(each, document)
    names = _names(journey) if journey else set()
    found = [
        (message, f"{at}  {who}  {name}{roles.get(message, '')}")
        for message, at, name, who in _calls(case)
        if message in roles or (not roles and (name in names or not names))
    ]
    for message, text in found[:_EVENTS_MAX]:
        yield "events", f"{message}  {text}"
    if (more := len(found) - _EVENTS_MAX) > 0:
        yield "events", f"and {more} more"


def _roles(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    roles: dict[str, str] = {}
    for record in records:
        for name, word in (("anchor", "started it"), ("cause", "ended it")):
            event = record.get(name)
            if isinstance(event, Mapping) and event.get("messageId"):
                roles.setdefault(str(event["messageId"]), f"  <- {word}")
    return roles


def _names(journey: Mapping[str, Any]) -> set[str]:
    made = [*journey["start"], *journey["unless"]]
    return {name for each in made if (name := pattern_name(each)) is not None}


def _calls(case: Case) -> Iterator[tuple[str, str, str, str]]:
    """Of each event messageId, event time, name and who, as far as it has them."""
    for step in case.arrivals:
        if isinstance(step, Erase):
            yield "-", format_instant(step.at), "erase", step.id
        else:
            yield from _read(step)


def _read(arrival: Arrival) -> Iterator[tuple[str, str, str, str]]:
    try:
        call = orjson.loads(arrival.value)
    except orjson.JSONDecodeError:
        return
    batch = call.get("batch") if isinstance(call, dict) else None
    for each in batch if isinstance(batch, list) else [call]:
        if not isinstance(each, dict):
            continue
        kind = each.get("type")
        name = each.get("event" if kind == "track" else "name") or kind
        who = each.get("userId") or each.get("anonymousId") or "-"
        time = each.get("timestamp") or format_instant(arrival.at)
        yield str(each.get("messageId", "-")), shown_as("at", time), str(name), str(who)
