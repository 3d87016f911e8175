"""The steps of a journey, each as its file has it; repetitions stay one entry until compiled."""

from collections.abc import Callable
from typing import Any, Final

from pipeline.domain.times import DAY
from pipeline.rulebook.calling_hours import read_window
from pipeline.rulebook.conditions import AUDIENCE_NAMES
from pipeline.rulebook.durations import (
    LONGEST,
    format_duration,
    format_offset,
    parse_duration,
    parse_offset,
)
from pipeline.rulebook.expressions import INCLUDE_ROOTS, KEY_ROOTS, read_condition, read_path
from pipeline.rulebook.shape import Node

STEP_KEYS: Final = (
    "after", "every", "times", "until", "offset", "within", "channel", "when", "variant", "expires",
    "cooldown", "include", "window", "closed",
)  # fmt: skip
CHANNELS: Final = ("voice", "sms", "email")
EXPIRES: Final = "1d"
"""The default, as `format_duration` writes it."""
WITHIN: Final = "90d"
WITHIN_MAX: Final = 400 * DAY
TIMES_MIN: Final = 2
TIMES_MAX: Final = 30
REPEATED_MAX: Final = 300
"""Steps that the repetitions of one journey may make."""


def read_steps(node: Node) -> list[dict[str, Any]]:
    """Read each; what is wrong is noted, and is its default or missing in what is returned."""
    return [_step(each) for each in node.list(empty=False)]


def _step(node: Node) -> dict[str, Any]:
    if not node.map(STEP_KEYS, "a step (a map)"):
        return {}
    none: list[str] = []
    made: dict[str, Any] = {
        **(_dated(node) if node.has("until") else _timed(node)),
        "channel": node.required("channel", lambda n: n.choice(CHANNELS)),
        "expires": node.optional("expires", EXPIRES, Node.duration),
        "cooldown": node.optional("cooldown", "0s", Node.duration),
        "include": node.optional("include", none, _include),
    }
    # what is not written is no key, so that older documents keep their digest
    readers: dict[str, Callable[[Node], Any]] = {
        "when": lambda n: read_condition(n, AUDIENCE_NAMES),
        "variant": Node.text,
        "window": read_window,
        "closed": _closed,
    }
    for key, read in readers.items():
        if node.has(key) and (value := read(node.at(key))) is not None:
            made[key] = value
    return made


def _closed(node: Node) -> str | None:
    """None for what is the default."""
    return "suppress" if node.choice(("hold", "suppress")) == "suppress" else None


def _timed(node: Node) -> dict[str, Any]:
    """A deadline so long after the start, and perhaps again and again."""
    for key in ("offset", "within"):
        if node.has(key):
            remedy = "add `until: properties.NAME`, or remove it"
            node.at(key).error(f"`{key}` belongs to `until`", remedy)
    made: dict[str, Any] = {"after": node.required("after", Node.duration)}
    for key, other in (("every", "times"), ("times", "every")):
        if node.has(key) and not node.has(other):
            node.at(key).error(f"`{key}` needs `{other}`", f"add `{other}`, or remove `{key}`")
    if node.has("every") and node.has("times"):
        made["every"] = node.at("every").duration()
        made["times"] = node.at("times").whole(TIMES_MIN, TIMES_MAX)
        if made["every"] == "0s":
            node.at("every").error("`every` is no time at all", "write a duration above 0s")
    return made


def _dated(node: Node) -> dict[str, Any]:
    """A deadline by a date that the start names."""
    for key in ("after", "every", "times"):
        if node.has(key):
            node.at(key).error(f"`{key}` and `until` exclude each other", "remove one of them")
    return {
        "until": read_path(node.at("until"), KEY_ROOTS),
        "offset": node.optional("offset", "0s", _offset),
        "within": node.optional("within", WITHIN, _within),
    }


def _offset(node: Node) -> str | None:
    length = parse_offset(node.value)
    if length is not None:
        return format_offset(length)
    node.wrong("a duration with or without `-`, as -2d or 12h")
    return None


def _within(node: Node) -> str | None:
    length = node.duration()
    if length is not None and (parse_duration(length) or 0) > WITHIN_MAX:
        most = format_duration(WITHIN_MAX)
        node.error(f"{node.name} is {length}, above {most}", f"write at most {most}")
        return None
    return length


def _include(node: Node) -> list[str]:
    paths = [read_path(each, INCLUDE_ROOTS) for each in node.list()]
    return [path for path in paths if path is not None]


def afters(step: dict[str, Any]) -> list[int]:
    """How long after the start a canonical step and its repetitions are due, or a date at most."""
    first = parse_duration(step.get("after") or step.get("within"))
    every = parse_duration(step.get("every", "0s"))
    if first is None or every is None:
        return []
    return [first + n * every for n in range(step.get("times") or 1)]


def check_steps(node: Node, made: dict[str, Any]) -> None:
    """`after` grows from step to step of a variant, and nothing expires before it is decided."""
    lateness = parse_duration(made["lateness"]) or 0
    if not made["steps"]:
        return
    latest: dict[str | None, int] = {}
    for step, read in zip(node.at("steps").items(), made["steps"], strict=True):
        if "until" not in read and (due := afters(read)):
            _check_growing(step, read, due, latest)
        expires = parse_duration(read.get("expires"))
        if expires is not None and expires <= lateness:
            message = f"`expires` is {read['expires']}, not above `lateness` of {made['lateness']}"
            step.at("expires").error(message, "raise `expires`: every step would come too late")
    repeated = sum(read.get("times") or 0 for read in made["steps"])
    if repeated > REPEATED_MAX:
        message = f"`times` makes {repeated} steps of this journey, above {REPEATED_MAX}"
        node.at("steps").error(message, "repeat less often")


def _check_growing(
    step: Node, read: dict[str, Any], due: list[int], latest: dict[str | None, int]
) -> None:
    """`latest`: by variant the last `after` so far; a step of every variant follows all of them."""
    variant = read.get("variant")
    rivals = latest if variant is None else {None, variant} & latest.keys()
    last = max((latest[name] for name in rivals), default=-1)
    if due[0] <= last:
        before = f"{format_duration(last)} of a step before it"
        message = f"`after` is {read['after']}, not later than {before}"
        step.at("after").error(message, "order the steps by `after`, each later than the last")
    if due[-1] > LONGEST:
        message = f"the last of {read['times']} times is {format_duration(due[-1])} after the start"
        step.at("times").error(message, f"repeat less: at most {format_duration(LONGEST)} after it")
    latest[variant] = max(last, due[-1])
