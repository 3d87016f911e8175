"""From a document to the rulebook that the rules use."""

from typing import Any, cast

from pipeline.domain.events import Channel
from pipeline.domain.rules import ConsentRule, Holdout, Journey, Pattern, Rulebook, Step
from pipeline.rulebook.calling import read_calling
from pipeline.rulebook.calling_compile import compile_calling, compile_step_window
from pipeline.rulebook.conditions import (
    AUDIENCE_NAMES,
    START_NAMES,
    UNLESS_NAMES,
    compile_condition,
)
from pipeline.rulebook.durations import parse_duration
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
        name=made["journey"],
        version=made["version"],
        start=_patterns(made["start"], START_NAMES),
        steps=tuple(_step(number, each, calling) for number, each in enumerate(made["steps"], 1)),
        unless=_patterns(made["unless"], UNLESS_NAMES),
        key=tuple(key.split(".")) if key else (),
        match=made["match"],
        lookback=_length(made["lookback"]),
        lateness=_length(made["lateness"]),
        repeat=made["repeat"],
        once=made["once"],
        audience=compile_condition(audience, AUDIENCE_NAMES) if audience else None,
        holdout=Holdout(holdout["percent"], holdout["salt"]) if holdout else None,
        description=made["description"],
    )


def _patterns(made: list[dict[str, Any]], names: frozenset[str]) -> tuple[Pattern, ...]:
    return tuple(
        Pattern(
            each["type"],
            pattern_name(each),
            compile_condition(each["where"], names) if "where" in each else None,
        )
        for each in made
    )


def _step(number: int, made: dict[str, Any], calling: dict[str, Any] | None) -> Step:
    return Step(
        number=number,
        after=_length(made["after"]),
        channel=cast("Channel", made["channel"]),
        expires=_length(made["expires"]),
        cooldown=_length(made["cooldown"]),
        include=tuple(made["include"]),
        window=compile_step_window(made.get("window"), calling),
    )


def _length(text: str) -> int:
    length = parse_duration(text)
    if length is None:
        raise ValueError(text)
    return length
