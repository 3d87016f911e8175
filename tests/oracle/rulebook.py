"""The rulebook (CONTRACT 4) as plain values with its defaults filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.oracle.times import duration


@dataclass(frozen=True)
class Pattern:
    """Which events: a type, a name (None: any), a condition."""

    type: str
    name: str | None
    where: str | None


@dataclass(frozen=True)
class Step:
    number: int
    after: int
    channel: str
    expires: int
    cooldown: int
    include: tuple[str, ...]
    when: str | None
    variant: str | None
    until: str | None  # path of the date; `after` is then the farthest it may be
    offset: int

    @property
    def kind(self) -> str:
        return "email" if self.channel == "email" else "phone"


@dataclass(frozen=True)
class Journey:
    name: str
    key: str | None
    match: str
    start: tuple[Pattern, ...]
    unless: tuple[Pattern, ...]
    lookback: int
    lateness: int
    restart: bool
    once: bool
    audience: str | None
    percent: float
    salt: str
    steps: tuple[Step, ...]
    experiment: str | None  # its salt
    variants: tuple[tuple[str, float], ...]

    @property
    def memory(self) -> int:
        """Rule 11."""
        return (
            self.lookback
            + max(step.after for step in self.steps)
            + max(step.after + step.expires for step in self.steps)
        )


@dataclass(frozen=True)
class ConsentEvent:
    event: str
    channels: tuple[str, ...]
    subscribed: bool


@dataclass(frozen=True)
class Rulebook:
    journeys: tuple[Journey, ...]
    consent: tuple[ConsentEvent, ...]
    refuse: frozenset[str]
    merge: bool


def read(book: dict[str, Any]) -> Rulebook:
    consent = (book.get("consent") or {}).get("events") or []
    identity = book.get("identity") or {}
    return Rulebook(
        journeys=tuple(_journey(item) for item in book.get("journeys") or []),
        consent=tuple(
            ConsentEvent(
                item["event"], tuple(name.lower() for name in item["channels"]), item["subscribed"]
            )
            for item in consent
        ),
        refuse=frozenset(str(item).strip().lower() for item in identity.get("refuse") or []),
        merge=identity.get("alias", "merge") == "merge",
    )


def _journey(item: dict[str, Any]) -> Journey:
    holdout = item.get("holdout") or {}
    experiment = item.get("experiment") or {}
    repeated = [(after, step) for step in item["steps"] for after in _afters(step)]
    return Journey(
        name=item["journey"],
        key=item.get("key"),
        match=item.get("match", "person"),
        start=tuple(_patterns(item["start"])),
        unless=tuple(pattern for part in item.get("unless") or [] for pattern in _patterns(part)),
        lookback=duration(item.get("lookback", "0s")),
        lateness=duration(item.get("lateness", "0s")),
        restart=item.get("repeat", "keep_first") == "restart",
        once=item.get("once", False),
        audience=item.get("audience"),
        percent=holdout.get("percent", 0),
        salt=str(holdout.get("salt", "")),
        steps=tuple(_step(number, *one) for number, one in enumerate(repeated, 1)),
        experiment=experiment.get("salt"),
        variants=tuple((experiment.get("variants") or {}).items()),
    )


def _patterns(item: Any) -> list[Pattern]:
    where = item.get("where") if isinstance(item, dict) else None
    named = item.get("event", item) if isinstance(item, dict) else item
    found = []
    for one in named if isinstance(named, list) else [named]:
        if isinstance(one, dict):
            found.append(Pattern(one["type"], one.get("name"), where))
        else:
            found.append(Pattern("track", one, where))
    return found


def _afters(item: dict[str, Any]) -> list[int]:
    """Every repetition is a step of its own."""
    if "until" in item:
        return [duration(item.get("within", "90d"))]
    every = duration(item.get("every", "0s"))
    return [duration(item["after"]) + n * every for n in range(item.get("times", 1))]


def _step(number: int, after: int, item: dict[str, Any]) -> Step:
    offset = item.get("offset", "0s")
    return Step(
        number=number,
        after=after,
        channel=item["channel"],
        expires=duration(item.get("expires", "24h")),
        cooldown=duration(item.get("cooldown", "0s")),
        include=tuple(item.get("include") or ()),
        when=item.get("when"),
        variant=item.get("variant"),
        until=item.get("until"),
        offset=-duration(offset[1:]) if offset.startswith("-") else duration(offset),
    )
