"""`topics`, `plan`, `apply`, `erase` and `doctor`: from nothing to a running pipeline."""

import asyncio
import shutil
from pathlib import Path

import pytest

from pipeline.commands import apply, erase
from pipeline.domain.refs import Ref
from pipeline.ports import Change, Mark
from pipeline.wire.state import entity_key, partition_of
from tests.commands.conftest import Call
from tests.commands.running import Running, identify, track, working

pytestmark = pytest.mark.kafka

LOANS = "journeys/loan-approved-not-signed.yaml"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "_WAIT_SECONDS", 0.2)
    monkeypatch.setattr(erase, "_WAIT_MS", 200)


@pytest.fixture(scope="module")
def rulebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that the tests below change, in order."""
    sample = Path(__file__).parents[2] / "deploy" / "rulebook"
    return Path(shutil.copytree(sample, tmp_path_factory.mktemp("rules") / "rulebook"))


def change(rulebook: Path, old: str, new: str) -> None:
    path = rulebook / LOANS
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_topics_are_created_once_and_checked(call: Call, running: Running) -> None:
    environ = running.environ | {"PIPELINE_PREFIX": f"{running.names.prefix}x."}
    told = call("topics", "check", **environ)
    assert told.status == 1
    assert "topic is missing, not present — run `pipeline topics create`" in told.out
    assert call("topics", "create", **environ).last == "10 created, 0 were there"
    assert call("topics", "create", **environ).last == "0 created, 10 were there"
    told = call("topics", "check", **environ)
    assert (told.status, told.last) == (0, "10 topics: 0 differences, 0 fatal")


def test_another_number_of_partitions_is_fatal_and_named(call: Call, running: Running) -> None:
    environ = running.environ | {"PIPELINE_PARTITIONS": "3"}
    told = call("topics", "check", **environ)
    assert told.status == 1
    assert "set PIPELINE_PARTITIONS=2" in told.out
    told = call("contact", "u1", **environ)
    assert told.status == 2
    assert "set PIPELINE_PARTITIONS=2" in told.err


def test_without_addresses_a_command_says_what_to_set(call: Call, sample: Path) -> None:
    for words in (("contact", "u1"), ("apply", sample), ("doctor",), ("topics", "check")):
        told = call(*words)
        assert told.status == 2
        assert "KAFKA_BOOTSTRAP_SERVERS" in told.err
        assert told.err.count("\n") == 1


def test_servers_that_do_not_answer_are_out_of_reach(call: Call, sample: Path) -> None:
    nowhere = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "REDIS_URL": "redis://127.0.0.1:1"}
    for words in (("contact", "u1"), ("topics", "create"), ("plan", sample)):
        told = call(*words, **nowhere)
        assert told.status == 3, told
        assert "Traceback" not in told.err
    told = call("doctor", **nowhere)
    assert told.status == 3
    assert "no broker answers at 127.0.0.1:1" in told.out
    assert "Redis does not answer" in told.out


def test_with_nothing_in_force_all_journeys_are_new(ask: Call, rulebook: Path) -> None:
    told = ask("plan", rulebook)
    assert told.status == 0, told.err
    assert "in force: none" in told.out
    assert told.out.count("\n+ ") == 5


def test_doctor_misses_the_rulebook(ask: Call) -> None:
    told = ask("doctor")
    assert told.status == 0, told.out
    said = "warn   no rulebook is in force: no journey begins — run `pipeline apply RULEBOOK`"
    assert said in told.out
    assert "ok     delivery is exactly-once: the broker does transactions" in told.out
    assert "ok     Redis evicts nothing" in told.out
    assert "ok     all 10 topics are as they must be" in told.out


def test_without_a_worker_it_takes_force_when_one_starts(ask: Call, rulebook: Path) -> None:
    told = ask("apply", rulebook)
    assert told.status == 0, told.err
    assert "it takes force there when a worker starts" in told.last
    # what stands in the log counts, though nobody took it
    assert "is in force already: nothing done" in ask("apply", rulebook).last
    assert ask("plan", rulebook).last == "nothing changes"


def test_a_running_worker_puts_it_in_force(
    ask: Call,
    rulebook: Path,
    running: Running,
    runner: asyncio.Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apply, "_WAIT_SECONDS", 10)
    change(rulebook, "version: 1", "version: 2")
    change(rulebook, "after: 24h", "after: 12h")
    with working(running, runner):
        told = ask("apply", rulebook, "--json")
    assert told.status == 0, told.err
    assert told.lines[0]["applied"]
    assert told.lines[0]["waitingPartitions"] == []
    assert "5 journeys" in ask("doctor").out


def test_a_change_under_the_same_version_is_refused(
    ask: Call, rulebook: Path, running: Running, runner: asyncio.Runner
) -> None:
    async def wait() -> None:
        await running.send(
            identify("u1", "+12125550100"),
            track("u1", "Loan Application Approved", 1, properties={"loanId": "L", "amount": 6000}),
        )
        await running.pump()

    runner.run(wait())
    change(rulebook, "after: 12h", "after: 13h")
    told = ask("apply", rulebook)
    assert told.status == 1
    assert "`loan-approved-not-signed`: write `version: 3`" in told.err
    planned = ask("plan", rulebook)
    assert "~ loan-approved-not-signed (version 2)" in planned.out
    assert "    step 1, after: 12h -> 13h" in planned.out
    assert (
        "! loan-approved-not-signed decides otherwise under a version that is taken: write 3"
        in planned.out
    )


def test_a_version_of_long_ago_stays_taken(ask: Call, rulebook: Path, tmp_path: Path) -> None:
    """A journey of another content under version 1 was in force before version 2."""
    other = Path(shutil.copytree(rulebook, tmp_path / "other"))
    (other / LOANS).unlink()
    shutil.rmtree(other / "tests")
    assert ask("apply", other).status == 0
    change(rulebook, "version: 2", "version: 1")
    told = ask("apply", rulebook)
    assert told.status == 1
    assert "`loan-approved-not-signed`: write `version: 3`" in told.err
    change(rulebook, "version: 1", "version: 2")


def test_a_rulebook_with_errors_is_not_applied(ask: Call, rulebook: Path) -> None:
    change(rulebook, "version: 2", "version: two")
    told = ask("apply", rulebook)
    assert told.status == 1
    assert f"{rulebook / LOANS}:3: " in told.err
    assert ask("plan", rulebook).status == 1


def test_erasure_asks_first_and_a_phone_is_no_id(
    ask: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ask("erase", "+12125550100", "--yes")
    assert told.status == 1
    assert "erase whose it is: u1" in told.err
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    told = ask("erase", "u1")
    assert told.status == 130
    assert "Erase?" in told.err
    assert ask("contact", "u1").status == 0


def test_erasure_without_a_worker_stands_in_the_log(
    ask: Call, running: Running, runner: asyncio.Runner
) -> None:
    told = ask("erase", "u9", "--yes")
    assert told.status == 0, told.err
    assert "u9 is not known" in told.err
    assert "not taken yet" in told.last
    runner.run(running.pump())


def test_erasure_is_proved_by_its_place_in_the_log(
    ask: Call, running: Running, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "_WAIT_MS", 10_000)
    with working(running, runner):
        told = ask("erase", "u1", "--yes", "--json")
    assert told.status == 0, told.err
    (proof,) = told.lines
    assert proof["taken"]
    assert proof["record"]["topic"] == running.names.events
    assert proof["watermark"] > proof["record"]["offset"]
    assert "erased: nothing is kept" in ask("contact", "u1").out
    told = ask("erase", "u1", "--yes")
    assert "u1 is erased already" in told.err


def test_an_anonymous_id_erases_the_person_it_is_linked_to(
    ask: Call, running: Running, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "_WAIT_MS", 10_000)

    async def link() -> None:
        await running.send(identify("u7", "+12125550107", anonymousId="a7"))
        await running.pump()

    runner.run(link())
    with working(running, runner):
        told = ask("erase", "a7", "--yes")
    assert "taken: state removed" in told.last, told.err
    assert "erased: nothing is kept" in ask("contact", "u7").out
    assert ask("contact", "+12125550107").status == 1


def test_state_of_another_version_is_told_in_one_line(
    ask: Call, running: Running, runner: asyncio.Runner
) -> None:
    ref = Ref("person", "u8")
    partition = partition_of(ref, 2)

    async def spoil() -> None:
        expected = await running.store.watermark(partition)
        assert expected is not None
        change = Change(Mark(expected.offset, 1), {entity_key(ref): b"\xff"})
        await running.store.commit(partition, expected, change)

    runner.run(spoil())
    told = ask("contact", "u8")
    assert told.status == 1
    assert told.err.startswith("pipeline: Redis: stored state is not readable: use the version")
    assert told.err.count("\n") == 1


def test_doctor_sees_a_redis_that_is_ahead_of_the_log(
    call: Call, running: Running, runner: asyncio.Runner
) -> None:
    async def jump() -> None:
        expected = await running.store.watermark(0)
        await running.store.commit(0, expected, Change(Mark(10**9, 0)))

    runner.run(jump())
    told = call("doctor", "--json", **running.environ)
    assert told.status == 1
    (fatal,) = [line for line in told.lines if line["level"] == "fatal"]
    assert "ahead of the log in partitions [0]" in fatal["what"]
