"""`experiment` of a journey: variants, their shares, and whether every variant has a step.

The canonical form is a list, since the order of variants decides who falls into which.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from pipeline.rulebook.findings import nearest
from pipeline.rulebook.shape import Node, written

VARIANTS_MIN: Final = 2
VARIANTS_MAX: Final = 10
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}", re.ASCII)


def read_experiment(node: Node) -> dict[str, Any] | None:
    """Salt and variants, each a name and a percentage; together they make exactly 100."""
    if not node.map(("salt", "variants")):
        return None
    salt = node.required("salt", Node.text)
    variants = node.required("variants", _variants)
    return None if salt is None or variants is None else {"salt": salt, "variants": variants}


def _variants(node: Node) -> list[dict[str, Any]] | None:
    """In the order of the file, from a map of names to percentages or a list of both."""
    before = len(node.findings)
    made = [each for each in _listed(node) if each is not None]
    if len(node.findings) > before:
        return None
    names = [each["name"] for each in made]
    if not VARIANTS_MIN <= len(made) <= VARIANTS_MAX:
        remedy = f"write {VARIANTS_MIN} to {VARIANTS_MAX}"
        node.error(f"{node.name} has {len(made)} of them", remedy)
    elif len(set(names)) < len(names):
        node.error(f"{node.name} has a name twice", "give each variant its own name")
    elif (total := sum(Decimal(str(each["percent"])) for each in made)) != 100:  # noqa: PLR2004
        message = f"the percentages of {node.name} make {total:f}, not 100"
        node.error(message, "change them so that they make exactly 100")
    else:
        return made
    return None


def _listed(node: Node) -> Iterator[dict[str, Any] | None]:
    if isinstance(node.value, Mapping):
        for name in node.value:
            percent = node.at(name)
            yield _variant(percent, name, percent)
        return
    if not isinstance(node.value, list | tuple):
        node.wrong("a map of names and percentages")
        return
    for each in node.list():
        if each.map(("name", "percent")):
            yield _variant(each, each.value.get("name"), each.at("percent"))


def _variant(node: Node, name: Any, percent: Node) -> dict[str, Any] | None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        remedy = "write letters, digits and `_`, a letter first, at most 50"
        node.error(f"the name of a variant is {written(name)}", remedy)
        return None
    share = percent.number(0, 100)
    if share == 0:
        percent.error(f"`{name}` has no share", "write a percentage above 0, or remove it")
    if not share:
        return None
    return {"name": name, "percent": int(share) if share == int(share) else share}


def check_variants(node: Node, made: dict[str, Any]) -> None:
    """Steps name variants that there are, every variant has a step, and the salt is its own."""
    experiment = made["experiment"]
    names = [each["name"] for each in experiment["variants"]] if experiment else []
    for place, step in _own_steps(node, made):
        _check_name(place, step["variant"], names, node.has("experiment"))
    used = {step.get("variant") for step in made["steps"]}
    for name in names if made["steps"] and None not in used else ():
        if name not in used:
            message = f"no step is for variant `{name}`"
            remedy = f"add a step with `variant: {name}`, or one without `variant`"
            node.at("experiment").error(message, remedy)
    if experiment and made["holdout"] and experiment["salt"] == made["holdout"]["salt"]:
        # the same numbers would take the whole hold-out from the first variant
        message = "`salt` is that of `holdout`: the share held out would be all of one variant"
        node.at("experiment").at("salt").error(message, "write another salt")


def _own_steps(node: Node, made: dict[str, Any]) -> Iterator[tuple[Node, dict[str, Any]]]:
    """The steps of one variant only, each with where that is said."""
    if made["steps"]:
        for place, step in zip(node.at("steps").items(), made["steps"], strict=True):
            if "variant" in step:
                yield place.at("variant"), step


def _check_name(place: Node, name: str, names: list[str], experiment: bool) -> None:
    if not experiment:
        message = f"`variant: {name}` needs an `experiment`"
        place.error(message, "add `experiment: {salt: TEXT, variants: {NAME: 50, NAME: 50}}`")
    elif names and name not in names:
        near = nearest(name, names)
        remedy = f"did you mean `{near}`?" if near else f"write one of {', '.join(names)}"
        place.error(f"there is no variant `{name}`", remedy)
