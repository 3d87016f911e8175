"""Settings from the environment: defaults, secrets from files, errors in one line."""

from pathlib import Path

import pytest

from pipeline.names import Names
from pipeline.settings import Settings, SettingsError, load, redis_urls


def test_nothing_set_is_the_defaults() -> None:
    assert load({}) == Settings()
    assert load({"REDIS_URL": " ", "PIPELINE_PARTITIONS": ""}) == Settings()


def test_all_is_read(tmp_path: Path) -> None:
    ca, keys = tmp_path / "ca.pem", tmp_path / "keys"
    ca.write_text("")
    found = load(
        {
            "KAFKA_BOOTSTRAP_SERVERS": "a:9092, [::1]:9093",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": "me",
            "KAFKA_SASL_PASSWORD": "geheim",
            "KAFKA_SSL_CA_FILE": str(ca),
            "REDIS_URL": "rediss://:geheim@cache:6380/2",
            "PIPELINE_PARTITIONS": "8",
            "PIPELINE_PREFIX": "eu.",
            "PIPELINE_DELIVERY": "at-least-once",
            "PIPELINE_REGION": "GB",
            "PIPELINE_HTTP": "[::]:0",
            "PIPELINE_WRITE_KEYS_FILE": str(keys),
        }
    )
    assert (found.http_host, found.http_port) == ("::", 0)
    assert (found.partitions, found.delivery, found.region) == (8, "at-least-once", "GB")
    assert found.kafka.password == "geheim"
    assert found.write_keys_file == keys
    assert "geheim" not in repr(found)
    assert "'me'" not in repr(found)


def test_several_servers_are_a_cluster_under_one_login() -> None:
    url = "rediss://me:ge,heim@a:6379, b,[::1]:7000/0?ssl_cert_reqs=none"
    assert load({"REDIS_URL": url}).redis_url == url
    assert redis_urls(url) == [
        f"rediss://me:ge,heim@{host}/0?ssl_cert_reqs=none" for host in ("a:6379", "b", "[::1]:7000")
    ]
    assert redis_urls("unix:///tmp/a,b") == ["unix:///tmp/a,b"]


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("redis://:geheim@cache\n")
    assert load({"REDIS_URL_FILE": str(secret)}).redis_url == "redis://:geheim@cache"
    with pytest.raises(SettingsError, match="both set"):
        load({"REDIS_URL_FILE": str(secret), "REDIS_URL": "redis://x"})
    with pytest.raises(SettingsError, match=r"REDIS_URL_FILE: can't read .*No such file"):
        load({"REDIS_URL_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "broker"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1,,b:2"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("KAFKA_SSL_CA_FILE", "nowhere.pem"),
        ("REDIS_URL", "http://:geheim@x"),
        ("REDIS_URL", "redis://:geheim@x:99999"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://:geheim@a:6379,"),
        ("REDIS_URL", "redis://:geheim@a:6379,b:99999"),
        ("REDIS_URL", "redis://:geheim@a:6379,b:6379/2"),
        ("PIPELINE_PARTITIONS", "0"),
        ("PIPELINE_PARTITIONS", "1025"),
        ("PIPELINE_PARTITIONS", "3.5"),
        ("PIPELINE_PARTITIONS", "³"),
        ("PIPELINE_PREFIX", "a{b}"),
        ("PIPELINE_DELIVERY", "at-most-once"),
        ("PIPELINE_REGION", "us"),
        ("PIPELINE_REGION", "XX"),
        ("PIPELINE_HTTP", "6066"),
        ("PIPELINE_HTTP", "localhost:70000"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({name: value})
    text = str(caught.value)
    assert text.startswith(name.partition("_")[0])
    assert "\n" not in text
    assert "geheim" not in text


def test_names_have_the_prefix() -> None:
    names = Names("eu.")
    assert names.raw == "eu.segment.raw"
    assert names.worker_group == "eu.pipeline"
    assert names.transactional_id(3) == "eu.relay-3"
    assert names.keys(3) == b"eu.{p3}:"
    assert names.pipeline_key("guard") == b"eu.{pipeline}:guard"


def test_a_worker_may_keep_its_name_in_the_group() -> None:
    assert load({}).instance is None
    assert load({"PIPELINE_INSTANCE": "worker-0"}).instance == "worker-0"
    with pytest.raises(SettingsError, match="PIPELINE_INSTANCE"):
        load({"PIPELINE_INSTANCE": "worker 0"})
