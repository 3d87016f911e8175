"""A partition's rulebooks, compiled."""

from pipeline.domain.turn import Rules
from pipeline.rulebook.compile import compile_rulebook
from pipeline.wire.state import Shelf


def rules_of(shelf: Shelf) -> Rules:
    """The rulebook in force, and every version that a wait may be pinned to."""
    rules = Rules()
    for digest, document in shelf.documents.items():
        rulebook = compile_rulebook(document)
        rules.know(rulebook)
        if digest == shelf.current:
            rules.current = rulebook
    return rules
