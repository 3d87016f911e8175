"""A partition's rulebooks: compiled, and put in force."""

from collections.abc import Callable
from typing import TypeAlias

from pipeline.domain.rules import Rulebook
from pipeline.domain.turn import Rules
from pipeline.domain.versions import Pause, Ruling
from pipeline.rulebook.compile import compile_rulebook
from pipeline.rulebook.load import Document
from pipeline.wire.records import Enforce
from pipeline.wire.state import Shelf

Compile: TypeAlias = Callable[[Document], Rulebook]
RulesOf: TypeAlias = Callable[[Shelf], Rules]


def rules_of(shelf: Shelf, compile_: Compile = compile_rulebook) -> Rules:
    """The rulebook in force, and every version that a wait may be pinned to."""
    rules = Rules()
    for digest, document in shelf.documents.items():
        rulebook = compile_(document)
        rules.know(rulebook)
        if digest == shelf.current:
            rules.current = rulebook
    for journey, ruling in shelf.rulings.items():
        rules.of(journey).ruling = ruling
    for journey, pause in shelf.pauses.items():
        rules.of(journey).pause = pause
    return rules


def put_in_force(shelf: Shelf, enforce: Enforce, at: int) -> bool:
    """Note what is in force from this log time on; whether that means waits that are open.

    They are meant by rulings, and by the end of a pause: what is due must be looked at anew.
    """
    shelf.current = enforce.digest
    for journey, ruling in enforce.rulings.items():
        shelf.rulings[journey] = shelf.rulings.get(journey, Ruling()).also(ruling)
    journeys = shelf.documents[enforce.digest].get("journeys", [])
    paused = {made["journey"] for made in journeys if made.get("status") == "paused"}
    going_on = {journey for journey, pause in shelf.pauses.items() if pause.until is None}
    for journey in sorted(paused - going_on):
        shelf.pauses[journey] = Pause(at)
    for journey in going_on - paused:
        shelf.pauses[journey] = shelf.pauses[journey]._replace(until=at)
    return bool(enforce.rulings or going_on - paused)
