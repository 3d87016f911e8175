"""Everything that is wrong with a rulebook's folder, at once.

Errors come from reading the files; `checks/` has what is warned of, once there are none.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.rulebook.calling_check import never_open, unknown_holidays
from pipeline.rulebook.calling_compile import compile_calling, compile_step_window
from pipeline.rulebook.cases import read_cases
from pipeline.rulebook.checks.conditions import check_conditions
from pipeline.rulebook.checks.history import check_history
from pipeline.rulebook.checks.hours import check_hours
from pipeline.rulebook.checks.lengths import check_retention, check_same_instant
from pipeline.rulebook.checks.names import check_names
from pipeline.rulebook.checks.observed import Observed
from pipeline.rulebook.checks.overlaps import check_overlaps
from pipeline.rulebook.codes import silenced
from pipeline.rulebook.compile import compile_rulebook
from pipeline.rulebook.conditions import fields_read_without_has
from pipeline.rulebook.expectations import named_journey
from pipeline.rulebook.findings import Finding, errors, nearest
from pipeline.rulebook.load import Sources, read
from pipeline.rulebook.shape import Node

__all__ = ["Finding", "check", "check_sources", "errors"]


class Beside(NamedTuple):
    """What is known beside the rulebook: how long the log is kept (ms), what a history has shown.

    What is None is not checked.
    """

    retention: int | None = None
    observed: Observed | None = None


NOTHING_BESIDE = Beside()


def check(folder: Path) -> list[Finding]:
    """Findings of a folder, in the order of files and lines; warnings among them."""
    return check_sources(read(folder))


def check_sources(sources: Sources, beside: Beside = NOTHING_BESIDE) -> list[Finding]:
    """Findings of what was read: those of reading, of the test files, and warnings."""
    for root in sources.journeys:
        _warn_of_reads(root)
    _check_windows(sources)
    if not errors(sources.findings):
        _check_meaning(sources, beside)
    journeys = [made["journey"] for made in sources.document.get("journeys", [])]
    for root in sources.tests:
        read_cases(root)
        _check_names(root, journeys)
    return sorted(set(silenced(sources.findings, _texts(sources))))


def _texts(sources: Sources) -> dict[str, list[str]]:
    """The lines of the files that were read: comments are in no node."""
    texts: dict[str, list[str]] = {}
    for root in (*sources.tops.values(), *sources.journeys, *sources.tests):
        try:
            text = (sources.folder / root.file).read_text("utf-8-sig", "replace")
        except OSError:  # gone since it was read: an editor replaces files
            continue
        texts[root.file] = text.splitlines()
    return texts


def _check_meaning(sources: Sources, beside: Beside) -> None:
    rulebook = compile_rulebook(sources.document)
    check_conditions(sources)
    check_names(sources)
    check_same_instant(sources, rulebook)
    check_hours(sources, rulebook)
    check_overlaps(sources, rulebook)
    if beside.retention is not None:
        check_retention(sources, rulebook, beside.retention)
    if beside.observed is not None:
        check_history(sources, beside.observed)


def _check_windows(sources: Sources) -> None:
    """A step's window must know its holidays, and be open at some time."""
    if errors(sources.findings):
        return
    for root in sources.journeys:
        steps = sources.canonical[root.file]["steps"]
        for node, step in zip(root.at("steps").items(), steps, strict=True):
            _check_window(node, step, sources.document.get("calling"))


def _check_window(node: Node, step: dict[str, Any], calling: dict[str, Any] | None) -> None:
    window = step.get("window")
    place = node.at("window") if window else node
    unknown = unknown_holidays(window, calling) if window else []
    for name in unknown:
        place.error(f"there are no holidays `{name}`", "name a set of calling.yaml")
    if unknown:
        return
    closed = never_open(
        compile_calling(calling), step["channel"], compile_step_window(window, calling)
    )
    for region, rule in closed:
        where = f"in {region}" if region else "anywhere"
        message = f"{step['channel']} is never open {where}: {rule}"
        place.warn(message, "widen the window, or leave them out", "never-open")


def _warn_of_reads(root: Node) -> None:
    if not root.has_keys():
        return
    for node, consequence in _conditions(root):
        if not isinstance(node.value, str):
            continue
        for field in fields_read_without_has(node.value):
            message = f"{field} is read without has(); where it is missing, {consequence}"
            remedy = f"add has({field}) if that is not meant"
            if "[" in field:
                holder, _, last = field.rpartition("[")
                remedy = f"add {last.removesuffix(']')} in {holder} if that is not meant"
            node.warn(message, remedy, "read-without-has")


def _conditions(root: Node) -> Iterator[tuple[Node, str]]:
    if root.has("start"):
        for node in _wheres(root.at("start")):
            yield node, "nothing starts"
    if root.has("unless"):
        for node in _wheres(root.at("unless")):
            yield node, "the wait ends"
    if root.has("audience"):
        yield root.at("audience"), "nobody is contacted"
    if root.has("steps") and isinstance(root.value["steps"], list):
        for step in root.at("steps").items():
            if step.has("when"):
                yield step.at("when"), "the step is not sent"


def _wheres(node: Node) -> Iterator[Node]:
    each = list(node.items()) if isinstance(node.value, list) else [node]
    return (part.at("where") for part in each if part.has("where"))


def _check_names(root: Node, journeys: Collection[str]) -> None:
    """The journeys that a test expects something of must exist."""
    if not root.has("cases") or not isinstance(root.value["cases"], list):
        return
    for case in root.at("cases").items():
        for part in ("expect", "decisions"):
            if not case.has(part) or not isinstance(case.value[part], list):
                continue
            for node in case.at(part).items():
                named = named_journey(node.value) if node.has_keys() else None
                if named is None or named[1] in journeys:
                    continue
                near = nearest(str(named[1]), journeys)
                remedy = f"did you mean `{near}`?" if near else "write a journey of this rulebook"
                node.at(named[0]).error(f"there is no journey `{named[1]}`", remedy)
