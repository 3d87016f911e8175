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

    @property
    def last_after(self) -> int:
        return self.steps[-1].after

    @property
    def memory(self) -> int:
        """Rule 11."""
        return (
            self.lookback + self.last_after + max(step.after + step.expires for step in self.steps)
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
        steps=tuple(_step(number, step) for number, step in enumerate(item["steps"], 1)),
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


def _step(number: int, item: dict[str, Any]) -> Step:
    return Step(
        number=number,
        after=duration(item["after"]),
        channel=item["channel"],
        expires=duration(item.get("expires", "24h")),
        cooldown=duration(item.get("cooldown", "0s")),
        include=tuple(item.get("include") or ()),
    )
