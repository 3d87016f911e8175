"""What may be committed: the contiguous prefix of what was delivered, of this epoch only."""

from random import Random

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from pipeline.worker.ledger import Batch, Ledger

P0, P1 = TP("t", 0), TP("t", 1)


class Record:
    def __init__(self, offset: int) -> None:
        self.offset = offset


def deliver(ledger: Ledger, tp: TP, epoch: int, first: int, count: int) -> Batch:
    records = [Record(i) for i in range(first, first + count)]
    batch = ledger.deliver(tp, epoch, records, first + count)
    assert batch is not None
    return batch


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(depth=3)


def test_start_is_safe_at_once(ledger: Ledger) -> None:
    ledger.begin(P0, 7)
    assert ledger.safe(P0) == 7
    assert ledger.safe(P1) is None


def test_only_the_prefix_is_safe(ledger: Ledger) -> None:
    epoch = ledger.begin(P0, 0)
    a, b, c = (deliver(ledger, P0, epoch, i * 10, 10) for i in range(3))
    ledger.finish(b)
    ledger.finish(c)
    assert ledger.safe(P0) == 0
    ledger.finish(a)
    assert ledger.safe(P0) == 30


def test_finishing_twice_counts_once(ledger: Ledger) -> None:
    epoch = ledger.begin(P0, 0)
    a, _ = deliver(ledger, P0, epoch, 0, 1), deliver(ledger, P0, epoch, 1, 1)
    ledger.finish(a)
    ledger.finish(a)
    assert ledger.safe(P0) == 1


def test_holes_of_the_log_do_not_matter(ledger: Ledger) -> None:
    epoch = ledger.begin(P0, 0)
    a, b = deliver(ledger, P0, epoch, 5, 1), deliver(ledger, P0, epoch, 90, 1)
    ledger.finish(b)
    assert ledger.safe(P0) == 0
    ledger.finish(a)
    assert ledger.safe(P0) == 91


def test_markers_move_what_is_safe(ledger: Ledger) -> None:
    epoch = ledger.begin(P0, 0)
    assert ledger.deliver(P0, epoch, [], 2) is None
    assert ledger.safe(P0) == 2
    a = deliver(ledger, P0, epoch, 2, 3)
    assert ledger.deliver(P0, epoch, [], 6) is None
    assert ledger.safe(P0) == 2
    ledger.finish(a)
    assert ledger.safe(P0) == 6


def test_a_seek_makes_what_came_before_stale(ledger: Ledger) -> None:
    old = ledger.begin(P0, 0)
    a = deliver(ledger, P0, old, 0, 10)
    new = ledger.begin(P0, 4)
    assert not ledger.runnable(a)
    assert ledger.deliver(P0, old, [Record(10)], 11) is None
    ledger.finish(a)
    assert ledger.safe(P0) == 4
    b = deliver(ledger, P0, new, 4, 10)
    ledger.finish(a)
    assert ledger.safe(P0) == 4
    ledger.finish(b)
    assert ledger.safe(P0) == 14


def test_a_closed_partition_finishes_but_begins_nothing(ledger: Ledger) -> None:
    epoch = ledger.begin(P0, 0)
    a = deliver(ledger, P0, epoch, 0, 10)
    ledger.close([P0])
    assert not ledger.runnable(a)
    assert not ledger.holds(P0)
    assert not ledger.wanted([P0])
    assert ledger.deliver(P0, epoch, [Record(10)], 11) is None
    ledger.finish(a)
    assert ledger.safe(P0) == 10
    ledger.forget([P0])
    assert ledger.safe(P0) is None


def test_epochs_are_never_used_again(ledger: Ledger) -> None:
    first = ledger.begin(P0, 0)
    a = deliver(ledger, P0, first, 0, 10)
    ledger.forget([P0])
    assert ledger.begin(P0, 0) > first
    ledger.finish(a)
    assert ledger.safe(P0) == 0


def test_depth_is_back_pressure(ledger: Ledger) -> None:
    """Counted in records, whatever the size of the batches."""
    epoch = ledger.begin(P0, 0)
    ledger.begin(P1, 0)
    first, second = deliver(ledger, P0, epoch, 0, 1), deliver(ledger, P0, epoch, 1, 1)
    assert ledger.wanted([P0, P1]) == {P0, P1}
    deliver(ledger, P0, epoch, 2, 2)
    assert ledger.wanted([P0, P1]) == {P1}
    ledger.finish(first)
    assert ledger.wanted([P0, P1]) == {P1}
    ledger.room.clear()
    ledger.finish(second)
    assert ledger.room.is_set()
    assert ledger.wanted([P0, P1]) == {P0, P1}


def test_frozen_commits_nothing(ledger: Ledger) -> None:
    epoch = ledger.begin(P0, 0)
    a = deliver(ledger, P0, epoch, 0, 1)
    ledger.finish(a)
    ledger.frozen = True
    assert ledger.safe(P0) is None
    assert not ledger.runnable(a)


def test_a_batch_shows_no_payload(ledger: Ledger) -> None:
    assert repr(deliver(ledger, P0, ledger.begin(P0, 0), 3, 2)) == "<Batch t[0] 3+2>"


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=30),
    st.randoms(),
)
def test_any_order_of_acks(shape: list[tuple[int, int]], random: Random) -> None:
    """Compared with the definition: the end of the last batch before the first open one."""
    ledger = Ledger(depth=99)
    epoch = ledger.begin(P0, 0)
    batches, at = [], 0
    for count, hole in shape:
        at += hole
        batches.append(deliver(ledger, P0, epoch, at, count))
        at += count
    done: set[int] = set()
    for i in random.sample(range(len(batches)), len(batches)):
        ledger.finish(batches[i])
        done.add(i)
        prefix = next((k for k in range(len(batches)) if k not in done), len(batches))
        assert ledger.safe(P0) == (batches[prefix - 1].following if prefix else 0)


def test_a_fetch_that_leaves_something_out_makes_the_partition_lost(ledger: Ledger) -> None:
    epoch = ledger.begin(P0, 0)
    a = deliver(ledger, P0, epoch, 0, 2)
    assert ledger.follows(P0, epoch, 2)
    assert not ledger.follows(P0, epoch, 3)
    assert not ledger.runnable(a)
    assert (ledger.lost(), ledger.wanted([P0])) == ({P0: 0}, set())
    ledger.finish(a)  # it was in hand
    assert ledger.lost() == {P0: 2}
    assert ledger.follows(P0, ledger.begin(P0, 2), 2)
    assert ledger.lost() == {}


def test_an_older_epoch_tells_nothing_of_holes(ledger: Ledger) -> None:
    old = ledger.begin(P0, 0)
    ledger.begin(P0, 5)
    assert ledger.follows(P0, old, 99)
    assert ledger.lost() == {}


def test_a_batch_behind_one_that_never_came_is_not_in_turn(ledger: Ledger) -> None:
    epoch = ledger.begin(P0, 0)
    a, b, c = (deliver(ledger, P0, epoch, n, 1) for n in range(3))
    assert ledger.in_turn(a, 0)
    assert ledger.in_turn(b, 1)
    ledger.finish(a)
    assert not ledger.in_turn(c, 0)
    assert ledger.lost() == {P0: 1}
