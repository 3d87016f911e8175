"""The rulebook's test files (tests/*.yaml) as values: what arrives when, what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from pipeline.domain.times import format_instant
from pipeline.rulebook.expectations import read_decision, read_output
from pipeline.rulebook.findings import Finding, errors
from pipeline.rulebook.given import Arrival, encode, read_given
from pipeline.rulebook.load import RulebookError, read_file
from pipeline.rulebook.shape import Node

CASE_KEYS: Final = ("name", "given", "events", "until", "expect", "decisions")
CALLS: Final = ("track", "page", "screen", "identify", "group", "alias")
SHORT_KEYS: Final = (
    "at", "arrives", "user", "anonymous", "messageId", "properties", "context", "traits",
)  # fmt: skip
EVENT_KEYS: Final = (*SHORT_KEYS, *CALLS, "raw", "erase")

__all__ = ["Arrival", "Case", "Erase", "case_of", "read_case_file", "read_cases"]


@dataclass(frozen=True, slots=True)
class Erase:
    """`pipeline erase ID` at this log time."""

    at: int
    id: str


Step: TypeAlias = Arrival | Erase


@dataclass(frozen=True, slots=True)
class Case:
    """One test. `given` arrives before the rulebook is in force, `arrivals` after.

    Both are in order of arrival, those of one instant in the order of the file. The clock runs up
    to and including `until`. `expect` and `decisions` are as written, for `compare.differences`.
    """

    name: str
    file: str
    line: int
    given: tuple[Arrival, ...]
    arrivals: tuple[Step, ...]
    until: int
    expect: tuple[dict[str, Any], ...]
    decisions: tuple[dict[str, Any], ...]


def read_case_file(path: Path, name: str) -> tuple[list[Case], list[Finding]]:
    """The cases of a file that `name` names in findings; those with errors are left out."""
    findings: list[Finding] = []
    root = read_file(path, name, findings)
    if root is None and not findings:
        findings.append(Finding(name, 1, "there is no such file", "name a test file"))
    return (read_cases(root) if root else []), findings


def case_of(case: dict[str, Any], file: str = "case") -> Case:
    """A case from plain values; RulebookError for what can't be used."""
    findings: list[Finding] = []
    made = _case(Node({"name": "case", **case}, file, findings))
    if made is None or errors(findings):
        raise RulebookError(errors(findings))
    return made


def read_cases(root: Node) -> list[Case]:
    """The cases of a file; what is wrong is noted at the root, and such cases are left out."""
    if not root.map(("cases",)) or not root.has("cases"):
        if root.has_keys():
            root.error("`cases` is missing", "write `cases:` and a list of cases")
        return []
    found: list[Case] = []
    for node in root.at("cases").list():
        before = len(errors(root.findings))
        made = _case(node)
        if made is not None and len(errors(root.findings)) == before:
            if any(made.name == other.name for other in found):
                node.warn(f"two cases `{made.name}`", "give one another name", "case-name")
            found.append(made)
    return found


def _case(node: Node) -> Case | None:
    if not node.map(CASE_KEYS, "a case (a map)"):
        return None
    name = node.required("name", Node.text) or ""
    steps = _steps(node.at("events")) if node.has("events") else []
    last = max((step.at for step in steps), default=None)
    until = node.optional("until", last, Node.instant)
    if until is None:
        node.error("there is neither an event nor `until`", "write one of them")
    elif last is not None and until < last:
        node.at("until").error("`until` is before the last arrival", "write a later time")
    first = min((step.at for step in steps), default=until)
    given = read_given(node.at("given"), first) if node.has("given") else ()
    return Case(
        name=name,
        file=node.file,
        line=node.line,
        given=given,
        arrivals=tuple(steps),
        until=until or 0,
        expect=_all(node, "expect", read_output),
        decisions=_all(node, "decisions", read_decision),
    )


def _all(
    node: Node, key: str, read: Callable[[Node], dict[str, Any] | None]
) -> tuple[dict[str, Any], ...]:
    if not node.has(key):
        return ()
    return tuple(made for each in node.at(key).list() if (made := read(each)) is not None)


def _steps(node: Node) -> list[Step]:
    steps: list[Step] = []
    for position, each in enumerate(node.list(), 1):
        made = _step(each, position)
        if made is None:
            continue
        if steps and made.at < steps[-1].at:
            message = "this arrives before the event above it, and is taken before it"
            each.warn(message, "order the events by `arrives`, or add it", "case-order")
        steps.append(made)
    return sorted(steps, key=lambda step: step.at)


def _step(node: Node, position: int) -> Step | None:
    if not node.map(EVENT_KEYS, "an event (a map)"):
        return None
    kinds = [key for key in (*CALLS, "raw", "erase") if node.has(key)]
    if len(kinds) != 1:
        found = " and ".join(f"`{kind}`" for kind in kinds) or "none of them"
        message = f"an event is one of {', '.join(CALLS)}, raw, erase; this has {found}"
        node.error(message, "write one of them")
        return None
    (kind,) = kinds
    if kind in {"raw", "erase"}:
        extra = [key for key in node.value if key not in {kind, "at", "arrives"}]
        for key in extra:
            node.at(key).error(f"`{key}` does not go with `{kind}`", f"remove it, or `{kind}`")
    at = node.required("at", Node.instant) if not node.has("arrives") or kind in CALLS else None
    arrives = node.optional("arrives", at, Node.instant)
    if kind == "erase":
        who = node.at("erase").text()
        return None if who is None or arrives is None else Erase(arrives, who)
    value = _raw(node.value["raw"]) if kind == "raw" else _call(node, kind, position, at)
    return None if arrives is None or value is None else Arrival(arrives, value)


def _raw(value: Any) -> bytes:
    """As it is: text is the bytes themselves, anything else JSON."""
    return value.encode(errors="surrogatepass") if isinstance(value, str) else encode(value)


def _call(node: Node, kind: str, position: int, at: int | None) -> bytes:
    """A Segment call. Ids go as they are, so that a test can send bad ones."""
    record: dict[str, Any] = {"type": kind, "messageId": f"m{position:04d}"}
    if at is not None:
        record["timestamp"] = format_instant(at)
    for key, name in _AS_IT_IS.items():
        if node.has(key):
            record[name] = node.at(key).scalar()
    if kind == "identify":
        record["traits"] = node.at("identify").plain_map()
        if node.has("traits"):
            node.at("traits").error("`traits` stands beside `identify`", "write them in `identify`")
    else:
        record[_SUBJECT[kind]] = node.at(kind).scalar()
    for key in ("properties", "context", "traits"):
        if node.has(key) and key not in record:
            record[key] = node.at(key).plain_map()
    return encode(record)


_AS_IT_IS: Final = {"messageId": "messageId", "user": "userId", "anonymous": "anonymousId"}
_SUBJECT: Final = {
    "track": "event",
    "page": "name",
    "screen": "name",
    "group": "groupId",
    "alias": "previousId",
}
