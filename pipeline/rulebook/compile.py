"""From a document to the rulebook that the rules use."""

from typing import Any, cast

from pipeline.domain.events import Channel
from pipeline.domain.rules import (
    ConsentRule,
    Experiment,
    Holdout,
    Journey,
    Pattern,
    Rulebook,
    Step,
    Until,
)
from pipeline.rulebook.calling import read_calling
from pipeline.rulebook.calling_compile import compile_calling, compile_step_window
from pipeline.rulebook.conditions import (
    AUDIENCE_NAMES,
    START_NAMES,
    UNLESS_NAMES,
    compile_condition,
)
from pipeline.rulebook.durations import parse_duration, parse_offset
from pipeline.rulebook.findings import Finding, errors
from pipeline.rulebook.journeys import pattern_name, read_journey
from pipeline.rulebook.load import (
    FORMAT,
    Document,
    RulebookError,
    document_digest,
    make_document,
    refuse_twins,
)
from pipeline.rulebook.policies import read_consent, read_identity
from pipeline.rulebook.shape import Node
from pipeline.rulebook.slots import slot_of
from pipeline.rulebook.steps import afters


def canonical_document(document: Document) -> Document:
    """The document with every default and long form; itself if it has them already.

    Takes journeys as their files have them, so that programs can write short ones. Raises
    RulebookError for what can't be used.
    """
    findings: list[Finding] = []
    known = ("format", "journeys", "consent", "identity", "calling")
    root = Node(document, "document", findings, name="the document")
    journeys, consent, identity, calling = [], [], None, None
    if document.get("format", FORMAT) != FORMAT:
        root.error(
            f"its format is {document['format']}, not {FORMAT}", "use the version that made it"
        )
    elif root.map(known):
        if root.has("journeys"):
            nodes = list(root.at("journeys").list())
            journeys = [read_journey(each) for each in nodes]
            refuse_twins(zip(nodes, journeys, strict=True))
        if root.has("consent"):
            consent = read_consent(root.at("consent"))
        if root.has("identity"):
            identity = read_identity(root.at("identity"))
        if root.has("calling"):
            calling = read_calling(root.at("calling"))
    if found := errors(findings):
        raise RulebookError(found)
    return make_document(journeys, consent, identity, calling)


def compile_rulebook(document: Document) -> Rulebook:
    """Compile a document. Raises RulebookError for one that `check` would refuse."""
    made = canonical_document(document)
    calling = made.get("calling")
    windows = any(step.get("window") for each in made["journeys"] for step in each["steps"])
    return Rulebook(
        digest=document_digest(made),
        journeys=tuple(_journey(each, calling) for each in made["journeys"]),
        consent=tuple(
            ConsentRule(each["event"], tuple(each["channels"]), each["subscribed"])
            for each in made["consent"]["events"]
        ),
        refused=frozenset(made["identity"]["refuse"]),
        merge_known=made["identity"]["alias"] == "merge",
        calling=compile_calling(calling) if calling or windows else None,
    )


def _journey(made: dict[str, Any], calling: dict[str, Any] | None) -> Journey:
    holdout, audience, key = made.get("holdout"), made.get("audience"), made.get("key")
    return Journey(
        name=slot_of(made),
        version=made["version"],
        start=_patterns(made["start"], START_NAMES),
        steps=_steps(made["steps"], calling),
        unless=_patterns(made["unless"], UNLESS_NAMES),
        key=tuple(key.split(".")) if key else (),
        match=made["match"],
        lookback=_length(made["lookback"]),
        lateness=_length(made["lateness"]),
        repeat=made["repeat"],
        once=made["once"],
        priority=made.get("priority", 0),
        audience=compile_condition(audience, AUDIENCE_NAMES) if audience else None,
        holdout=Holdout(holdout["percent"], holdout["salt"]) if holdout else None,
        description=made["description"],
        experiment=_experiment(made["experiment"]) if "experiment" in made else None,
        status=made.get("status", "active"),
    )


def _experiment(made: dict[str, Any]) -> Experiment:
    variants = tuple((each["name"], each["percent"]) for each in made["variants"])
    return Experiment(made["salt"], variants)


def _patterns(made: list[dict[str, Any]], names: frozenset[str]) -> tuple[Pattern, ...]:
    return tuple(
        Pattern(
            each["type"],
            pattern_name(each),
            compile_condition(each["where"], names) if "where" in each else None,
        )
        for each in made
    )


def _steps(made: list[dict[str, Any]], calling: dict[str, Any] | None) -> tuple[Step, ...]:
    """Each repetition is a step of its own; numbers run on."""
    repeated = [(after, each) for each in made for after in afters(each)]
    return tuple(
        _step(number, after, each, calling) for number, (after, each) in enumerate(repeated, 1)
    )


def _step(number: int, after: int, made: dict[str, Any], calling: dict[str, Any] | None) -> Step:
    when = made.get("when")
    return Step(
        number=number,
        after=after,
        channel=cast("Channel", made["channel"]),
        expires=_length(made["expires"]),
        cooldown=_length(made["cooldown"]),
        include=tuple(made["include"]),
        window=compile_step_window(made.get("window"), calling),
        when=compile_condition(when, AUDIENCE_NAMES) if when else None,
        until=_until(made) if "until" in made else None,
        variant=made.get("variant"),
        holds=made.get("closed") != "suppress",
    )


def _until(made: dict[str, Any]) -> Until:
    return Until(tuple(made["until"].split(".")), parse_offset(made["offset"]) or 0)


def _length(text: str) -> int:
    length = parse_duration(text)
    if length is None:
        raise ValueError(text)
    return length
