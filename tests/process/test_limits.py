"""Limits of scope person: exact, wherever it went and whoever the person turns out to be."""

import asyncio
from pathlib import Path

import pytest

from pipeline.adapters.memory_store import MemoryStore
from pipeline.process.rulebook_runner import run_cases
from pipeline.rulebook.cases import Case, read_cases
from pipeline.rulebook.load import document_digest, read

SOURCES = read(Path(__file__).parent / "limits")
CASES = [case for root in SOURCES.tests for case in read_cases(root)]


def test_the_rulebook_is_in_order() -> None:
    assert SOURCES.findings == []
    assert CASES


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_limit_of_scope_person(case: Case) -> None:
    digest = document_digest(SOURCES.document)

    (verdict,) = asyncio.run(run_cases([case], SOURCES.document, digest, MemoryStore))

    assert verdict.wrong == []
