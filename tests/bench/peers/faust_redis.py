"""The job in stock faust-streaming 0.15.3 with Redis, as Faust's user guide has it.

One agent, JSON decoded by Faust (with orjson, which is installed), all state in Redis: a pipelined
transaction for each call, never a look-up where a blind write will do, no link resolved before a
loan is judged, so that two workers may take calls of one person in any order. Redis syncs each
write to disk, so sixteen calls are in hand at once, which is three times as fast as one; identify
calls of a person take turns. Deadlines stand in a sorted set. A timer would ask the clock, which is
wrong in a backlog, so time passes by the last record of each raw partition, a flush: whoever takes
the eighth judges all. At least once, and less than that after a crash: Faust commits over calls in
hand, what is repeated counts twice, and its exactly_once loses data.

    python faust_redis.py worker --loglevel warn --without-web
"""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

import faust
import orjson
from redis.asyncio import Redis

Json = dict[str, Any]

PREFIX = os.environ["PIPELINE_PREFIX"]
WAIT = float(os.environ["BENCH_WAIT"])
RAW_PARTITIONS: Final = 8
CONCURRENCY: Final = 16
IN_FLIGHT: Final = 1.0
"""Seconds in which the other calls of a partition that were begun before a flush are done."""
APPROVED, SIGNED, SUPPORT = "Loan Application Approved", "Loan Signed", "Support Contacted"

app = faust.App(
    f"{PREFIX}faust",
    broker=f"kafka://{os.environ['KAFKA_BOOTSTRAP_SERVERS']}",
    topic_partitions=RAW_PARTITIONS,
    topic_replication_factor=1,
    broker_session_timeout=10,
    producer_linger=0.005,
    stream_wait_empty=False,
)
in_turn = [asyncio.Lock() for _ in range(256)]
redis: Any = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
raw = app.topic(f"{PREFIX}segment.raw", key_serializer="raw", value_serializer="json")
contacts = app.topic(f"{PREFIX}contacts", key_serializer="raw", value_serializer="json")
optins = app.topic(f"{PREFIX}optins", key_serializer="raw", value_serializer="json")
triggers = app.topic(f"{PREFIX}journey.triggers", key_serializer="raw", value_serializer="json")


async def process(calls: faust.StreamT[Json]) -> None:
    """Take one call after the other."""
    async for call in calls:
        match call["type"]:
            case "identify":
                async with in_turn[hash(call["userId"]) % len(in_turn)]:
                    await identify(call)
            case "track":
                await track(call)
            case "flush":
                await flush()


async def identify(call: Json) -> None:
    """Link, profile and opt-ins."""
    user, device = call["userId"], call.get("anonymousId")
    traits = dict(call["traits"])
    entries = traits.pop("optIn", [])
    async with redis.pipeline() as pipe:
        pipe.hset(f"person:{user}", mapping={k: orjson.dumps(v) for k, v in traits.items()})
        pipe.hgetall(f"person:{user}")
        pipe.hget(f"optin:{user}", "voice")
        if device:
            pipe.set(f"link:{device}", user)
            pipe.sadd(f"devices:{user}", device)
        _, stored, known, *_ = await pipe.execute()
    profile = {name: orjson.loads(value) for name, value in stored.items()}
    contact = {"userId": user, "phone": profile["phone"], "traits": profile}
    await contacts.send(key=user.encode(), value=contact)
    for entry in entries:
        if known is None or orjson.loads(known)["timestamp"] <= entry["timestamp"]:
            await opt(user, profile["phone"], entry)


async def opt(user: str, phone: str, entry: Json) -> None:
    """Keep and publish the newest opt-in."""
    status = "subscribed" if entry["subscribed"] else "unsubscribed"
    value = {"address": phone, "status": status, **entry}
    await redis.hset(f"optin:{user}", entry["channel"], orjson.dumps(value))
    await optins.send(key=f"{phone}|{entry['channel']}".encode(), value=value)


async def track(call: Json) -> None:
    """Count it; keep when a loan was approved and when it was signed."""
    profile, name = call.get("userId") or call["anonymousId"], call["event"]
    async with redis.pipeline() as pipe:
        pipe.hincrby(f"events:{profile}", name)
        if name in {APPROVED, SIGNED}:
            loan = call["properties"]["loanId"]
            pipe.hset(f"loan:{loan}", name, call["timestamp"])
            if name == APPROVED:
                pipe.hset(f"loan:{loan}", "profile", profile)
                pipe.zadd("deadlines", {loan: seconds(call["timestamp"]) + WAIT})
        await pipe.execute()


async def flush() -> None:
    """Once all partitions have come to their end, judge every loan."""
    await asyncio.sleep(IN_FLIGHT)
    if await redis.incr("flushes") < RAW_PARTITIONS:
        return
    async for loan in due():
        await judge(loan)
    await redis.delete("flushes")


async def due() -> AsyncIterator[str]:
    """Loans in order of their deadlines, each taken out."""
    while found := await redis.zpopmin("deadlines", 500):
        for loan, _ in found:
            yield loan


async def judge(loan: str) -> None:
    """Publish a trigger if the loan is not signed and its person may be called."""
    about = await redis.hgetall(f"loan:{loan}")
    deadline = seconds(about[APPROVED]) + WAIT
    if SIGNED in about and seconds(about[SIGNED]) <= deadline:
        return
    user = await redis.get(f"link:{about['profile']}") or about["profile"]
    devices = await redis.smembers(f"devices:{user}")
    async with redis.pipeline() as pipe:
        pipe.hget(f"person:{user}", "phone")
        pipe.hget(f"optin:{user}", "voice")
        for profile in (user, *devices):
            pipe.hget(f"events:{profile}", SUPPORT)
        phone, optin, *asked = await pipe.execute()
    if phone is None or optin is None or any(asked):
        return
    if orjson.loads(optin)["status"] == "subscribed":
        value = {"key": loan, "userId": user, "to": orjson.loads(phone)}
        await triggers.send(key=user.encode(), value=value)


def seconds(timestamp: str) -> float:
    """Since the epoch."""
    return datetime.fromisoformat(timestamp).timestamp()


app.agent(raw, concurrency=CONCURRENCY)(process)

if __name__ == "__main__":
    app.main()
