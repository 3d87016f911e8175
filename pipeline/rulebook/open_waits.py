"""What an apply does with open waits: a policy for each journey, made into what the log carries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from pipeline.domain.shadow import is_shadow
from pipeline.domain.versions import Ruling
from pipeline.rulebook.changes import compare, journeys_of
from pipeline.rulebook.findings import nearest
from pipeline.rulebook.load import Document

Policy: TypeAlias = Literal["keep", "re-evaluate", "drop"]
POLICIES: Final[tuple[Policy, ...]] = ("keep", "re-evaluate", "drop")
_STAYS: Final = ("key", "match")
"""What decides where the facts of a wait stand: with another one they can't be found again."""


class PolicyError(ValueError):
    """A policy that can't be carried out; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Policies:
    """`default` is for the journeys that the apply changes, removes or retires."""

    default: Policy = "keep"
    named: Mapping[str, Policy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Range:
    """Versions of a journey that a policy means: those below. `new`: None where it ends."""

    below: int
    new: dict[str, Any] | None


def ranges(known: Iterable[Document], new: Document) -> dict[str, Range]:
    """By journey which open waits are of an older version than the one put in force.

    Of a journey that is removed or retired they all are. `known`: all that was ever in force.
    """
    after = journeys_of(new)
    highest: dict[str, int] = {}
    for document in (*known, new):
        for name, made in journeys_of(document).items():
            highest[name] = max(made["version"], highest.get(name, 0))
    found: dict[str, Range] = {}
    for name, version in sorted(highest.items()):
        one = after.get(name)
        if one is None or one.get("status") == "retired":
            found[name] = Range(version + 1, None)
        else:
            found[name] = Range(one["version"], one)
    return found


def rulings(
    known: Iterable[Document], current: Document, new: Document, policies: Policies
) -> dict[str, Ruling]:
    """By journey what is ruled; nothing for those that are kept. Raises `PolicyError`."""
    documents = list(known)
    meant = ranges(documents, new)
    for name in policies.named:
        if name not in meant:
            near = nearest(name, (each for each in meant if not is_shadow(each)))
            remedy = f"did you mean `{near}`?" if near else "name one of the rulebook"
            raise PolicyError(f"there is no journey `{name}`: {remedy}")
    changes = compare(current, new)
    touched = (*changes.removed, *changes.changed)
    chosen = dict.fromkeys(touched, policies.default) | dict(policies.named)
    found: dict[str, Ruling] = {}
    for name, policy in sorted(chosen.items()):
        if policy == "drop":
            found[name] = Ruling(drop=meant[name].below)
        elif policy == "re-evaluate" and (meant[name].new or not is_shadow(name)):
            _refuse(name, meant[name], _before(name, current, documents))
            found[name] = Ruling(move=meant[name].below)
    return found


def _before(name: str, current: Document, known: list[Document]) -> dict[str, Any] | None:
    """The version in force, else the highest there was."""
    if name in journeys_of(current):
        return journeys_of(current)[name]
    made = (journeys_of(document).get(name) for document in known)
    return max((each for each in made if each), key=lambda each: each["version"], default=None)


def _refuse(name: str, meant: Range, before: dict[str, Any] | None) -> None:
    """Say why open waits can't go on under the new version, if they can't."""
    reason = None
    if meant.new is None:
        reason = "it opens no more waits"
    elif before is not None:
        changed = [key for key in _STAYS if before.get(key) != meant.new.get(key)]
        reason = f"its `{changed[0]}` changes" if changed else None
    if reason is not None:
        raise PolicyError(
            f"open waits of `{name}` can't be re-evaluated, {reason}: write"
            f" --open-waits {name}=keep or --open-waits {name}=drop"
        )
