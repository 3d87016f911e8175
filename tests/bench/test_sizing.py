"""README's sizing is what its unit costs come to."""

import re
from dataclasses import replace
from pathlib import Path

from tests.bench.sizing import DAY, PER_WORKER, RATES, Costs, limits, size, table

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COSTS = Costs(worker_cpu=100.0, broker_cpu=50.0, redis_cpu=20.0, fold_cpu=70.0)


def test_the_table_in_readme_is_what_the_command_beside_it_prints() -> None:
    (command,) = re.findall(r"python -m tests\.bench\.sizing(( --[a-z-]+ [0-9.]+)+)", README)
    assert table(Costs.read(command[0].split())) in README


def test_no_single_threaded_part_is_busier_than_it_may_be() -> None:
    for rate in RATES:
        assert max(size(COSTS, rate).busy.values()) <= COSTS.busy + 1e-9


def test_one_worker_less_would_be_too_busy() -> None:
    at = size(COSTS, 100_000)
    assert COSTS.worker_cpu * 0.1 / (at.workers - 1) > COSTS.busy
    assert at.workers == 17


def test_every_worker_has_some_partitions() -> None:
    for rate in RATES:
        at = size(COSTS, rate)
        assert at.partitions >= PER_WORKER * at.workers


def test_memory_is_of_contacts_waits_and_a_day_of_message_ids() -> None:
    lean = replace(COSTS, contact=0.0, wait=0.0, message=1.0)
    assert size(lean, 1_000).memory == 1_000 * DAY / 2**30
    assert size(replace(COSTS, people=2_000.0), 1_000).memory > size(COSTS, 1_000).memory


def test_the_dearest_part_is_full_first() -> None:
    assert next(iter(limits(COSTS))) == "a worker process"
    assert size(COSTS, 1_000).first == "workers"
    assert next(iter(limits(replace(COSTS, redis_cpu=200.0)))) == "a Redis primary"
    assert size(replace(COSTS, redis_cpu=200.0), 1_000).first == "Redis"
