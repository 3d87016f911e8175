"""All settings, read from the environment once."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from pipeline.names import Names

Delivery: TypeAlias = Literal["exactly-once", "at-least-once"]

_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_REDIS_SCHEMES: Final = ("redis", "rediss", "unix")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{0,100}")
_HOST_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_MAX_PARTITIONS: Final = 1024
_MAX_PORT: Final = 65535


class SettingsError(Exception):
    """A setting is wrong. One line: what, where, and what to do."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Where the brokers are and how to speak to them; None where one is to be started."""

    servers: str | None = None
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All of README's table of settings. Secrets are kept out of its text form."""

    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    redis_url: str | None = field(default=None, repr=False)
    partitions: int = 32
    names: Names = field(default_factory=Names)
    delivery: Delivery = "exactly-once"
    region: str = "US"
    http_host: str = "127.0.0.1"
    http_port: int = 6066
    instance: str | None = None
    """The worker's name in its group, kept over restarts: static membership (KIP-345)."""
    write_keys_file: Path | None = None


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings. An empty value counts as none given.

    Raises:
        SettingsError: at the first that is wrong.
    """
    http_host, http_port = _host_port(environ, "PIPELINE_HTTP", "127.0.0.1:6066")
    write_keys = _value(environ, "PIPELINE_WRITE_KEYS_FILE")
    return Settings(
        kafka=_kafka(environ),
        redis_url=_redis_url(environ),
        partitions=_partitions(environ),
        names=Names(_prefix(environ)),
        delivery=_delivery(environ),
        region=_region(environ),
        http_host=http_host,
        http_port=http_port,
        instance=_instance(environ),
        write_keys_file=None if write_keys is None else Path(write_keys),
    )


def from_environment() -> Settings:
    """`load` of this process's environment."""
    return load(os.environ)


def _value(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name, "").strip() or None


def _secret(environ: Mapping[str, str], name: str) -> str | None:
    """A secret from the variable, or from the file that NAME_FILE names."""
    path = _value(environ, f"{name}_FILE")
    value = _value(environ, name)
    if path is None:
        return value
    if value is not None:
        raise SettingsError(f"{name} and {name}_FILE are both set: unset one of them")
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(
            f"{name}_FILE: can't read {path} ({reason}): give a readable text file"
        ) from None


def _choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    value = _value(environ, name)
    if value is not None and value not in choices:
        raise SettingsError(f"{name}: {value!r} is not known: use one of {', '.join(choices)}")
    return value


def _kafka(environ: Mapping[str, str]) -> KafkaSettings:
    servers = _value(environ, "KAFKA_BOOTSTRAP_SERVERS")
    for server in (servers or "").split(","):
        if servers and not _HOST_PORT.fullmatch(server.strip()):
            raise SettingsError(
                f"KAFKA_BOOTSTRAP_SERVERS: {server.strip()!r} is no address:"
                " give host:port, several with commas between"
            )
    protocol = _choice(environ, "KAFKA_SECURITY_PROTOCOL", _PROTOCOLS) or "PLAINTEXT"
    mechanism = _choice(environ, "KAFKA_SASL_MECHANISM", _MECHANISMS)
    username = _secret(environ, "KAFKA_SASL_USERNAME")
    password = _secret(environ, "KAFKA_SASL_PASSWORD")
    if protocol.startswith("SASL"):
        mechanism = mechanism or "PLAIN"
        for name, value in (("USERNAME", username), ("PASSWORD", password)):
            if value is None:
                raise SettingsError(
                    f"KAFKA_SASL_{name} is missing: KAFKA_SECURITY_PROTOCOL={protocol} needs it"
                )
    ca_file = _value(environ, "KAFKA_SSL_CA_FILE")
    if ca_file is not None and not Path(ca_file).is_file():
        raise SettingsError(f"KAFKA_SSL_CA_FILE: no file {ca_file}: give a PEM file")
    return KafkaSettings(servers, protocol, mechanism, username, password, ca_file)


def _redis_url(environ: Mapping[str, str]) -> str | None:
    url = _secret(environ, "REDIS_URL")
    if url is None:
        return None
    # the address may hold a password, so no message shows it
    try:
        servers = [urlsplit(each) for each in redis_urls(url)]
        good = all(each.port != 0 and (each.hostname or each.path) for each in servers)
    except ValueError:
        raise SettingsError(
            "REDIS_URL: its host or port can't be read: use redis://host:6379/0"
        ) from None
    if servers[0].scheme not in _REDIS_SCHEMES or not good:
        raise SettingsError(
            "REDIS_URL is no address of a Redis: use redis://host:6379/0, rediss:// or unix://path"
        )
    if len(servers) > 1 and not all(
        each.hostname and each.path in {"", "/", "/0"} for each in servers
    ):
        raise SettingsError(
            "REDIS_URL names several servers, which are a cluster, but one has no host or they have"
            " a database number: use redis://host:6379,host:6379"
        )
    return url


def redis_urls(url: str) -> list[str]:
    """An address for each server that `REDIS_URL` names: of a cluster there may be several."""
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return [url]
    return [parts._replace(netloc=login + at + host.strip()).geturl() for host in hosts.split(",")]


def _partitions(environ: Mapping[str, str]) -> int:
    value = _value(environ, "PIPELINE_PARTITIONS")
    if value is None:
        return 32
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= _MAX_PARTITIONS):
        raise SettingsError(
            f"PIPELINE_PARTITIONS: {value!r}: give a whole number from 1 to {_MAX_PARTITIONS}"
        )
    return int(value)


def _prefix(environ: Mapping[str, str]) -> str:
    return _name(environ, "PIPELINE_PREFIX") or ""


def _instance(environ: Mapping[str, str]) -> str | None:
    return _name(environ, "PIPELINE_INSTANCE")


def _name(environ: Mapping[str, str], variable: str) -> str | None:
    value = _value(environ, variable)
    if value is not None and not _NAME.fullmatch(value):
        raise SettingsError(
            f"{variable}: {value!r}: use at most 100 letters, digits, dots, dashes and"
            " underscores, as topic names do"
        )
    return value


def _delivery(environ: Mapping[str, str]) -> Delivery:
    value = _choice(environ, "PIPELINE_DELIVERY", get_args(Delivery))
    return "at-least-once" if value == "at-least-once" else "exactly-once"


def _region(environ: Mapping[str, str]) -> str:
    value = _value(environ, "PIPELINE_REGION") or "US"
    if value == "US":
        return value
    from phonenumbers import SUPPORTED_REGIONS

    if value not in SUPPORTED_REGIONS:
        raise SettingsError(
            f"PIPELINE_REGION: {value!r} is no region: give two capital letters, as US or GB"
        )
    return value


def _host_port(environ: Mapping[str, str], name: str, default: str) -> tuple[str, int]:
    value = _value(environ, name) or default
    match = _HOST_PORT.fullmatch(value)
    if match is None or int(match[2]) > _MAX_PORT:
        raise SettingsError(f"{name}: {value!r} is no address: give host:port, as {default}")
    return match[1].strip("[]"), int(match[2])
