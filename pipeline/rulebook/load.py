"""A rulebook's folder as one document: what goes through the log, everything that decides.

The document holds canonical forms (`journeys.py`), in the order of their names, so that comments,
shorthand, file names and order make no difference to it or to its digest.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from pipeline.domain.ids import digest
from pipeline.domain.shadow import is_shadow, labelled, outside
from pipeline.rulebook.calling import read_calling
from pipeline.rulebook.findings import Finding, errors, nearest
from pipeline.rulebook.journeys import read_journey
from pipeline.rulebook.policies import read_consent, read_identity
from pipeline.rulebook.shape import Node
from pipeline.rulebook.slots import slot_of
from pipeline.rulebook.yaml_marks import read_yaml

FORMAT: Final = 1
FILE_BYTES_MAX: Final = 5_000_000

_TOP_FILES: Final = ("consent.yaml", "identity.yaml", "calling.yaml")
_FOLDERS: Final = ("journeys", "tests")

Document = dict[str, Any]
T = TypeVar("T")


class RulebookError(ValueError):
    """A rulebook that can't be used, with its findings."""

    def __init__(self, findings: list[Finding]) -> None:
        """Say the first, and how many there are."""
        first, more = findings[0], len(findings) - 1
        rest = f" (and {more} more)" if more else ""
        super().__init__(f"{first.file}:{first.line}: {first.message}{rest}")
        self.findings = findings


@dataclass(slots=True)
class Sources:
    """What stands in a folder: the files' roots, and what was wrong with reading them.

    Every list is in the order of the file names. `canonical` is by file, `tops` are the roots of
    consent.yaml, identity.yaml and calling.yaml.
    """

    folder: Path
    journeys: list[Node] = field(default_factory=list)
    tests: list[Node] = field(default_factory=list)
    canonical: dict[str, dict[str, Any]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    document: Document = field(default_factory=dict)
    tops: dict[str, Node] = field(default_factory=dict)


def read(folder: Path) -> Sources:
    """Read a folder. Never raises for what stands in it: see `findings`."""
    sources = Sources(folder)
    if not folder.is_dir():
        message = f"there is no folder {folder.name or folder}"
        sources.findings.append(Finding(".", 1, message, "name the rulebook's folder"))
        return sources
    _look_around(sources)
    for name in _TOP_FILES:
        root = _root(sources, folder / name)
        if root is not None:
            sources.tops[name] = root
    consent = _top(sources, "consent.yaml", read_consent)
    identity = _top(sources, "identity.yaml", read_identity)
    calling = _top(sources, "calling.yaml", read_calling)
    for path in _yaml_files(sources, "journeys"):
        root = _root(sources, path)
        if root is not None:
            sources.journeys.append(root)
            sources.canonical[root.file] = read_journey(root)
    refuse_twins((each, sources.canonical[each.file]) for each in sources.journeys)
    for path in _yaml_files(sources, "tests"):
        root = _root(sources, path)
        if root is not None:
            sources.tests.append(root)
    journeys = [made for made in sources.canonical.values() if made.get("journey")]
    sources.document = make_document(journeys, consent or [], identity, calling)
    return sources


def _top(sources: Sources, name: str, read_top: Callable[[Node], T]) -> T | None:
    return read_top(sources.tops[name]) if name in sources.tops else None


def refuse_twins(read: Iterable[tuple[Node, dict[str, Any]]]) -> None:
    """Note where a second journey has the name of a first."""
    first: dict[str, tuple[Node, dict[str, Any]]] = {}
    for node, made in read:
        name = slot_of(made) if made.get("journey") else None
        if name in first:
            file = first[name][0].file
            message = f"a journey `{labelled(name)}` stands in {file} already"
            node.at("journey").error(message, "give one of them another name")
        elif name is not None:
            first[name] = node, made
    for name, (node, made) in first.items():
        live = first.get(outside(name)) if is_shadow(name) else None
        if live is not None and (made["version"] or 0) <= (live[1]["version"] or 0):
            message = f"`version` is not above {live[1]['version']}, that of the live journey"
            node.at("version").error(message, "count it up: under it the shadow is put in force")


def make_document(
    journeys: list[dict[str, Any]],
    consent: list[dict[str, Any]] | None = None,
    identity: dict[str, Any] | None = None,
    calling: dict[str, Any] | None = None,
) -> Document:
    """A document of canonical forms."""
    return {
        "format": FORMAT,
        "journeys": sorted(journeys, key=lambda made: (str(made["journey"]), slot_of(made))),
        "consent": {"events": consent or []},
        "identity": identity or {"refuse": [], "alias": "merge"},
        **({"calling": calling} if calling else {}),
    }


def load_document(folder: Path) -> Document:
    """The document of a folder that is in order; RulebookError with its findings for another."""
    sources = read(folder)
    if found := errors(sources.findings):
        raise RulebookError(sorted(found))
    return sources.document


def document_digest(document: Document) -> str:
    """32 hex digits of a document's content."""
    return digest(json.dumps(document, sort_keys=True))


def _look_around(sources: Sources) -> None:
    def note(file: str, message: str, remedy: str) -> None:
        sources.findings.append(Finding(file, 1, message, remedy))

    if not (sources.folder / "journeys").is_dir():
        note("journeys", "there is no folder `journeys`", "make it, with one file a journey")
    for path in sorted(sources.folder.iterdir()):
        known = _FOLDERS if path.is_dir() else _TOP_FILES
        if path.name in known or path.name.startswith("."):
            continue
        near = nearest(path.stem, (name.removesuffix(".yaml") for name in known))
        near = next((name for name in known if near and name.startswith(near)), None)
        remedy = (
            f"did you mean {near}?" if near else f"known are {', '.join(_FOLDERS + _TOP_FILES)}"
        )
        if path.suffix in {".yaml", ".yml"} or (path.is_dir() and near):
            note(path.name, f"{path.name} is not read", remedy)


def _yaml_files(sources: Sources, folder: str) -> Iterator[Path]:
    place = sources.folder / folder
    for path in sorted(place.iterdir()) if place.is_dir() else []:
        name = path.relative_to(sources.folder).as_posix()
        if path.name.startswith("."):
            continue
        if path.suffix == ".yaml" and path.is_file():
            yield path
        elif path.suffix == ".yml" or path.is_dir():
            remedy = f"name it {path.stem}.yaml, directly in {folder}/"
            sources.findings.append(Finding(name, 1, f"{name} is not read", remedy))


def _root(sources: Sources, path: Path) -> Node | None:
    return read_file(path, path.relative_to(sources.folder).as_posix(), sources.findings)


def read_file(path: Path, name: str, findings: list[Finding]) -> Node | None:
    """Read one YAML file; None where it isn't there or there is nothing to read."""

    def note(message: str, remedy: str) -> None:
        findings.append(Finding(name, 1, message, remedy))

    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            note(f"the file is larger than {FILE_BYTES_MAX} bytes", "split it")
            return None
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        note(f"it can't be read: {error.strerror}", "mend the file's kind or permissions")
        return None
    value, found = read_yaml(data, name)
    findings += found
    return None if value is None else Node(value, name, findings, name="the file")
