"""A history as a file of JSON lines, in order of log time, without holding it in memory.

It is read twice: first for the log time and the place of every line, 16 bytes each, so that a
broken line is told before anything runs and lines out of order can be sorted; then in that order.
"""

import shutil
import stat
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pipeline.commands.common import Failure
from pipeline.commands.history_lines import BadLine, Line, Place, read_line
from pipeline.process.history import Happened


@dataclass(slots=True)
class _Index:
    """By line that is not blank: its log time, and where in the file it begins."""

    times: "array[int]" = field(default_factory=lambda: array("q"))
    starts: "array[int]" = field(default_factory=lambda: array("q"))
    sorted: bool = True
    _latest: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    _placed: bool | None = None

    def add(self, line: Line, start: int) -> None:
        """Raises `BadLine` where its place contradicts the lines before."""
        if self._placed not in {None, line.place is not None}:
            raise BadLine("lines with and without partition and offset: write them in all or none")
        self._placed = line.place is not None
        at = line.at if line.place is None else self._in_partition(line.at, line.place)
        self.sorted = self.sorted and (not self.times or at >= self.times[-1])
        self.times.append(at)
        self.starts.append(start)

    def _in_partition(self, at: int, place: Place) -> int:
        """Within a partition offsets are the order, whatever the producers' clocks say."""
        topic, partition, offset = place
        before, latest = self._latest.get((topic, partition), (-1, at))
        if offset <= before:
            raise BadLine(
                f"offset {offset} of partition {partition} is not after {before}:"
                " sort the lines by offset"
            )
        latest = max(at, latest)
        self._latest[topic, partition] = offset, latest
        return latest

    def order(self) -> Sequence[int]:
        """The lines by log time; of one instant in the order of the file."""
        lines = range(len(self.times))
        return lines if self.sorted else sorted(lines, key=self.times.__getitem__)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file that can be read twice; what is none (a pipe) is copied to one first."""
    try:
        with path.open("rb") as file:
            if stat.S_ISREG(path.stat().st_mode):
                yield file
                return
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(file, copy)
                yield copy
    except OSError as error:
        raise Failure(f"{path}: can't be read ({error.strerror}): name a file") from None


def read_file(path: Path, file: IO[bytes]) -> tuple[int, Iterator[Happened]]:
    """How many records there are, and the records. Raises `Failure` for the first broken line."""
    index = _index(path, file)
    return len(index.times), _records(file, index)


def _index(path: Path, file: IO[bytes]) -> _Index:
    index, start = _Index(), 0
    file.seek(0)
    for number, line in enumerate(file, 1):
        if text := line.strip():
            try:
                index.add(read_line(text), start)
            except BadLine as error:
                raise Failure(f"{path}:{number}: {error}") from None
        start += len(line)
    return index


def _records(file: IO[bytes], index: _Index) -> Iterator[Happened]:
    for number in index.order():
        file.seek(index.starts[number])
        line = read_line(file.readline().strip())
        yield Happened(index.times[number], line.value, line.at, line.place)
