"""Collapsed stacks, as py-spy writes them, as costs of functions by thread."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.bench.figures import aligned

TOP: Final = 15
ABOVE: Final = 0.9
"""Of a thread's samples: what is on so many stacks only leads to the work."""
LEAST: Final = 0.01
"""Of all samples: threads with fewer are left out."""


@dataclass
class Profile:
    """Samples of one thread."""

    samples: int = 0
    own: Counter[str] = field(default_factory=Counter)
    cumulative: Counter[str] = field(default_factory=Counter)


def parsed(lines: Iterable[str]) -> dict[str, Profile]:
    """By thread, of collapsed stacks: frames from the outermost on with `;` between, a count."""
    found: dict[str, Profile] = {}
    for line in lines:
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        if not frames:
            continue
        profile = found.setdefault(thread.rpartition(": ")[2], Profile())
        profile.samples += int(count)
        profile.own[frames[-1]] += int(count)
        for frame in set(frames):
            profile.cumulative[frame] += int(count)
    for profile in found.values():
        most = ABOVE * profile.samples
        for frame in [f for f, n in profile.cumulative.items() if n > most and not profile.own[f]]:
            del profile.cumulative[frame]
    return found


def told(profiles: dict[str, Profile], micros: float) -> Iterator[str]:
    """A table for each thread; `micros` an event were used by all of them together."""
    whole = sum(profile.samples for profile in profiles.values()) or 1
    for thread, profile in sorted(profiles.items(), key=lambda item: -item[1].samples):
        share = profile.samples / whole
        if share < LEAST:
            continue
        yield f"\n{thread}: {share * micros:.1f} us an event, {share:.0%} of the samples"
        for title, costs in (("own", profile.own), ("cumulative", profile.cumulative)):
            rows = [[title, "us", "share"]]
            for frame, count in costs.most_common(TOP):
                rows.append(
                    [_short(frame), f"{count / whole * micros:.2f}", f"{count / whole:.1%}"]
                )
            yield aligned(rows)


def _short(frame: str) -> str:
    """A function and its file, cut from the left to fit."""
    return frame if len(frame) <= 76 else f"...{frame[-73:]}"
