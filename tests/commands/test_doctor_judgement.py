"""What `doctor` makes of what brokers and Redis say of themselves."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pipeline.commands.doctor_checks import broker_clock
from pipeline.commands.doctor_kafka import Durability, judge
from pipeline.commands.doctor_redis import Finding, _exclusive, _memory, _persistence, _replicas
from pipeline.settings import Settings

SOUND = Durability(
    brokers=3,
    replicas={"segment.events": 3, "__consumer_offsets": 3},
    topics={
        "segment.events": {
            "min.insync.replicas": "2",
            "unclean.leader.election.enable": "false",
        }
    },
    broker={"offsets.retention.minutes": "10080", "transaction.max.timeout.ms": "900000"},
)


def wrong(findings: list[Finding]) -> list[Finding]:
    return [found for found in findings if found.level != "ok"]


def topic(**config: str) -> Durability:
    known = SOUND.topics["segment.events"]
    changed = {name.replace("_", "."): value for name, value in config.items()}
    return replace(SOUND, topics={"segment.events": {**known, **changed}})


def test_a_cluster_that_keeps_what_it_acknowledged_is_fine() -> None:
    assert wrong(judge(SOUND)) == []


@pytest.mark.parametrize(
    ("found", "level", "said"),
    [
        (replace(SOUND, brokers=1), "warn", "1 broker: records have no 3 replicas"),
        (
            replace(SOUND, replicas={**SOUND.replicas, "segment.events": 2}),
            "warn",
            "topic segment.events has 2 replicas",
        ),
        (
            replace(SOUND, replicas={**SOUND.replicas, "__consumer_offsets": 1}),
            "warn",
            "topic __consumer_offsets has 1 replica",
        ),
        (topic(unclean_leader_election_enable="true"), "fatal", "unclean.leader.election"),
        (topic(min_insync_replicas="1"), "warn", "min.insync.replicas is 1"),
        (topic(min_insync_replicas="3"), "warn", "min.insync.replicas is 3 of 3"),
        (
            replace(SOUND, broker={**SOUND.broker, "offsets.retention.minutes": "1440"}),
            "fatal",
            "offsets.retention.minutes is 1440",
        ),
        (
            replace(SOUND, broker={**SOUND.broker, "transaction.max.timeout.ms": "5000"}),
            "fatal",
            "transaction.max.timeout.ms is 5000",
        ),
        (replace(SOUND, broker={}), "warn", "do not tell their settings"),
    ],
)
def test_each_setting_that_endangers_a_promise_is_told_with_what_it_breaks(
    found: Durability, level: str, said: str
) -> None:
    finding, *_ = wrong(judge(found))
    assert finding.level == level
    assert said in finding.what
    assert finding.breaks
    assert finding.remedy


def test_keys_of_others_in_redis_are_told() -> None:
    ours = [b"{p7}:wm", b"x.{p12}:e:pe:1", b"x.{pipeline}:guard"]
    assert _exclusive(ours) == []
    (finding,) = _exclusive([*ours, b"session:1"])
    assert finding.what == "1 of 4 keys looked at in this Redis are not the pipeline's"


def test_replicas_must_take_part_in_writes() -> None:
    assert wrong(_replicas({"connected_slaves": 1}, "1")) == []
    assert wrong(_replicas({"connected_slaves": 0}, "0")) == []
    (finding,) = wrong(_replicas({"connected_slaves": 1}, "0"))
    assert "min-replicas-to-write 0" in finding.what


def test_a_redis_that_is_almost_full_or_cannot_write_is_told() -> None:
    assert _memory({"used_memory": 10, "maxmemory": 0}) == []
    (finding,) = _memory({"used_memory": 90, "maxmemory": 100})
    assert "90%" in finding.what
    failing = {"aof_enabled": 1, "aof_last_write_status": "err"}
    assert _persistence(failing, "always").level == "fatal"


class Newest:
    """A reader of a log whose newest record has this append time."""

    def __init__(self, timestamp: int) -> None:
        self.timestamp = timestamp

    async def ends(self, _: str) -> dict[int, int]:
        return {0: 5}

    async def at(self, *_: object) -> "Newest":
        return self


@pytest.mark.parametrize(("ahead", "told"), [(0, 0), (60_000, 1)])
def test_brokers_whose_clock_runs_ahead_are_told(ahead: int, told: int) -> None:
    now = 1_772_000_000_000
    pipeline = SimpleNamespace(settings=Settings(), reader=Newest(now + ahead))
    found = asyncio.run(broker_clock(pipeline, now))  # type: ignore[arg-type]  # what it asks of it
    assert [finding.level for finding in found] == ["warn"] * told
    assert all("60.0 s ahead" in finding.what for finding in found)
