"""Bytes in Redis per contact, per open wait, per remembered messageId: `make memory` prints them.

The production decoder, fold and store on a real Redis; the figures are differences of its
`used_memory`, divided by how many of each were added.
"""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import orjson

from pipeline.adapters.redis_client import connect
from pipeline.adapters.redis_link import RedisLink
from pipeline.adapters.redis_store import RedisStore
from pipeline.local import Redis
from pipeline.names import Names
from pipeline.process.replay import Replay
from pipeline.rulebook.compile import canonical_document

PEOPLE = 20_000
NOW = 1_772_550_000_000
RULEBOOK = {
    "journeys": [
        {
            "journey": "loan-approved-not-signed",
            "version": 1,
            "key": "properties.loanId",
            "start": {"event": "Loan Application Approved"},
            "unless": [{"event": "Loan Signed"}],
            "steps": [{"after": "24h", "channel": "voice", "include": ["properties.amount"]}],
        }
    ]
}
_numbers = itertools.count()


def event(user: int, **content: Any) -> bytes:
    """A call of a user as a server-side SDK sends it."""
    number = next(_numbers)
    base = {"userId": f"user-{user:08d}", "messageId": f"0b0c8d1e-6a6b-4f4e-9d4e-{number:012d}"}
    context = {"ip": "203.0.113.7", "library": {"name": "analytics-python", "version": "2.4.0"}}
    return orjson.dumps({**base, "timestamp": "2026-03-03T14:59:00Z", "context": context} | content)


def identifies() -> Iterator[bytes]:
    """A contact each: eight traits, a phone, an email, two opt-ins."""
    for user in range(PEOPLE):
        opt_in = {"subscribed": True, "timestamp": "2026-01-01T00:00:00Z", "source": "booking_flow"}
        traits = {
            "phone": f"+1212{user % 8_000_000 + 2_000_000:07d}",
            "email": f"user{user}@example.com",
            "firstName": "Rebecca",
            "lastName": "Greene",
            "age": 23,
            "address": {"city": "New York", "state": "NY", "postalCode": "10128"},
            "plan": "premium",
            "savingsGoal": "New Home",
            "optIn": [{"channel": channel, **opt_in} for channel in ("voice", "sms")],
        }
        yield event(user, type="identify", traits=traits)


def tracks(name: str) -> Iterator[bytes]:
    """One track call of each user."""
    for user in range(PEOPLE):
        properties = {"loanId": f"L{user}", "amount": 30_000, "currency": "USD", "term": 12}
        yield event(user, type="track", event=name, properties=properties)


async def measure() -> dict[str, float]:
    """Bytes of each kind."""
    async with Redis() as server:
        client = connect(server.address)
        store = RedisStore(RedisLink(server.address), Names())
        replay = Replay(store, partitions=8)
        replay.now = NOW
        await replay.enforce(canonical_document(RULEBOOK), "d" * 32)

        async def added(values: Iterator[bytes]) -> float:
            before = await used()
            await replay.feed_all(values, NOW)
            return (await used() - before) / PEOPLE

        async def used() -> int:
            return int((await client.info("memory"))["used_memory"])

        figures = {"contact with phone, email and two opt-ins": await added(identifies())}
        figures["open wait"] = await added(tracks("Loan Application Approved"))
        figures["further event (messageId and count)"] = await added(tracks("Page Viewed"))
        figures["its second (messageId alone)"] = await added(tracks("Page Viewed"))
        await store.close()
        await client.aclose()
        return figures


def main() -> None:
    """Print a table."""
    for what, size in asyncio.run(measure()).items():
        print(f"{size:8.0f} B  {what}")


if __name__ == "__main__":
    main()
