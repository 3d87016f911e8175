"""How fast a relay goes, and what it has done."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds and counts of a relay."""

    collect: float = 0.15
    """How long outward entries wait for company."""
    longest: float = 0.5
    """They wait at least as long as the publish before took, but not longer than this: busy brokers
    get fewer and larger transactions. Urgent ones go at once, or when a quarter has passed."""
    most: int = 2000
    """Entries of one publish."""
    trim: float = 0.025
    """Internal entries are trimmed at most so often: each time is a call of the store. Where it is
    busy there pass as many seconds as the last one took."""
    trim_outward: float = 0.5
    """Nobody waits for these."""
    renew_first: float = 60.0
    renew: float = 24 * 3600.0
    """Brokers forget a committed offset after a week (`offsets.retention.minutes`)."""
    patience: float = 120.0
    """How long in all to try again before giving up."""


@dataclass(slots=True)
class Counts:
    """What a relay has done, for metrics."""

    internal: int = 0
    outward: int = 0
    skipped: int = 0
    """Outward entries that a predecessor had published."""
    publishes: int = 0
    """Outward ones: transactions."""
    opened: int = 0
