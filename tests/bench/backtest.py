"""Records a second of a backtest: `python -m tests.bench.backtest [RECORDS]` prints them.

A history as a lender's would be, over the sample rulebook: signups, browsing, applications, loans
and signatures of many people over thirty days, with opt-ins and opt-outs. The same every time.
"""

import asyncio
import random
import resource
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.times import DAY, MINUTE, format_instant
from pipeline.process.history import Backtest, Happened, Span, run
from pipeline.rulebook.load import load_document

BEGIN = 1_772_323_200_000  # 2026-03-01
SPAN = 30 * DAY
RULEBOOK = Path(__file__).parents[2] / "deploy" / "rulebook"
EVENTS = (
    ("Product Viewed", 50, "productId"),
    ("Signed In", 25, None),
    ("Application Started", 6, "applicationId"),
    ("Application Submitted", 4, "applicationId"),
    ("Loan Application Approved", 3, "loanId"),
    ("Loan Signed", 2, "loanId"),
    ("Document Requested", 2, "requestId"),
    ("Document Uploaded", 1, "requestId"),
    ("Deposit Made", 1, None),
)


def history(records: int, seed: int = 1) -> Iterator[Happened]:
    """Raw records in order of log time; one in ten introduces a person."""
    chance = random.Random(seed)
    names = [name for name, _, _ in EVENTS]
    weights = [weight for _, weight, _ in EVENTS]
    keys = {name: key for name, _, key in EVENTS}
    people = 0
    for number in range(records):
        at = BEGIN + SPAN * number // records
        if not people or number % 10 == 0:
            people += 1
            call = _introduction(people, at, chance)
        else:
            user = chance.randrange(max(0, people - 5_000), people) + 1
            name = chance.choices(names, weights)[0]
            call = {"type": "track", "userId": f"u{user}", "event": name}
            properties: dict[str, Any] = {"amount": chance.randrange(1, 60) * 1_000, "term": 36}
            if key := keys[name]:
                properties[key] = f"{user}-{chance.randrange(3)}"
            call["properties"] = properties
        call |= {"messageId": f"m-{number:09d}", "timestamp": format_instant(at - MINUTE)}
        call["context"] = {"ip": "203.0.113.7", "library": {"name": "analytics-python"}}
        yield Happened(at, orjson.dumps(call))


def _introduction(user: int, at: int, chance: random.Random) -> dict[str, Any]:
    said = {"timestamp": format_instant(at - MINUTE), "source": "booking_flow"}
    opt_ins = [
        {"channel": channel, "subscribed": chance.random() < share, **said}
        for channel, share in (("voice", 0.7), ("sms", 0.8), ("email", 0.9))
    ]
    traits = {
        "phone": f"+1212{user % 8_000_000 + 2_000_000:07d}",
        "email": f"user{user}@example.com",
        "firstName": "Rebecca",
        "address": {"city": "New York", "state": chance.choice(["NY", "TX", "CA"])},
        "optIn": opt_ins,
    }
    return {"type": "identify", "userId": f"u{user}", "traits": traits}


async def measure(records: int) -> None:
    """Print records a second and the memory at its highest."""

    async def taken() -> AsyncIterator[Happened]:
        for record in history(records):
            yield record

    fired = others = 0
    backtest = Backtest(load_document(RULEBOOK), MemoryStore())
    begun = time.process_time()  # of this process, so that what else runs does not count
    async for _, came in run(taken(), [backtest], Span()):
        fired += came.kind == "trigger"
        others += came.kind != "trigger"
    seconds = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{records:,} records of {SPAN // DAY} days in {seconds:.1f} s:"
        f" {records / seconds:,.0f} a second, {SPAN / 1_000 / seconds:,.0f} times real time;"
        f" {fired:,} triggers, {others:,} other outcomes, {memory:,} MiB"
    )


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
