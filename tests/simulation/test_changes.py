"""The changes that seeds draw, and what is judged of them."""

from collections import Counter, defaultdict
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from pipeline.domain.shadow import slot
from pipeline.domain.versions import Ruling
from pipeline.wire.records import Announce, Control, Enforce, encode_control
from tests.simulation import books, changes, ruled
from tests.simulation.kafka import Record, Written
from tests.simulation.system import NAMES

Json = dict[str, Any]
SEEDS = range(600)


def drawn(seed: int) -> changes.Course:
    return changes.draw(seed, books.book(seed % books.BOOKS), 8)


def test_a_share_of_the_seeds_has_changes_and_every_kind_comes() -> None:
    courses = [drawn(seed) for seed in SEEDS]
    kinds = Counter(change.kind for course in courses for change in course.changes)

    assert 0.2 < sum(bool(course.by_half) for course in courses) / len(SEEDS) < 0.4
    assert {
        "versions", "pause", "resume", "remove", "shadow", "end_shadow", "promote",
    } <= kinds.keys()  # fmt: skip


def test_a_seed_draws_the_same_changes_again() -> None:
    assert [drawn(seed) for seed in range(30)] == [drawn(seed) for seed in range(30)]


def test_a_course_of_shadows_leaves_the_live_rulebook_as_it_is() -> None:
    seen = 0
    for seed in SEEDS:
        course, book = drawn(seed), books.book(seed % books.BOOKS)
        if course.shadows_only:
            for change in course.changes:
                live = [j for j in change.rulebook["journeys"] if j.get("status") != "shadow"]
                assert live == book["journeys"]
                seen += 1
    assert seen


def test_every_change_of_a_version_raises_it() -> None:
    for seed in SEEDS:
        known: dict[tuple[str, int], Json] = {}
        for change in drawn(seed).changes:
            for journey in change.rulebook["journeys"]:
                decides = {k: v for k, v in journey.items() if k != "status"}
                assert known.setdefault((journey["journey"], journey["version"]), decides) == (
                    decides
                )


# what is judged


def made(version: int, **more: Any) -> Json:
    return {"journey": "j", "version": version} | more


class World:
    """A log of one partition, and what was published of it."""

    def __init__(self) -> None:
        self.logs: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        self.published: dict[tuple[int, str], list[Written]] = defaultdict(list)

    def enforce(self, *journeys: Json, **rulings: Ruling) -> None:
        name = orjson.dumps(journeys).decode()
        self._add(Announce(name, {"journeys": list(journeys)}))
        self._add(Enforce(name, rulings))

    def fire(self, version: int, topic: str = NAMES.triggers) -> None:
        """Caused by a record that stands at the log's end."""
        headers = (("position", b"0:%d:1" % len(self.logs[NAMES.events, 0])),)
        self.logs[NAMES.events, 0].append(self._record(b""))
        value = {"type": "trigger", "id": "0" * 32, "journey": "j", "version": version}
        self.published[0, topic].append(Written(None, orjson.dumps(value), headers))

    def wrongs(self) -> list[str]:
        readable = {place: [each for each in log if each.value] for place, log in self.logs.items()}
        kafka = SimpleNamespace(logs=readable)
        return list(ruled.wrongs(kafka, 1, self.published))  # type: ignore[arg-type]

    def _add(self, control: Control) -> None:
        self.logs[NAMES.events, 0].append(self._record(encode_control(control)))

    def _record(self, value: bytes) -> Record:
        return Record(len(self.logs[NAMES.events, 0]), 1, None, value, ())


def test_what_keeps_to_the_changes_is_not_wrong() -> None:
    world = World()
    world.enforce(made(1))
    world.fire(1)
    world.enforce(made(2), j=Ruling(drop=2))
    world.fire(2)
    world.enforce(made(2, status="paused"))
    world.enforce(made(2), made(3, status="shadow"))
    world.fire(2)
    world.fire(3, NAMES.shadow)

    assert world.wrongs() == []


@pytest.mark.parametrize(
    ("change", "rulings", "fired", "topic", "why"),
    [
        ([made(2)], {"j": Ruling(drop=2)}, 1, NAMES.triggers, "though dropped"),
        ([made(1, status="paused")], {}, 1, NAMES.triggers, "though paused"),
        ([made(1), made(2, status="shadow")], {}, 2, NAMES.triggers, "never in force"),
        ([made(1), made(2, status="shadow")], {}, 1, NAMES.shadow, "never in force"),
        ([made(1)], {slot("j"): Ruling(drop=3)}, 2, NAMES.shadow, "though dropped"),
    ],
)
def test_what_a_change_forbids_is_found(
    change: list[Json], rulings: dict[str, Ruling], fired: int, topic: str, why: str
) -> None:
    world = World()
    world.enforce(made(1))
    world.enforce(*change, **rulings)
    world.fire(fired, topic)

    assert why in world.wrongs()[0]
