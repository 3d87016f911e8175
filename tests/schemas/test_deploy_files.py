"""Dockerfile and compose file: no container engine is at hand, so what they say is checked."""

import fnmatch
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli import COMMANDS
from pipeline.settings import load
from tests.schemas.schema_documents import ROOT

DEPLOY = ROOT / "deploy"
SETTINGS = {
    "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM",
    "KAFKA_SSL_CA_FILE", "PIPELINE_PARTITIONS", "PIPELINE_PREFIX", "PIPELINE_DELIVERY",
    "PIPELINE_REGION", "PIPELINE_HTTP", "PIPELINE_WRITE_KEYS_FILE",
}  # fmt: skip
SECRETS = {"REDIS_URL", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"}
ONE_SHOT = {"topics", "rulebook"}
STORES = {"kafka", "redis"}

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    parts = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name.upper(), rest) for name, rest in parts]


def pinned(image: str) -> bool:
    """Whether a tag names a release in at least three numbers."""
    return re.search(r":[0-9]+\.[0-9]+\.[0-9]+(-[a-z]+)*$", image) is not None


def test_image_bases_are_pinned() -> None:
    """Both stages start from one exact release of Python 3.11 slim."""
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert pinned(bases[0])
    assert bases[0].startswith("python:3.11.")
    assert "-slim" in bases[0]


def test_image_runs_as_nobody_special() -> None:
    """The last stage ends as a user with a number that is not root's."""
    users = [rest for name, rest in instructions() if name == "USER"]
    assert len(users) == 1
    user, _, group = users[0].partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_image_checks_its_health() -> None:
    """The health check asks the address that the image makes the worker listen on."""
    steps = dict(instructions())
    port = re.search(r"PIPELINE_HTTP=0\.0\.0\.0:([0-9]+)", steps["ENV"])
    assert port is not None
    assert port[1] == "6066"
    assert f"http://127.0.0.1:{port[1]}/health" in steps["HEALTHCHECK"]
    assert steps["EXPOSE"] == port[1]
    # the command is Python that compiles
    code = yaml.safe_load(steps["HEALTHCHECK"].partition(" CMD ")[2])[2]
    compile(code, "HEALTHCHECK", "exec")


def test_image_installs_the_locked_dependencies() -> None:
    """Every file installed is checked against the lock's hash, and every entry there has one."""
    runs = [rest for name, rest in instructions() if name == "RUN"]
    assert any("--require-hashes" in run and "-r deploy/requirements.lock" in run for run in runs)
    installs = [
        command
        for run in runs
        for command in run.split("&&")
        if re.search(r"\bpip (install|wheel)\b", command)
    ]
    assert len(installs) == 4
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)
    lock = (DEPLOY / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-zA-Z0-9])", lock)
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)


def test_image_is_made_of_files_that_are_there() -> None:
    """What is copied exists and is let through by the ignore file; nothing else is."""
    ignore = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    sources = set()
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from="):
            sources |= set(rest.split()[:-1])
    assert sources == allowed
    assert all((ROOT / source).exists() for source in sources)
    assert "*" in ignore


def test_image_holds_no_secret() -> None:
    """No secret is set in the image, nor copied into it."""
    for name, rest in instructions():
        assert not (name in {"ENV", "ARG"} and any(secret in rest for secret in SECRETS))
        assert "secrets" not in rest


def test_image_starts_a_worker() -> None:
    """Without arguments the image runs a command that the command line has."""
    steps = dict(instructions())
    assert yaml.safe_load(steps["ENTRYPOINT"]) == ["pipeline"]
    assert yaml.safe_load(steps["CMD"])[0] in COMMANDS


def test_service_images_are_pinned() -> None:
    """Every image has an exact release as its tag: Kafka 4.1, a Redis, and our own version."""
    assert SERVICES.keys() == STORES | ONE_SHOT | {"worker"}
    assert all(pinned(service["image"]) for service in SERVICES.values())
    assert SERVICES["kafka"]["image"].startswith("apache/kafka:4.1.")
    assert SERVICES["redis"]["image"].startswith("redis:")
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert SERVICES["worker"]["image"] == f"pipeline:{version[1]}"


def test_build_finds_the_dockerfile() -> None:
    """Our services are built from the Dockerfile with the checkout as context."""
    for name in SERVICES.keys() - STORES:
        build = SERVICES[name]["build"]
        context = (DEPLOY / build["context"]).resolve()
        assert context == ROOT
        assert (context / build["dockerfile"]).is_file()


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - STORES))
def test_our_services_are_configured(name: str) -> None:
    """A service sets only settings that exist, to valid values, and its secrets by files."""
    service = SERVICES[name]
    environment = service["environment"]
    allowed = SETTINGS | {f"{secret}_FILE" for secret in SECRETS}
    assert environment.keys() <= allowed
    for variable in environment.keys() & {f"{secret}_FILE" for secret in SECRETS}:
        folder, _, secret = environment[variable].rpartition("/")
        assert folder == "/run/secrets"
        assert secret in service["secrets"]
        assert secret in COMPOSE["secrets"]
    plain = {
        variable: re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value))
        for variable, value in environment.items()
        if not variable.endswith("_FILE")
    }
    settings = load(plain)
    assert settings.kafka.servers == "kafka:9092"
    assert settings.delivery == "exactly-once"
    assert settings.http_host == "0.0.0.0"
    assert settings.http_port == 6066
    assert service["command"][0] in COMMANDS


def test_one_shot_services_end_and_others_stay() -> None:
    """What runs once is tried again only after a failure; everything else is restarted."""
    for name, service in SERVICES.items():
        if name in ONE_SHOT:
            assert service["restart"].startswith("on-failure")
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["restart"] == "unless-stopped"
    assert SERVICES["topics"]["command"] == ["topics", "create"]
    assert SERVICES["rulebook"]["command"] == ["apply", "/rulebook"]


def test_services_start_in_order() -> None:
    """Stores are waited for until healthy, one-shot services until done; a worker comes last."""
    for service in SERVICES.values():
        for other, wait in service.get("depends_on", {}).items():
            done = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert wait == {"condition": done}
    assert SERVICES["topics"]["depends_on"].keys() == {"kafka"}
    assert SERVICES["rulebook"]["depends_on"].keys() == {"kafka", "redis", "topics"}
    assert SERVICES["worker"]["depends_on"].keys() == {"kafka", "redis", "rulebook"}
    for name in STORES:
        check = SERVICES[name]["healthcheck"]
        assert check["test"][0] in {"CMD", "CMD-SHELL"}
        assert check["retries"] > 1


def test_state_outlives_the_containers() -> None:
    """Kafka and Redis keep their data in named volumes; the rulebook is mounted read-only."""
    mounts = [SERVICES[name]["volumes"][0].split(":") for name in sorted(STORES)]
    assert {mount[0] for mount in mounts} == COMPOSE["volumes"].keys()
    assert SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"] == mounts[0][1]
    source, _, mode = SERVICES["rulebook"]["volumes"][0].split(":")
    assert (DEPLOY / source / "journeys").is_dir()
    assert mode == "ro"


def redis_script() -> str:
    shell, flags, script = SERVICES["redis"]["command"]
    assert (shell, flags) == ("sh", "-ec")
    return str(script).replace("$$", "$")


def test_redis_keeps_what_it_was_told() -> None:
    """Redis writes every change to disk before it answers, evicts nothing, and is not root."""
    words = shlex.split(redis_script().splitlines()[-1])
    assert words[:2] == ["exec", "redis-server"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == "always"
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--dir"] == SERVICES["redis"]["volumes"][0].split(":")[1]
    assert SERVICES["redis"]["user"] not in {"root", "0"}


def test_redis_takes_its_password_from_the_url(tmp_path: Path) -> None:
    """The script finds the password in the URL and leaves it where only its own user reads it."""
    (tmp_path / "redis_url").write_text("redis://:s3cret-Wörd@redis:6379/0")
    script = redis_script().replace("/run/secrets", str(tmp_path))
    script = script.replace("/run/redis", str(tmp_path)).replace("exec redis-server", "exec true")
    subprocess.run(["sh", "-ec", script], check=True)
    conf = tmp_path / "redis.conf"
    assert conf.read_text() == "requirepass s3cret-Wörd\n"
    assert conf.stat().st_mode & 0o077 == 0


def test_no_secret_stands_in_the_compose_file() -> None:
    """Secrets are files, in a folder that the repository ignores or does not have."""
    for secret in COMPOSE["secrets"].values():
        path = Path(secret["file"])
        assert fnmatch.fnmatch(str(path), "secrets/*")
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert re.search(r"redis://:[^%$@]+@", text) is None


def test_kafka_is_one_node_and_makes_no_topics_by_itself() -> None:
    """One KRaft node holds one copy of its own topics, and only `topics create` makes ours."""
    environment = SERVICES["kafka"]["environment"]
    assert environment["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert str(environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"]) == "false"
    factors = [value for name, value in environment.items() if "REPLICATION_FACTOR" in name]
    assert factors
    assert set(factors) == {1}
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["kafka"]["ports"])
