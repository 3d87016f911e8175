"""A visit is cut off anywhere and gone on with; a wait on its way to another partition is met."""

from unittest.mock import patch

import pytest

from pipeline.adapters.memory_store import MemoryStore
from pipeline.domain.journeys import case_of
from pipeline.domain.refs import Ref
from pipeline.domain.versions import Ruling
from pipeline.ports import Change, Entry, Mark, StoreUnavailable
from pipeline.process import state
from pipeline.rulebook.compile import canonical_document
from pipeline.rulebook.load import document_digest
from pipeline.wire.records import Announce, Enforce, encode_control
from pipeline.wire.state import partition_of
from tests.process.changing import Changing, journey
from tests.process.folding import JOURNEY, RULES, Folding

DROP, MOVE, KEEP = Ruling(drop=2), Ruling(move=2), Ruling()
NEXT = canonical_document({"journeys": [JOURNEY | {"version": 2, "lateness": "1m"}]})
PAUSED = canonical_document({"journeys": [JOURNEY | {"status": "paused"}]})
USERS = [f"u{n}" for n in range(12)]


class Dying(MemoryStore):
    """Breaks before the commit of this number."""

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None

    async def commit(self, partition: int, expected: Mark | None, change: Change) -> bool:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise StoreUnavailable("power cut")
        return await super().commit(partition, expected, change)


async def changed(ruling: Ruling, dies_at: int | None, portion: int = 3) -> Folding:
    """Twelve wait when another version, and a pause and its end, come into force."""
    store = Dying()
    folding = Folding(store)
    with patch.object(state, "PORTION_MAX", portion):
        folding.write(*RULES)
        for user in USERS:
            folding.known(user)
        await folding.take()
        folding.tick(0)
        await folding.take()
        paused, following = document_digest(PAUSED), document_digest(NEXT)
        folding.write(encode_control(Announce(paused, PAUSED)), encode_control(Enforce(paused)))
        folding.tick(2)
        await folding.take()
        folding.write(encode_control(Announce(following, NEXT)))
        folding.write(encode_control(Enforce(following, {"j": ruling})))
        store.left = dies_at
        try:
            await folding.take()
        except StoreUnavailable:
            folding.again()
            await folding.take()
        store.left = None
        folding.tick(3)
        await folding.take()
        folding.tick(4)
        await folding.take()
    return folding


def marks(entries: list[Entry]) -> list[tuple[Mark, str, bytes | None]]:
    return [(entry.mark, entry.topic, entry.value) for entry in entries]


@pytest.mark.parametrize("ruling", [DROP, MOVE, KEEP])
@pytest.mark.parametrize("dies_at", range(8))
async def test_a_visit_that_is_cut_off_gives_the_same_marks_and_state(
    ruling: Ruling, dies_at: int
) -> None:
    whole = await changed(ruling, None)
    cut = await changed(ruling, dies_at)

    assert marks(cut.outputs) == marks(whole.outputs)
    assert cut.entities() == whole.entities()
    assert cut.log == whole.log


@pytest.mark.parametrize("ruling", [DROP, MOVE, KEEP])
async def test_folding_the_log_again_gives_the_same(ruling: Ruling) -> None:
    first = await changed(ruling, None)
    again = Folding()
    end = len(first.log)
    again.log = list(first.log)
    again.write = lambda *_: None  # type: ignore[method-assign]  # what it causes stands there
    with patch.object(state, "PORTION_MAX", 3):
        await again.take()

    assert len(again.log) == end
    assert marks(again.outputs) == marks(first.outputs)
    assert again.entities() == first.entities()


async def test_all_that_wait_are_visited_however_small_the_commits() -> None:
    dropped = await changed(DROP, None, portion=1)

    assert len(dropped.published("journey.decisions")) == len(USERS)
    assert dropped.published("journey.triggers") == []
    whole = await changed(DROP, None, portion=100)
    assert sorted(e.value for e in dropped.published("journey.decisions")) == sorted(  # type: ignore[type-var]
        e.value for e in whole.published("journey.decisions")
    )


async def test_a_visit_that_changes_nothing_writes_no_entity() -> None:
    folding = Folding()
    folding.write(*RULES)
    for user in USERS:
        folding.known(user)
    await folding.take()
    before = folding.entities()
    same = document_digest(NEXT)
    folding.write(encode_control(Announce(same, NEXT)))
    folding.write(encode_control(Enforce(same, {"j": Ruling(drop=1)})))
    await folding.take()

    changed_keys = {key for key, value in folding.entities().items() if before.get(key) != value}
    assert changed_keys == {b"ledger", b"shelf"}


async def test_a_version_that_is_due_at_the_same_instant_is_written_too() -> None:
    """Or a process that starts anew would decide by another one than the one that went on."""
    folding = Folding()
    folding.write(*RULES)
    folding.known("u1")
    await folding.take()
    following = canonical_document(
        {"journeys": [JOURNEY | {"version": 2, "unless": ["Withdrawn"]}]}
    )
    folding.write(
        encode_control(Announce("n", following)), encode_control(Enforce("n", {"j": MOVE}))
    )
    await folding.take()
    folding.again()
    folding.call("u1", event="Withdrawn", properties={"loanId": "u1"})
    await folding.take()

    assert len(folding.published("journey.decisions")) == 1


OLD, NEW = (next(f"u{n}" for n in range(99) if partition_of(Ref("person", f"u{n}"), 2) == p)
            for p in (0, 1))  # fmt: skip


async def apart() -> Changing:
    """Whose wait will move by an alias lives in partition 0, who will have it in 1."""
    world = Changing(partitions=2)
    await world.apply("08:00", journey())
    await world.known(OLD)
    await world.known(NEW, phone="+12125550101")
    await world.track("10:00", OLD, "Approved")
    return world


async def merge(world: Changing, clock: str) -> None:
    await world.send(clock, "alias", NEW, previousId=OLD)


@pytest.mark.parametrize("first", [0, 1])
async def test_a_wait_that_moves_between_partitions_while_they_change_is_dropped(
    first: int,
) -> None:
    world = await apart()
    following = await world.announce(journey(2))
    await world.apply_in(first, following, j=DROP)
    await merge(world, "11:00")
    await world.apply_in(1 - first, following, j=DROP)
    await world.until("20:00")

    assert world.fired() == []
    ((_, _, outcome, reason, clock),) = world.decided()
    assert (outcome, reason) == ("superseded", "dropped")
    assert clock in {"10:00", "11:00"}  # when it is met, not when it is due


@pytest.mark.parametrize("first", [0, 1])
async def test_a_wait_that_moves_between_partitions_while_they_change_is_re_evaluated(
    first: int,
) -> None:
    world = await apart()
    following = await world.announce(journey(2, steps=[{"after": "4h", "channel": "voice"}]))
    await world.apply_in(first, following, j=MOVE)
    await merge(world, "11:00")
    await world.apply_in(1 - first, following, j=MOVE)
    await world.until("20:00")

    assert world.fired() == [(NEW, 2, "14:00")]


@pytest.mark.parametrize("first", [0, 1])
async def test_a_wait_that_moves_between_partitions_in_a_pause_does_not_fire(first: int) -> None:
    world = await apart()
    paused = await world.announce(journey(status="paused"))
    await world.apply_in(first, paused)
    await merge(world, "11:00")
    await world.apply_in(1 - first, paused)
    await world.until("13:00")
    assert world.fired() == []
    await world.apply("14:00", journey())
    await world.until("20:00")

    assert world.fired() == [(NEW, 1, "14:00")]


async def test_a_cancel_of_before_a_re_evaluation_counts_after_the_merge_that_brings_it() -> None:
    """The other side had it, by the old version's `unless`."""
    world = await apart()
    await world.track("10:30", NEW, "Signed")
    await world.apply("11:00", journey(2, unless=["Withdrawn"]), j=MOVE)
    await merge(world, "11:30")
    await world.until("20:00")

    assert world.fired() == []
    assert [each[2:4] for each in world.decided()] == [("cancelled", "cancelled")]


async def test_a_start_on_its_way_to_its_case_is_met_there() -> None:
    """It was taken before the change in its person's partition, and after it in the case's."""
    world = Changing(partitions=2)
    await world.apply("08:00", journey(match="key"))
    await world.known(OLD)
    following = await world.announce(journey(2, match="key"))
    case = next(f"L{n}" for n in range(99) if partition_of(case_of("j", f"L{n}"), 2) == 1)
    await world.apply_in(1, following, j=DROP)
    await world.track("10:00", OLD, "Approved", case)
    await world.apply_in(0, following, j=DROP)
    await world.until("20:00")

    assert world.fired() == []
    assert [each[2:] for each in world.decided()] == [("superseded", "dropped", "10:00")]
