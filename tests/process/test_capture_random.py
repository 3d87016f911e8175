"""Captures of random histories: they give what happened, and hold nothing of whom it was about."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.adapters.memory_store import MemoryStore
from pipeline.process.capture.capturing import Captured, capture
from pipeline.process.capture.selection import Selection, select
from pipeline.process.history import Happened
from pipeline.process.replay import Replay
from pipeline.process.rulebook_runner import came
from pipeline.rulebook.case_writer import write_cases
from pipeline.rulebook.cases import Case, Erase, case_of, read_case_file
from pipeline.rulebook.compile import canonical_document, compile_rulebook
from pipeline.rulebook.load import Document, document_digest
from tests.oracle.generate import PROFILES, generate

SEEDS = int(os.environ.get("CAPTURE_SEEDS", "12"))
FIRST = int(os.environ.get("CAPTURE_FIRST", "0"))
IDS = ("u1", "u2", "u3", "a1", "a2", "a3")
MINUTE = 60_000


def made(seed: int, profile: str) -> tuple[Document, Case]:
    book, case = generate(seed, profile)
    return canonical_document(book), case_of(case)


def history_of(case: Case) -> list[Happened]:
    """What is given and what happens, as the raw topic would have it; erasures are not in it."""
    arrivals = [*case.given, *(each for each in case.arrivals if not isinstance(each, Erase))]
    return [
        Happened(each.at, each.value, each.kafka_time, ("segment.raw", 0, offset))
        for offset, each in enumerate(arrivals)
    ]


async def whole(document: Document, history: list[Happened], until: int) -> list[dict[str, Any]]:
    """What comes of everybody."""
    replay = Replay(MemoryStore())
    replay.now = history[0].at - MINUTE
    await replay.enforce(document, document_digest(document))
    for happened in history:
        at, value, time, place = happened
        await replay.feed(value, at, time, place)
    await replay.advance(until)
    result = came(replay.outputs)
    return [*result.outputs, *result.decisions]


async def captured(
    document: Document, history: list[Happened], id_: str, until: int
) -> tuple[Selection, Captured | None]:
    async def again() -> AsyncIterator[Happened]:
        for happened in history:
            yield happened

    rulebook = compile_rulebook(document)
    selection = await select(again, id_, rulebook)
    if not selection.events:
        return selection, None
    made = await capture(selection, document, rulebook, MemoryStore, until=until)
    return selection, made


def outcome(record: dict[str, Any]) -> tuple[Any, ...]:
    """What a captured case can say of a record, ids and key left aside."""
    kind = record.get("type", "decision")
    at = record.get("firedAt") or record.get("decidedAt") or record["at"]
    channel = record["channel"] if kind == "trigger" else None
    what = (record.get("outcome"), record.get("reason"), channel)
    return (kind, record["journey"], record["step"], *what, at)


def expected(case: dict[str, Any], id_: str) -> set[tuple[Any, ...]]:
    """The outcomes that a captured case expects of one fictional id."""
    found = set()
    for each in (*case["expect"], *case["decisions"]):
        if id_ in {each.get("user"), each.get("anonymous")}:
            kind = next((k for k in ("trigger", "retraction") if k in each), "decision")
            name = each.get("trigger") or each.get("retraction") or each["journey"]
            what = (each.get("outcome"), each.get("reason"), each.get("channel"))
            found.add((kind, name, each.get("step", 1), *what, each["at"]))
    return found


class One(NamedTuple):
    """One person of a random history: all outcomes under their id, and the capture."""

    seed: int
    id: str
    records: list[dict[str, Any]]
    selection: Selection
    result: Captured | None


@cache
def everybody(profile: str) -> list[One]:
    return list(each_one(profile))


def each_one(profile: str) -> Iterator[One]:
    for seed in range(FIRST, FIRST + SEEDS):
        document, case = made(seed, profile)
        history = history_of(case)
        records = asyncio.run(whole(document, history, case.until)) if history else []
        for id_ in IDS:
            selection, result = asyncio.run(captured(document, history, id_, case.until))
            theirs = [each for each in records if id_ in {each["userId"], each["anonymousId"]}]
            yield One(seed, id_, theirs, selection, result)


def fictional(one: One) -> str:
    """The name of who was asked for, in the file."""
    assert one.result is not None
    for taken, call in zip(one.selection.events, one.result.case["events"], strict=True):
        event = taken.event
        for real, short in (
            (event.user_id, "user"),
            (event.anonymous_id, "anonymous"),
            (event.previous_id, "alias"),
        ):
            if real == one.id:
                return str(call[short])
    raise AssertionError(one)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_capture_gives_what_the_whole_history_gives_under_that_id(profile: str) -> None:
    for one in everybody(profile):
        really = {outcome(each) for each in one.records if each.get("outcome") != "fired"}
        if one.result is None:
            assert not really, (one.seed, one.id)
        else:
            assert expected(one.result.case, fictional(one)) == really, (one.seed, one.id)


@pytest.mark.parametrize("profile", PROFILES)
def test_pseudonyms_change_no_outcome(profile: str) -> None:
    for one in everybody(profile):
        assert one.result is None or one.result.differing == [], (one.seed, one.id)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_captured_file_reads_as_the_case_it_was_written_from(
    profile: str, tmp_path: Path
) -> None:
    for nth, one in enumerate(everybody(profile)):
        if one.result is not None:
            path = tmp_path / f"{nth}.yaml"
            path.write_text(write_cases([one.result.case]), encoding="utf-8")
            (read,), findings = read_case_file(path, path.name)
            assert findings == []
            again = case_of(one.result.case)
            assert (read.arrivals, read.until, read.expect) == (
                again.arrivals,
                again.until,
                again.expect,
            )


@pytest.mark.parametrize("profile", PROFILES)
def test_no_id_or_email_of_the_history_is_in_the_file(profile: str) -> None:
    for one in everybody(profile):
        if one.result is not None:
            words = set(re.findall(r"[A-Za-z0-9@.]+", write_cases([one.result.case])))
            assert not {word for word in words if word in IDS or word.endswith("@example.com")}
