"""What the guard, the profile and the flat cost say of what was measured."""

import orjson
import pytest

from tests.bench.backlog import Figures
from tests.bench.flat_table import Flat, verdict
from tests.bench.guard import KEPT, worse
from tests.bench.latency import HEAD, row
from tests.bench.scale import Shape, shapes
from tests.bench.stacks import parsed, told
from tests.bench.tick_costs import TickCosts


def test_only_a_gross_regression_is_told() -> None:
    kept = {"decode": 2.0, "fold": 8.0}
    assert worse({"decode": 3.9, "fold": 15.9}, kept) == []
    assert worse({"decode": 1.0, "fold": 1.0}, kept) == []
    (line,) = worse({"decode": 2.0, "fold": 16.1}, kept)
    assert line.startswith("fold costs 16.1 times")


def test_the_ratios_that_are_kept_are_those_that_are_measured() -> None:
    assert orjson.loads(KEPT.read_bytes()).keys() == {"decode", "fold"}


STACKS = [
    "thread (7): MainThread;main (cli.py:1);run (loop.py:2);fold (fold.py:3) 6",
    "thread (7): MainThread;main (cli.py:1);run (loop.py:2);encode (state.py:4) 2",
    "thread (8): Thread-1;fetch (kafka.py:5) 2",
    "",
]


def test_costs_are_counted_apart_for_each_thread() -> None:
    found = parsed(STACKS)
    assert {name: profile.samples for name, profile in found.items()} == {
        "MainThread": 8, "Thread-1": 2,
    }  # fmt: skip
    assert found["MainThread"].own == {"fold (fold.py:3)": 6, "encode (state.py:4)": 2}


def test_what_only_leads_to_the_work_is_no_cost() -> None:
    main = parsed(STACKS)["MainThread"]
    assert main.cumulative == {"fold (fold.py:3)": 6, "encode (state.py:4)": 2}


def test_samples_become_microseconds_an_event() -> None:
    first, own, *_ = told(parsed(STACKS), micros=50.0)
    assert first.strip() == "MainThread: 40.0 us an event, 80% of the samples"
    assert own.splitlines()[1].split() == ["fold", "(fold.py:3)", "30.00", "60.0%"]


def flat(others: int, cold: float, warm: float) -> Flat:
    def figures(rate: float) -> Figures:
        return Figures(rate, {}, {})

    ticks = TickCosts(0.0, 0.0, 0.0, 0.0, 0)
    return Flat(others, others, [figures(cold)], [figures(warm)], {}, 0.0, 0, ticks)


@pytest.mark.parametrize(("warm", "said"), [(80.0, "reached"), (79.0, "NOT reached")])
def test_the_largest_state_is_held_against_the_least(warm: float, said: str) -> None:
    lines = verdict([flat(0, 100.0, 100.0), flat(10, 1.0, 1.0), flat(1_000, 90.0, warm)])
    cold, other = lines.splitlines()
    assert cold.startswith("cold: 90% of the rate with 1,000 others")
    assert cold.endswith(": reached")
    assert other.endswith(f": {said}")


def test_latencies_are_a_row_of_percentiles_and_their_drift() -> None:
    found = [(float(n), 0.1 + n / 1000) for n in range(200)]
    assert dict(zip(HEAD, row("x", found), strict=True)) == {
        "ms": "x", "n": "200", "p50": "200", "p95": "290", "p99": "298", "p99.9": "",
        "most": "299", "drift ms/s": "+1.0",
    }  # fmt: skip
    assert row("x", []) == ["x", "0", "", "", "", "", "", ""]


def test_each_shape_is_measured_once() -> None:
    found = shapes([1, 2], [8, 32], cluster=True)
    assert found == [Shape(1, 8), Shape(2, 8), Shape(2, 32), Shape(2, 32, servers=3)]
    assert all(shape.servers == 1 for shape in shapes([1], [8], cluster=False))
