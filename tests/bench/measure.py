"""CPU and memory of processes from /proc, sampled, so that any part of a run can be looked at."""

import asyncio
import contextlib
import os
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

INTERVAL: Final = 0.1
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Sample:
    """Of some processes together: CPU seconds so far (user and system), resident bytes now."""

    at: float
    cpu: float
    resident: int


def look(pids: Iterable[int], ended: dict[int, float], at: float) -> Sample:
    """Look once; `ended` keeps the last CPU time seen of each, for those that are gone by now."""
    resident = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            text = Path(f"/proc/{pid}/stat").read_text()
            words = text[text.rindex(")") + 2 :].split()  # the name may hold anything
            ended[pid] = (int(words[11]) + int(words[12])) / _TICKS
            resident += int(words[21]) * _PAGE
    return Sample(at, sum(ended.values()), resident)


def machine(at: float) -> Sample:
    """CPU seconds of everything on this machine, waiting for disks left out."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _idle, _waiting, irq, softirq = (int(word) for word in words[1:8])
    return Sample(at, (user + nice + system + irq + softirq) / _TICKS, 0)


@dataclass
class Usage:
    """Samples of each group of processes, in order of time (seconds since the epoch)."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    whole: list[Sample] = field(default_factory=list)
    """Of the machine."""

    def cpu(self, group: str, begin: float, end: float) -> float:
        """CPU seconds between two instants, to the nearest sample before each."""
        taken = self.samples[group]
        return _before(taken, end).cpu - _before(taken, begin).cpu

    def others(self, begin: float, end: float) -> float:
        """Cores that went to processes that are not watched."""
        busy = _before(self.whole, end).cpu - _before(self.whole, begin).cpu
        ours = sum(self.cpu(group, begin, end) for group in self.samples)
        return max(0.0, busy - ours) / (end - begin)

    def resident(self, groups: Sequence[str]) -> list[tuple[float, int]]:
        """Resident bytes of these groups together, by instant."""
        looks = zip(*(self.samples[group] for group in groups), strict=True)
        return [(look[0].at, sum(each.resident for each in look)) for look in looks]


def _before(samples: Sequence[Sample], at: float) -> Sample:
    place = bisect_right(samples, at, key=lambda sample: sample.at)
    return samples[max(0, place - 1)]


@asynccontextmanager
async def watched(groups: Mapping[str, Sequence[int]]) -> AsyncIterator[Usage]:
    """Sample these process ids by group while the block runs."""
    usage = Usage({group: [] for group in groups})
    ended: dict[str, dict[int, float]] = {group: {} for group in groups}

    def sample() -> None:
        at = time.time()
        usage.whole.append(machine(at))
        for group, pids in groups.items():
            usage.samples[group].append(look(pids, ended[group], at))

    async def forever() -> None:
        while True:
            sample()
            await asyncio.sleep(INTERVAL)

    sample()
    sampling = asyncio.create_task(forever())
    try:
        yield usage
    finally:
        sampling.cancel()
        await asyncio.wait([sampling])
        sample()
