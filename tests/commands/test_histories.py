"""Histories from files and topics, in order of log time."""

import gzip
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.commands.common import Failure
from pipeline.commands.histories import from_file, in_log_order
from pipeline.process.history import Happened
from tests.commands.topics import Topics

NOON = 1_772_550_000_000


def wrapped(at: int, name: str = "x", **more: Any) -> dict[str, Any]:
    return {"timestamp": at, "value": {"type": "track", "event": name, "userId": "u"}, **more}


def lines(*records: object) -> bytes:
    return b"\n".join(orjson.dumps(record) for record in records)


async def read(path: Path, content: bytes | None = None) -> list[Happened]:
    if content is not None:
        path.write_bytes(content)
    return [record async for record in from_file(path)]


def names(records: Sequence[Happened]) -> list[str]:
    return [orjson.loads(record.value or b"")["event"] for record in records]


async def test_lines_out_of_order_are_taken_by_log_time_and_those_of_one_instant_as_they_stand(
    tmp_path: Path,
) -> None:
    content = lines(wrapped(NOON + 5, "c"), wrapped(NOON, "a"), wrapped(NOON + 5, "d"))
    found = await read(tmp_path / "h", content + b"\r\n\n  \n" + lines(wrapped(NOON, "b")))
    assert names(found) == ["a", "b", "c", "d"]
    assert [record.at - NOON for record in found] == [0, 0, 5, 5]


@given(times=st.lists(st.integers(NOON, NOON + 9), max_size=30))
async def test_any_order_of_lines_gives_growing_log_times(
    times: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "h"
    content = lines(*(wrapped(at, str(nth)) for nth, at in enumerate(times)))
    records = await read(path, content)
    found = [(r.at, int(name)) for r, name in zip(records, names(records), strict=True)]
    assert found == sorted((at, nth) for nth, at in enumerate(times))


async def test_a_file_without_lines_is_an_empty_history(tmp_path: Path) -> None:
    assert await read(tmp_path / "h", b"\n \n") == []


async def test_the_number_of_records_is_told_before_the_first(tmp_path: Path) -> None:
    told: list[int] = []
    (tmp_path / "h").write_bytes(lines(wrapped(NOON), wrapped(NOON)))
    async for _ in from_file(tmp_path / "h", expect=told.append):
        assert told == [2]


async def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(lines(wrapped(NOON, "a")),))
    writer.start()
    assert names(await read(pipe)) == ["a"]
    writer.join()


async def test_records_with_a_place_keep_the_order_of_their_partition(tmp_path: Path) -> None:
    content = lines(
        wrapped(NOON + 5, "a", partition=0, offset=7),
        wrapped(NOON, "b", partition=0, offset=8),  # a producer's clock that runs behind
        wrapped(NOON + 1, "c", partition=1, offset=3, topic="x.segment.raw"),
    )
    found = await read(tmp_path / "h", content)
    assert names(found) == ["c", "a", "b"]
    assert [record.at - NOON for record in found] == [1, 5, 5]
    assert [record.kafka_time for record in found] == [NOON + 1, NOON + 5, NOON]
    assert found[0].place == ("x.segment.raw", 1, 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n{}}", ":2: not JSON"),
        (b"[]", ":1: not an object"),
        (b"\xff\xfe{\0", ":1: not JSON"),
        (gzip.compress(b"{}"), ":1: not JSON"),
        (b"[" * 100_000, ":1: not JSON"),
        (b'{"timestamp":1772550000000,"value":' + b"[" * 500 + b"]" * 500 + b"}", "too deep"),
        (lines({"type": "track", "timestamp": "soon"}), ":1: no receivedAt or timestamp"),
        (lines({"batch": [1, None, {}]}), ":1: no receivedAt or timestamp"),
        (lines({"value": None}), ":1: no receivedAt or timestamp"),
        (lines(wrapped(NOON, partition=0)), "go together"),
        (lines(wrapped(NOON, partition=True, offset=1)), "whole numbers"),
        (lines(wrapped(NOON, partition=0, offset=-1)), "whole numbers"),
        (lines(wrapped(NOON, partition=0, offset=2**63)), "whole numbers"),
        (lines(wrapped(NOON, partition=0, offset=1.5)), "whole numbers"),
        (lines(wrapped(NOON, partition=0, offset=1, topic=7)), "whole numbers"),
        (
            lines(*(wrapped(NOON, partition=0, offset=5) for _ in range(2))),
            ":2: offset 5 of partition 0 is not after 5: sort",
        ),
        (
            lines(wrapped(NOON), wrapped(NOON, partition=0, offset=1)),
            ":2: lines with and without partition and offset",
        ),
    ],
)
async def test_a_broken_line_is_named_before_any_record_is_given(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(Failure) as error:
        await read(tmp_path / "h", content)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="can't be read"):
        await read(tmp_path)


def topic(times: Mapping[int, Sequence[int]]) -> Topics:
    """By partition the Kafka times of its records, from offset 3 on."""
    records = {number: [(at, b"%d" % at) for at in found] for number, found in times.items()}
    return Topics({"segment.raw": records}, start=3)


@given(st.dictionaries(st.integers(0, 5), st.lists(st.integers(1, 20), max_size=12)))
async def test_partitions_are_merged_by_time_and_each_keeps_its_order(
    times: dict[int, list[int]],
) -> None:
    reader, expected = topic(times), list[int]()
    found = [record async for record in in_log_order(reader, "segment.raw", expect=expected.append)]
    assert expected == [sum(map(len, times.values()))]
    assert [record.at for record in found] == sorted(record.at for record in found)
    for number, of_partition in times.items():
        mine = [r for r in found if r.place is not None and r.place[1] == number]
        assert [r.kafka_time for r in mine] == of_partition
    assert reader.held == 0


async def test_who_stops_early_leaves_no_reader_open() -> None:
    reader = topic({0: [1, 4], 1: [2, 3]})
    records = in_log_order(reader, "segment.raw")
    assert (await anext(records)).at == 1
    assert reader.held == 2
    await records.aclose()
    assert reader.held == 0
