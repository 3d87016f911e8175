"""Waits until files change, by looking at them twice a second: needs nothing, works everywhere."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

PAUSE: Final = 0.5

Snapshot: TypeAlias = dict[Path, tuple[int, int]]


def snapshot(folder: Path, files: Iterable[Path] = ()) -> Snapshot:
    """What stands in a rulebook's folder and in these files: when changed, and how large."""
    found: Snapshot = {}
    paths = [folder / "journeys", folder / "tests", folder]
    for path in [*files, *(child for each in paths for child in _children(each))]:
        try:
            about = path.stat()
        except OSError:  # gone since it was listed: an editor replaces files
            continue
        found[path] = (about.st_mtime_ns, about.st_size)
    return found


def _children(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"}]
    except OSError:
        return []


def wait_for_change(
    folder: Path,
    files: Iterable[Path],
    before: Snapshot,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when something is otherwise than `before`, and has been still for a pause."""
    files = list(files)
    while (last := snapshot(folder, files)) == before:
        sleep(PAUSE)
    while True:
        sleep(PAUSE)
        if (now := snapshot(folder, files)) == last:
            return
        last = now
