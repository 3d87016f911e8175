"""What `doctor` looks at in Redis; and what a finding is."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from redis.exceptions import RedisError, ResponseError

from pipeline.adapters.redis_servers import primaries
from pipeline.settings import Settings

Level: TypeAlias = Literal["ok", "warn", "fatal"]
CLOCK_MS: Final = 2_000
"""Clocks that differ by more are told."""
_SECONDS: Final = 15.0
_OLDEST_REDIS: Final = (6, 2)
_SAMPLE: Final = 5_000
_FULL: Final = 0.8
_OURS: Final = re.compile(rb"\{(p[0-9]+|pipeline)\}:")


class Finding(NamedTuple):
    """`breaks`: what does not hold because of it.

    `unreachable`: a server did not answer, so nothing else about it is known.
    """

    level: Level
    what: str
    remedy: str = ""
    unreachable: bool = False
    breaks: str = ""


async def redis(settings: Settings, now: int) -> list[Finding]:
    """Version, role, eviction, memory, persistence, replicas, what else is in it, clock.

    Of a cluster every server that takes writes is looked at.
    """
    try:
        async with primaries(settings.redis_url or "", timeout=_SECONDS) as servers:
            if len(servers) == 1:
                ((_, client),) = servers.items()
                return await _server(client, now)
            found = {name: await _server(client, now) for name, client in servers.items()}
            slots = await _slots(next(iter(servers.values())))
    except (RedisError, OSError) as error:
        text = f"Redis does not answer: {str(error) or type(error).__name__}"
        remedy = "check that it runs, REDIS_URL and its password"
        return [Finding("fatal", text, remedy, unreachable=True)]
    return [slots, *_together(found)]


async def _server(client: Any, now: int) -> list[Finding]:
    info: Mapping[str, Any] = await client.info()
    seconds, micros = await client.time()
    fsync = await _setting(client, "appendfsync")
    least = await _setting(client, "min-replicas-to-write")
    keys = await _sample(client)
    ahead = seconds * 1000 + micros // 1000 - now
    return [
        _version(info),
        _role(info),
        _eviction(info),
        *_memory(info),
        _persistence(info, fsync),
        *_replicas(info, least),
        *_exclusive(keys),
        _clock(ahead),
    ]


async def _slots(client: Any) -> Finding:
    state: Mapping[str, Any] = await client.execute_command("CLUSTER INFO")
    if state.get("cluster_state") == "ok":
        return Finding("ok", f"the Redis cluster has {state.get('cluster_size')} primaries")
    served = state.get("cluster_slots_ok")
    text = f"the Redis cluster is down ({served} of 16384 slots are served)"
    breaks = "partitions whose slots nobody serves stand still, and their workers end"
    return Finding("fatal", text, "see `redis-cli --cluster check`", breaks=breaks)


def _together(found: Mapping[str, Sequence[Finding]]) -> list[Finding]:
    """What is so on every server is told once, what is not with the server's address."""
    first, *others = found.values()
    same = [each for each in first if all(each in other for other in others)]
    return [
        *same,
        *(
            each._replace(what=f"{name}: {each.what}")
            for name, findings in found.items()
            for each in findings
            if each not in same and each.level != "ok"
        ),
    ]


async def _sample(client: Any) -> list[bytes]:
    """Some of the keys, where they may be looked at."""
    keys: list[bytes] = []
    cursor: Any = 0
    try:
        while len(keys) < _SAMPLE:
            cursor, found = await client.scan(cursor, count=1000)
            keys += found
            if not cursor:
                break
    except ResponseError:
        return []
    return keys


async def _setting(client: Any, name: str) -> str | None:
    """None where the server does not let us ask."""
    try:
        found = await client.config_get(name)
    except RedisError:
        return None
    value = found.get(name, found.get(name.encode()))
    return value.decode() if isinstance(value, bytes) else value


def _version(info: Mapping[str, Any]) -> Finding:
    version = str(info.get("redis_version", "0"))
    name = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {version}"
    digits = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if tuple(digits) < _OLDEST_REDIS:
        breaks = "commits use commands that it does not know"
        return Finding(
            "fatal", f"{name} is too old", "use Redis 6.2 or later, or Valkey", breaks=breaks
        )
    return Finding("ok", f"{name} answers")


def _role(info: Mapping[str, Any]) -> Finding:
    if info.get("role") == "slave":
        breaks = "it takes no writes"
        return Finding("fatal", "Redis is a replica", "set REDIS_URL to the primary", breaks=breaks)
    return Finding("ok", "Redis takes writes")


def _eviction(info: Mapping[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy")
    breaks = "when memory is short, people, opt-outs and waits vanish one by one"
    if policy == "noeviction":
        return Finding("ok", "Redis evicts nothing (maxmemory-policy noeviction)")
    if policy is None:
        text = "Redis does not tell its maxmemory-policy"
        return Finding("warn", text, "make it noeviction", breaks=breaks)
    text = f"Redis may drop state when memory is short (maxmemory-policy {policy})"
    remedy = "config set maxmemory-policy noeviction, and in its file"
    return Finding("fatal", text, remedy, breaks=breaks)


def _memory(info: Mapping[str, Any]) -> list[Finding]:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if not most or used <= _FULL * most:
        return []
    text = f"Redis uses {used / most:.0%} of its maxmemory"
    breaks = "when it is full commits are refused and the workers stop"
    return [Finding("warn", text, "raise maxmemory", breaks=breaks)]


def _persistence(info: Mapping[str, Any], fsync: str | None) -> Finding:
    if not int(info.get("aof_enabled", 0)):
        text = "Redis keeps no append-only file"
        breaks = "after a restart it is empty or old, and workers refuse or read the log again"
        remedy = "config set appendonly yes, and in its file"
        return Finding("warn", text, remedy, breaks=breaks)
    if info.get("aof_last_write_status", "ok") != "ok":
        text = "Redis can't write its append-only file (disk full?)"
        breaks = "commits are refused, and a restart loses state"
        return Finding("fatal", text, "see its log and its disk", breaks=breaks)
    if fsync == "no":
        text = "Redis leaves it to the system when to write (appendfsync no)"
        breaks = "a power cut loses half a minute of state, which is read again from the log"
        remedy = "config set appendfsync always, and in its file"
        return Finding("warn", text, remedy, breaks=breaks)
    said = f"appendfsync {fsync}" if fsync else "it does not tell appendfsync"
    return Finding("ok", f"Redis writes an append-only file ({said})")


def _replicas(info: Mapping[str, Any], least: str | None) -> list[Finding]:
    replicas = int(info.get("connected_slaves", 0))
    if not replicas:
        text = "Redis has no replica: with its disk the state is lost"
        return [Finding("ok", text, "keep backups; `pipeline worker --rebuild` is the last resort")]
    if least == "0":
        text = "Redis has replicas, but takes writes without them (min-replicas-to-write 0)"
        breaks = (
            "a primary that is cut off goes on committing; after a failover that is folded again,"
            " and until then people and dialers see what it says"
        )
        remedy = "config set min-replicas-to-write 1, and in its file"
        return [Finding("warn", text, remedy, breaks=breaks)]
    return [Finding("ok", f"Redis has {replicas} replica{'s' if replicas > 1 else ''}")]


def _exclusive(keys: Sequence[bytes]) -> list[Finding]:
    foreign = [key for key in keys if not _OURS.search(key)]
    if not foreign:
        return []
    text = f"{len(foreign)} of {len(keys)} keys looked at in this Redis are not the pipeline's"
    breaks = "what others do in it (FLUSHDB, slow commands, memory) empties or stops the pipeline"
    return [Finding("warn", text, "give the pipeline a Redis of its own", breaks=breaks)]


def _clock(ahead: int) -> Finding:
    text = f"the clocks of Redis and of this machine differ by {abs(ahead) / 1000:.1f} s"
    if abs(ahead) > CLOCK_MS:
        breaks = "log time is the brokers' and ticks are the workers': deadlines come early or late"
        return Finding("warn", text, "keep all machines' time by NTP", breaks=breaks)
    return Finding("ok", text)
