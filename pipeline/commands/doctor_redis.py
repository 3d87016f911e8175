"""What `doctor` looks at in Redis; and what a finding is."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from redis.exceptions import RedisError

from pipeline.adapters.redis_client import connect
from pipeline.settings import Settings

Level: TypeAlias = Literal["ok", "warn", "fatal"]
CLOCK_MS: Final = 2_000
"""Clocks that differ by more are told."""
_SECONDS: Final = 15.0
_OLDEST_REDIS: Final = (6, 2)


class Finding(NamedTuple):
    """`unreachable`: a server did not answer, so nothing else about it is known."""

    level: Level
    what: str
    remedy: str = ""
    unreachable: bool = False


async def redis(settings: Settings, now: int) -> list[Finding]:
    """Version, eviction, persistence, clock."""
    client: Any = connect(settings.redis_url or "", timeout=_SECONDS)
    try:
        info: Mapping[str, Any] = await client.info()
        seconds, micros = await client.time()
        fsync = await _setting(client, "appendfsync")
    except (RedisError, OSError) as error:
        text = f"Redis does not answer: {str(error) or type(error).__name__}"
        remedy = "check that it runs, REDIS_URL and its password"
        return [Finding("fatal", text, remedy, unreachable=True)]
    finally:
        await client.aclose()
    ahead = seconds * 1000 + micros // 1000 - now
    return [_version(info), _role(info), _eviction(info), _persistence(info, fsync), _clock(ahead)]


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
        return Finding("fatal", f"{name} is too old", "use Redis 6.2 or later, or Valkey")
    return Finding("ok", f"{name} answers")


def _role(info: Mapping[str, Any]) -> Finding:
    if info.get("role") == "slave":
        return Finding("fatal", "Redis is a replica", "set REDIS_URL to the primary")
    return Finding("ok", "Redis takes writes")


def _eviction(info: Mapping[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy")
    if policy == "noeviction":
        return Finding("ok", "Redis evicts nothing (maxmemory-policy noeviction)")
    if policy is None:
        return Finding("warn", "Redis does not tell its maxmemory-policy", "make it noeviction")
    text = f"Redis may drop state when memory is short (maxmemory-policy {policy})"
    return Finding("fatal", text, "config set maxmemory-policy noeviction, and in its file")


def _persistence(info: Mapping[str, Any], fsync: str | None) -> Finding:
    if not int(info.get("aof_enabled", 0)):
        text = "Redis keeps no append-only file: after a restart the log is read again from its age"
        return Finding("warn", text, "config set appendonly yes, and in its file")
    if fsync == "no":
        text = "Redis leaves it to the system when to write (appendfsync no)"
        return Finding("warn", text, "config set appendfsync everysec, and in its file")
    said = f"appendfsync {fsync}" if fsync else "it does not tell appendfsync"
    return Finding("ok", f"Redis writes an append-only file ({said})")


def _clock(ahead: int) -> Finding:
    text = f"the clocks of Redis and of this machine differ by {abs(ahead) / 1000:.1f} s"
    if abs(ahead) > CLOCK_MS:
        return Finding("warn", text, "keep both machines' time by NTP")
    return Finding("ok", text)
