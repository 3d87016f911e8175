"""Named places in a worker at which it can be made to die or to freeze."""

from typing import Final

POINTS: Final = (
    "before-commit", "in-commit", "after-commit",
    "before-internal", "after-internal",
    "before-outward", "in-transaction", "after-transaction", "after-outward",
    "before-trim", "after-trim",
    "before-open", "after-open",
    "before-tick", "after-tick",
    "before-takeover", "after-takeover",
    "before-revocation", "after-revocation",
)  # fmt: skip
"""A commit is the script in Redis, internal what goes to `segment.events` (of normalize too),
outward a transaction of a relay, open its fencing of the predecessor, tick an append of the
barrier, takeover and revocation what a rebalance gives and takes."""

AT_REBALANCE: Final = frozenset(p for p in POINTS if p.endswith(("takeover", "revocation")))
"""Reached only when partitions change hands."""
ORDER: Final = "order"
"""The file in a worker's home that says: point, at the how manieth time, kill or freeze."""
