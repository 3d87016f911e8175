"""Which faults a seed has: some kinds together, at most so many in a window of time."""

from dataclasses import dataclass
from random import Random

PROFILES: dict[str, tuple[str, ...]] = {
    "quiet": (),
    "crashes": ("crash", "crash", "crash", "rebalance", "restart"),
    "zombies": ("pause", "pause", "stale_leader", "stale_leader", "rebalance", "crash", "stray"),
    "forgetful": ("rollback", "rollback", "failover", "crash", "lost"),
    "brokers": ("kafka", "kafka", "lost", "slow", "crash", "normalize", "lag"),
    "laggards": ("lag", "rebalance", "slow", "crash"),
    "clocks": ("clock", "clock", "pause", "rebalance", "normalize", "lag"),
    "everything": (
        "crash", "crash", "pause", "rollback", "failover", "lost", "kafka", "slow", "rebalance",
        "restart", "clock", "normalize", "stale_leader", "stray", "lag",
    ),
}  # fmt: skip


RACES = 0.5


@dataclass
class Plan:
    """Which faults, and how many a window of time has."""

    kinds: tuple[str, ...]
    most: int
    workers: int
    lags: bool
    """Whether a partition stands still in each window."""


def plan(rng: Random, *, racing: bool = False) -> Plan:
    """`racing`: who is late matters more often than else."""
    profile = rng.choice([*PROFILES, "everything"])
    if racing and rng.random() < RACES:
        profile = "laggards"
    most, workers = rng.choice([1, 2, 3]), rng.choice([1, 2, 2, 3])
    return Plan(PROFILES[profile], most, workers, lags=profile == "laggards")
