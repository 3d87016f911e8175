"""Conditions that are always true or never, and what they keep from ever happening."""

from typing import Final

from pipeline.rulebook.cel.outlook import verdicts
from pipeline.rulebook.load import Sources
from pipeline.rulebook.places import ConditionPlace, conditions_of, journeys_of

_CONSTANT: Final = "constant-condition"
_ALWAYS: Final = "is always true and says nothing"
_UNJUDGED: Final = "is never true: it ends a wait only where it can't be judged"
_NEVER: Final = {
    "start": "is never true: nothing starts by it",
    "unless": "is never true: it ends no wait",
    "audience": "is never true: no step of this journey is ever sent",
    "when": "is never true: this step is never sent",
}


def check_conditions(sources: Sources) -> None:
    """Note the constant ones of every journey."""
    for journey in journeys_of(sources):
        for place in conditions_of(journey):
            _check(place)


def _check(place: ConditionPlace) -> None:
    node, possible = place.node, verdicts(place.text)
    # not to be judged counts as true in `unless`, as false elsewhere
    if possible == {True} or (place.part == "unless" and False not in possible):
        node.warn(f"{node.name} {_ALWAYS}", "remove it, or compare with a field", _CONSTANT)
    elif place.part == "unless" and possible == {False, None}:
        node.warn(f"{node.name} {_UNJUDGED}", "mend the condition", _CONSTANT)
    elif True not in possible:
        code = "unreachable-step" if place.part in {"audience", "when"} else _CONSTANT
        node.warn(f"{node.name} {_NEVER[place.part]}", "mend the condition", code)
