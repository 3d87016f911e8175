"""What was written stays readable, and what a newer version wrote is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.wire import records, state
from tests.golden.make import HERE, Sample, samples, told

READERS: dict[str, Callable[[bytes], Any]] = {
    "ledger": state.decode_ledger,
    "shelf": state.decode_shelf,
    "identity": state.decode_identity,
}
FILES = sorted(HERE.glob("*/*.bin"))
CURRENT = list(samples())


def read(path: Path) -> Any:
    if path.parent.name.startswith("records-"):
        return records.decode(path.read_bytes())
    return READERS.get(path.stem, state.decode_entity)(path.read_bytes())


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def named(sample: Sample) -> str:
    return f"{sample.folder}/{sample.name}"


def holds(found: Any, wanted: Any) -> bool:
    """Whether all that was meant is still there; a newer version may know more."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(key in found and holds(found[key], value) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) >= len(wanted) and all(map(holds, found, wanted))  # tuples grow, too
    return bool(found == wanted)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_bytes_of_every_version_decode_to_what_they_meant(path: Path) -> None:
    found = orjson.loads(told(read(path)))
    assert holds(found, orjson.loads(path.with_suffix(".json").read_bytes()))


@pytest.mark.parametrize("sample", CURRENT, ids=named)
def test_the_current_version_writes_and_reads_what_is_on_file(sample: Sample) -> None:
    path = HERE / sample.folder / f"{sample.name}.bin"
    assert path.exists(), "a new kind: see tests/golden/__init__.py"
    assert sample.encoded == path.read_bytes(), "the format changed: see tests/golden/__init__.py"
    assert read(path) == sample.value


def test_every_file_is_of_a_kind_that_is_known() -> None:
    current = {named(sample) for sample in CURRENT}
    newest = {sample.folder for sample in CURRENT}
    assert {name(path) for path in FILES if path.parent.name in newest} == current


@pytest.mark.parametrize("sample", CURRENT, ids=named)
def test_a_newer_version_is_refused(sample: Sample) -> None:
    if sample.name == "identity":
        newer = sample.encoded.replace(b'"version":2', b'"version":3')
    else:
        assert sample.encoded[1] == 2
        newer = sample.encoded[:1] + b"\x03" + sample.encoded[2:]
    error = records.UnreadableRecord if sample.folder.startswith("rec") else state.UnreadableState
    reader = READERS.get(sample.name, state.decode_entity)
    with pytest.raises(error, match="version 3, this code reads 1 to 2"):
        (records.decode if error is records.UnreadableRecord else reader)(newer)
