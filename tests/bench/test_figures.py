"""No figure for a wrong result, and figures that mean what they say."""

import os
import time
from collections import Counter
from collections.abc import Callable

import pytest

from pipeline.wire.records import Announce, Enforce, encode_control
from tests.bench.backlog import Figures
from tests.bench.expected import Found, faults
from tests.bench.figures import (
    PERCENTILES,
    aligned,
    percentile,
    sampled,
    settled_part,
    slope,
    spread,
)
from tests.bench.fold import BEGIN, Folding, check, fold, normalized, rulebook
from tests.bench.generator import Load, Pace, make
from tests.bench.job import WAIT
from tests.bench.measure import watched
from tests.bench.report import ratios
from tests.bench.systems import OURS, SYSTEMS

LOAD = make(600, Pace(BEGIN, span=60.0), seed=2)


def right(load: Load) -> Found:
    told = Counter({(loan, r.user, r.phone): 1 for loan, r in load.triggers.items()})
    return Found(dict(load.contacts), dict(load.optins), told)


def lose_a_trigger(found: Found) -> None:
    found.triggers.popitem()


def repeat_a_trigger(found: Found) -> None:
    found.triggers[next(iter(found.triggers))] += 1


def call_somebody_else(found: Found) -> None:
    found.triggers["L-x", "x", "+12122000000"] = 1


def take_one_back(found: Found) -> None:
    found.retractions = 1


def lose_a_contact(found: Found) -> None:
    found.contacts.popitem()


def turn_an_optin(found: Found) -> None:
    found.optins[next(iter(found.optins))] = "?"


def test_a_right_result_has_no_faults() -> None:
    assert len(LOAD.triggers) > 1
    assert faults(right(LOAD), [LOAD]) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lose_a_trigger, repeat_a_trigger, call_somebody_else,
        take_one_back, lose_a_contact, turn_an_optin,
    ],
)  # fmt: skip
def test_each_kind_of_wrong_result_is_told(spoil: Callable[[Found], None]) -> None:
    found = right(LOAD)
    spoil(found)
    assert len(faults(found, [LOAD])) == 1


async def test_the_fold_alone_gives_what_the_generator_expects() -> None:
    folding = Folding(batch=50)
    await folding.control(encode_control(Announce("d" * 32, rulebook())))
    await folding.control(encode_control(Enforce("d" * 32)))
    end = BEGIN + int((Pace(BEGIN, 60.0).length + 2 * WAIT) * 1000)
    await fold(folding, normalized(LOAD, 50), end)
    check(LOAD, folding.outputs)
    assert folding.taken > len(LOAD.calls)


async def test_cpu_and_memory_of_a_process_are_seen() -> None:
    begun = time.time()
    async with watched({"us": [os.getpid()], "nobody": [2**22 + 1]}) as usage:
        busy = time.process_time()
        while time.process_time() - busy < 0.3:
            pass
    assert 0.2 < usage.cpu("us", begun, time.time()) < 1.0
    assert usage.cpu("nobody", begun, time.time()) == 0
    assert 0 <= usage.others(begun, time.time()) <= (os.cpu_count() or 1)
    assert max(size for _, size in usage.resident(["us", "nobody"])) > 2**20
    assert {size for _, size in usage.resident(["nobody"])} == {0}


def test_percentiles_that_so_few_values_cannot_tell_are_left_out() -> None:
    hundred = [n / 1000 for n in range(1, 101)]
    assert [percentile(hundred, share) for share in PERCENTILES.values()] == [
        0.051, 0.096, 0.1, None,
    ]  # fmt: skip
    assert percentile([0.001] * 1000, 0.999) == 0.001
    assert percentile([0.2], 0.5) is None
    assert percentile([], 0.5) is None


def test_a_slope_is_that_of_the_line_that_fits_best() -> None:
    assert slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) == pytest.approx(2.0)
    assert slope([(0.0, 4.0), (1.0, 6.0), (2.0, 4.0)]) == pytest.approx(0.0)
    assert slope([(1.0, 1.0), (1.0, 9.0)]) == 0.0
    assert slope([]) == 0.0


def test_what_memory_grows_to_at_first_is_no_slope() -> None:
    filling = [(float(t), float(min(t, 5))) for t in range(11)]
    assert slope(settled_part(filling)) == 0.0
    assert slope(filling) > 0.0
    assert settled_part([]) == []


def test_a_series_is_shown_by_a_few_of_its_values() -> None:
    series = [(float(n), float(n)) for n in range(101)]
    assert sampled(series, 5) == [0.0, 25.0, 50.0, 75.0, 100.0]
    assert sampled(series[:3], 5) == [0.0, 1.0, 2.0]


def test_tables_align() -> None:
    assert aligned([("ms", "n"), ("x", "1,000")]) == "ms      n\nx   1,000"


def test_a_spread_is_the_median_with_the_least_and_the_most() -> None:
    assert spread([3000.0, 1000.0, 2500.0]) == "2,500 (1,000-3,000)"
    assert spread([12.34], 1) == "12.3"


def test_what_was_hoped_for_and_not_reached_is_said() -> None:
    def figures(rate: float) -> list[Figures]:
        return [Figures(rate, {"workers": 50.0, "broker": 1.0, "redis": 1.0}, {})]

    by_name = {system.name: system for system in SYSTEMS}
    told = ratios({OURS: figures(4000), by_name["faust"]: figures(1000)})
    assert "30 times stock Faust + Redis: 4.00 times, NOT reached" in told
    assert "40 s of worker CPU per million events: 50 s, NOT reached" in told
    assert "reached" in ratios({OURS: figures(9000), by_name["bytewax"]: figures(1000)})
    assert ratios({by_name["bytewax"]: figures(1000)}) == ""
