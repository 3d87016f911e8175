"""Rulebooks that many seeds have: read and compiled once."""

from typing import Any

import orjson

from pipeline.domain.rules import Rulebook
from pipeline.domain.turn import Rules
from pipeline.process.shelf import rules_of
from pipeline.rulebook.compile import canonical_document, compile_rulebook
from pipeline.rulebook.load import Document, document_digest
from pipeline.wire.state import Shelf

_documents: dict[bytes, tuple[Document, str]] = {}
_rulebooks: dict[bytes, Rulebook] = {}
_rules: dict[tuple[str | None, ...], Rules] = {}


def canonical(rulebook: dict[str, Any]) -> tuple[Document, str]:
    """Its document and digest."""
    text = orjson.dumps(rulebook)
    if text not in _documents:
        document = canonical_document(orjson.loads(text))
        _documents[text] = document, document_digest(document)
    return _documents[text]


def rules_once(shelf: Shelf) -> Rules:
    """Stands in for `rules_of`; what was ruled, and pauses, are a seed's own."""
    if shelf.rulings or shelf.pauses:
        return rules_of(shelf, _compiled)
    name = (shelf.current, *shelf.documents)
    if name not in _rules:
        _rules[name] = rules_of(shelf, _compiled)
    return _rules[name]


def _compiled(document: Document) -> Rulebook:
    text = orjson.dumps(document)
    if text not in _rulebooks:
        _rulebooks[text] = compile_rulebook(document)
    return _rulebooks[text]
