"""`pipeline demo` as a user runs it: real Kafka, Redis and workers, and nothing left of them."""

import asyncio
import os
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from tests.schemas.schema_documents import EXAMPLES, faults, read_yaml

pytestmark = [pytest.mark.kafka, pytest.mark.redis]

EXPECTED = read_yaml(EXAMPLES / "EXPECTED.yaml")
SCHEMAS = {
    "journey.triggers": "triggers.schema.json",
    "journey.decisions": "decision.schema.json",
    "consent.evidence": "evidence.schema.json",
    "segment.outbound": "outbound.schema.json",
    "contacts": "contact.schema.json",
    "optins": "optin.schema.json",
    "segment.dead-letter": "dead-letter-headers.schema.json",
}


class Demo(NamedTuple):
    """What a run said, how it ended, and what it left."""

    status: int
    out: bytes
    err: str
    seconds: float
    folders: list[str]
    processes: list[int]


class Started:
    """A demo that runs, with a folder of its own for temporary files."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self.said: list[str] = []

    async def start(self) -> None:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIPELINE_", "KAFKA_", "REDIS_"))
        }
        self.begun = time.monotonic()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "pipeline", "demo", "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**environment, "TMPDIR": str(self.temporary), "E2E_MARK": str(self.temporary)},
            process_group=0,
        )

    async def until(self, text: str) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said.append(line.decode())
            if text in self.said[-1]:
                return
        pytest.fail(f"ended before it said {text!r}: {''.join(self.said)}")

    def interrupt(self) -> None:
        """Ctrl-C reaches every process of the terminal's foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    async def end(self) -> Demo:
        begun = time.monotonic()
        out, err = await self.process.communicate()
        return Demo(
            self.process.returncode or 0,
            out,
            "".join(self.said) + err.decode(),
            time.monotonic() - begun,
            [path.name for path in self.temporary.iterdir()],
            children(self.temporary),
        )


def children(temporary: Path) -> list[int]:
    """Processes that were started, by whoever, in the demo's environment."""
    mark = f"E2E_MARK={temporary}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    started = Started(tmp_path_factory.mktemp("demo"))

    async def run() -> Demo:
        await started.start()
        return await started.end()

    with asyncio.Runner() as runner:
        found = runner.run(run())
    if found.status and "no Kafka: " in found.err:
        pytest.skip(found.err)
    return found


@pytest.fixture(scope="module")
def records(demo: Demo) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for line in demo.out.splitlines():
        record = orjson.loads(line)
        found[record["topic"]].append(record["value"])
    return found


def test_it_ends_well_and_leaves_nothing(demo: Demo) -> None:
    assert demo.status == 0, demo.err
    assert demo.folders == []
    assert demo.processes == []
    assert "Traceback" not in demo.err
    print(f"\n{demo.seconds:.1f} s")
    assert demo.seconds < 60


def test_every_record_is_valid(records: dict[str, list[Any]]) -> None:
    assert records.keys() == SCHEMAS.keys()
    wrong = [
        (topic, found)
        for topic, values in records.items()
        for value in values
        if (found := faults(SCHEMAS[topic], value))
    ]
    assert wrong == []


def test_each_wait_has_the_expected_outcome(records: dict[str, list[Any]]) -> None:
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for each in records["journey.decisions"]:
        found[each["journey"], each["key"]].append(
            (each["userId"], each["outcome"], each["reason"])
        )
    wanted = {
        (journey, key): [(wait["user"], wait["outcome"], wait["reason"])]
        for journey, waits in EXPECTED["waits"].items()
        for key, wait in waits.items()
        if wait["outcome"] is not None
    }
    assert dict(found) == wanted


def test_triggers_and_retractions_are_the_expected_ones(records: dict[str, list[Any]]) -> None:
    sent = records["journey.triggers"]
    triggers = [each for each in sent if each["type"] == "trigger"]
    retractions = [each for each in sent if each["type"] == "retraction"]
    assert len({each["id"] for each in triggers}) == EXPECTED["totals"]["triggers"]
    assert len(retractions) == EXPECTED["totals"]["retractions"]
    assert [each["reason"] for each in retractions] == ["cancelled_after_fire"]
    for journey, waits in EXPECTED["waits"].items():
        for key, wait in waits.items():
            own = [
                (e["userId"], e["to"])
                for e in triggers
                if (e["journey"], e["key"]) == (journey, key)
            ]
            assert own == [(wait["user"], wait.get("to"))] * wait["triggers"]
            back = [e for e in retractions if (e["journey"], e["key"]) == (journey, key)]
            assert len(back) == wait["retractions"]


def test_contacts_and_opt_ins_are_the_expected_ones(records: dict[str, list[Any]]) -> None:
    contacts = {each["userId"]: each["phone"] or each["email"] for each in records["contacts"]}
    assert contacts == EXPECTED["contacts"]
    assert len(records["contacts"]) == len(contacts)
    optins = {f"{each['address']}|{each['channel']}": each["status"] for each in records["optins"]}
    assert optins == EXPECTED["optins"]
    ignored = [
        {name: each[name] for name in ("address", "channel", "reason")}
        for each in records["consent.evidence"]
        if not each["taken"] and each["reason"] != "older"
    ]
    assert ignored == EXPECTED["ignored"]


def test_dead_letters_are_the_expected_ones(records: dict[str, list[Any]]) -> None:
    assert len(records["segment.dead-letter"]) == EXPECTED["deadLetters"]


@pytest.mark.parametrize("at", ["sending", pytest.param("creating topics", marks=pytest.mark.slow)])
async def test_ctrl_c_ends_it_at_once_in_one_line(tmp_path: Path, at: str) -> None:
    started = Started(tmp_path)
    await started.start()
    await started.until(at)
    started.interrupt()
    found = await started.end()
    print(f"\n{found.seconds:.1f} s: {found.err!r}")
    last = found.err.removeprefix("".join(started.said))
    assert "Traceback" not in found.err
    assert len(last.strip().splitlines()) == 1, last  # after the end of the line that has ^C
    assert found.status == 130
    assert found.processes == []
    assert found.folders == []
    assert found.seconds < 8
