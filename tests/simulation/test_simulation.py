"""The production processes on a simulated world: every seed ends as the rules say.

`SIM_FIRST` and `SIM_SEEDS` choose; a failing seed prints itself, its story and how to run it again.
Seeds run in a process of their own with a fixed hash seed: the order of sets is a part of a course.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FIRST = int(os.environ.get("SIM_FIRST", "0"))
SEEDS = int(os.environ.get("SIM_SEEDS", "2000"))
PARTS = 4
ROOT = Path(__file__).parents[2]


def simulate(first: int, seeds: int, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.simulation", "--first", str(first)]
    return subprocess.run(
        [*command, "--seeds", str(seeds), *more],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("part", range(PARTS))
def test_seeds_end_as_the_rules_say(part: int) -> None:
    begin, end = (FIRST + SEEDS * each // PARTS for each in (part, part + 1))
    if begin == end:
        pytest.skip("fewer seeds than parts")

    done = simulate(begin, end - begin)

    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)


def test_a_seed_takes_the_same_course_again() -> None:
    one, other = (simulate(7, 3, "--trace").stdout.rpartition("; faults")[0] for _ in range(2))

    assert "simulated hours" in one
    assert one == other
