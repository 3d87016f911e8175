"""Random histories through real Kafka and Redis against an independent reading of the rules.

Log time is real here, so histories are bent until nothing hangs on it: every event is hours old
when it comes, its deadlines too, and the next event of a history comes only when everything is
taken and decided. Then each event is one instant of log time, and the oracle can be told the same.
Many histories run side by side, each with ids, addresses, events and journeys of its own.
"""

import asyncio
import copy
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.commands.reach import Reach, reach
from pipeline.rulebook.cases import case_of
from tests.e2e.harness import PARTITIONS, Pipe, Stage, now, pipe
from tests.oracle.compare import compare
from tests.oracle.generate import PROFILES, generate
from tests.oracle.oracle import Result, run
from tests.oracle.times import instant, text

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

Json = dict[str, Any]

ARRIVALS = instant("2026-03-03T20:05:00Z") or 0
"""When the first event comes: after the last deadline, and on no instant that matters."""
SEEDS = int(os.environ.get("E2E_SEEDS", "60"))
SECOND, MINUTE = 1000, 60_000
GIVEN = "2026-03-01T00:00:00.000Z"
TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")
EVENTS = ("Approved", "Signed", "Withdrawn", "Opted In", "Unsubscribed", "Pricing", "Done", "Home")
PHONE = re.compile(r"\+1212555010(\d)")


def histories(seeds: range) -> dict[str, tuple[Json, Json]]:
    """By name, rulebook and case of each that needs no identity.yaml of its own, no erasure and no
    dates, which stand in the past here.
    """
    found = {}
    for profile in PROFILES:
        for seed in seeds:
            book, case = generate(seed, profile)
            steps = [step for journey in book["journeys"] for step in journey["steps"]]
            dated = any("until" in step for step in steps)
            erased = any("erase" in event for event in case["events"])
            if not ("identity" in book or dated or erased):
                name = f"{profile[0]}{seed}"
                found[name] = _own(_timeless(book), name), _own(_at_once(case), name)
    return found


def _timeless(book: Json) -> Json:
    for journey in book["journeys"]:
        journey.pop("lateness", None)
        for step in journey["steps"]:
            if step.get("expires") == "30m":
                step["expires"] = "24h"
    return book


def _at_once(case: Json) -> Json:
    """Given people come as events, all events in the order in which they would arrive."""
    given = [
        {
            "at": GIVEN,
            "user": user,
            "identify": {
                **known["traits"],
                "phone": known["phone"],
                "email": known["email"],
                "optIn": [
                    {"channel": channel, "subscribed": True, "timestamp": at, "ip": "10.0.0.1"}
                    for channel, at in known["optIn"].items()
                ],
            },
        }
        for user, known in case.pop("given", {}).items()
    ]
    case["events"] = given + case["events"]
    for number, event in enumerate(case["events"]):
        event["arrives"] = text(ARRIVALS + number * SECOND)
        event.setdefault("messageId", f"given{number}")
    case["until"] = text(ARRIVALS + len(case["events"]) * SECOND)
    return case


def _own(value: Any, name: str) -> Any:
    """With names that no other history has."""
    match value:
        case dict():
            return {
                _own(key, name) if PHONE.fullmatch(key) else key: _own(each, name)
                for key, each in value.items()
            }
        case list():
            return [_own(each, name) for each in value]
        case str():
            return _renamed(value, name)
        case _:
            return value


def _renamed(word: str, name: str) -> str:
    if word in EVENTS or re.fullmatch(r"[ua][123]", word):
        return f"{word} {name}"
    if re.fullmatch(r"j\d", word):
        return f"{name}-{word}"
    if word.endswith("@example.com"):
        return f"{name}.{word}"
    number = PROFILES.index(next(p for p in PROFILES if p[0] == name[0])) * 1000 + int(name[1:])
    word = PHONE.sub(lambda found: f"+1212{2_000_000 + number * 10 + int(found[1])}", word)
    return word.replace('events["Signed"]', f'events["Signed {name}"]')


def _shifted(value: Any, by: int) -> Any:
    match value:
        case dict():
            return {
                key: each + (by if each > 10**11 else by // 1000)
                if key == "timestamp" and isinstance(each, int)
                else _shifted(each, by)
                for key, each in value.items()
            }
        case list():
            return [_shifted(each, by) for each in value]
        case str() if TIME.fullmatch(value):
            return text((instant(value) or 0) + by)
        case _:
            return value


def _book(found: dict[str, tuple[Json, Json]]) -> dict[str, str]:
    files = {
        f"journeys/{journey['journey']}.yaml": yaml.safe_dump(journey, sort_keys=False)
        for book, _ in found.values()
        for journey in book["journeys"]
    }
    consent = [event for book, _ in found.values() for event in book["consent"]["events"]]
    return files | {"consent.yaml": yaml.safe_dump({"events": consent})}


async def settled(running: Reach) -> None:
    """Wait until everything is taken and decided."""
    log, before = await running.log(), None
    async with asyncio.timeout(60):
        while True:
            raw, places = await log.raw_ends(), await log.normalized()
            ends = await log.event_ends()
            progress = await running.store.progress(range(PARTITIONS))
            calm = all(places.get(place, 0) >= end for place, end in raw.items()) and all(
                at.watermark.offset >= ends.get(number, 0)
                and at.unpublished is None
                and (at.due is None or at.due > now() + MINUTE)
                for number, at in progress.items()
            )
            if calm and ends == before:
                return
            before = ends if calm else None
            await asyncio.sleep(0.03)


async def through_kafka(running: Pipe, found: dict[str, tuple[Json, Json]]) -> int:
    """Send the events of all histories, one of each at a time; returns by how much times differ."""
    by = (now() - ARRIVALS) // SECOND * SECOND
    arrivals = [case_of(_shifted(case, by)).arrivals for _, case in found.values()]
    async with reach(running.settings) as opened:
        await settled(opened)
        for place in range(max(map(len, arrivals))):
            values = [each[place].value for each in arrivals if place < len(each)]  # type: ignore[union-attr]
            await running.write(*values)
            await settled(opened)
    assert now() - by - ARRIVALS < 4 * MINUTE, "too slow: times begin to matter"
    return by


def _without_log_time(result: Result) -> Result:
    outputs = copy.deepcopy(result.outputs)
    for record in outputs:
        for name in ("at", "firedAt"):
            record.pop(name, None)
    return Result(outputs)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_real_time_says_what_the_oracle_says(stage: Stage, tmp_path: Path) -> None:
    found = histories(range(SEEDS))
    async with pipe(stage, tmp_path, workers=2, book=_book(found)) as running:
        by = await through_kafka(running, found)
        await asyncio.sleep(1.5)
        sent = [_shifted(value, -by) for _, value in running.read.triggers]
        assert running.fallen() == []
    wrong, count = [], 0
    for name, (book, case) in found.items():
        own = [value for value in sent if value["journey"].startswith(f"{name}-")]
        expected = run(copy.deepcopy(book), copy.deepcopy(case))
        count += len(expected.outputs)
        difference = compare(
            _without_log_time(expected), _without_log_time(Result(own)), decisions=False
        )
        if difference:
            wrong.append(f"{name}:\n{difference}\n{yaml.safe_dump([book, case])}")
    print(f"\n{len(found)} histories, {count} triggers and retractions, {len(wrong)} differ")
    assert not wrong, "\n\n".join(wrong)
