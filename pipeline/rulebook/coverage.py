"""Which branches of a rulebook's rules there are, and which of them test cases have taken.

Counted is what its author chose: conditions, gates that can close, steps, what ends them. What
holds for every rulebook (a stale start, an erasure) is the pipeline's own to test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.domain.calling_rules import CallingRules, Place
from pipeline.domain.rules import Journey, Pattern, Rulebook, Step
from pipeline.rulebook.branches import (
    AUDIENCE,
    CONSENT_FILE,
    FALSE,
    OF_ADDRESS,
    OF_JOURNEY,
    TRUE,
    UNJUDGED,
    Branch,
    pattern_rule,
    step_rule,
)
from pipeline.rulebook.cel.outlook import verdicts
from pipeline.rulebook.conditions import fields_read_without_has
from pipeline.rulebook.load import Sources
from pipeline.rulebook.places import JourneyPlace, StepPlace, journeys_of, patterns_of, steps_of
from pipeline.rulebook.shape import Node


class Point(NamedTuple):
    """A branch, where its rule stands, and the branches of the run that count as it."""

    file: str
    line: int
    journey: str
    rule: str
    branch: str
    taken_by: frozenset[Branch]


@dataclass(frozen=True, slots=True)
class Coverage:
    """All points in the order of the files, and what was taken."""

    points: list[Point]
    taken: frozenset[Branch]

    def has(self, point: Point) -> bool:
        """Whether a case took it."""
        return not point.taken_by.isdisjoint(self.taken)

    @property
    def missing(self) -> list[Point]:
        """Those that no case took."""
        return [point for point in self.points if not self.has(point)]

    @property
    def percent(self) -> float:
        """Of the points; 100 where there are none."""
        all_ = len(self.points)
        return 100 * (all_ - len(self.missing)) / all_ if all_ else 100.0


def points_of(sources: Sources, rulebook: Rulebook) -> list[Point]:
    """Every branch of a rulebook without errors; `rulebook` is what compiling it gave."""
    compiled = {journey.name: journey for journey in rulebook.journeys}
    found: list[Point] = []
    for place in journeys_of(sources):
        if "status" in place.made:
            continue  # paused, retired or a shadow: it sends nothing that a test could see
        journey = compiled[place.made["journey"]]
        found += _Points(place, journey, rulebook.calling).all()
    found += _consent_points(sources)
    return found


@dataclass(frozen=True, slots=True)
class _Points:
    """Of one journey."""

    place: JourneyPlace
    journey: Journey
    calling: CallingRules | None

    def all(self) -> list[Point]:
        found = [*self._patterns("start"), *self._patterns("unless"), *self._audience()]
        found += [*self._of_journey()]
        for step in steps_of(self.place):
            found += self._step(step)
        return sorted(found, key=lambda point: point.line)

    def _point(self, node: Node, rule: str, branch: str) -> Point:
        key = Branch(self.journey.name, rule, branch)
        return Point(node.file, node.line, *key, frozenset({key}))

    def _condition(self, node: Node, rule: str, text: str) -> Iterator[Point]:
        """True, false, and not to be judged, as far as that can be."""
        possible = verdicts(text)
        for verdict, word in ((True, TRUE), (False, FALSE)):
            if verdict in possible:
                yield self._point(node, rule, word)
        if None in possible and fields_read_without_has(text):
            yield self._point(node, rule, UNJUDGED)

    def _patterns(self, part: str) -> Iterator[Point]:
        given = self.journey.start if part == "start" else self.journey.unless
        for each, pattern in zip(patterns_of(self.place, part), given, strict=True):
            yield from self._pattern(part, each.number, pattern, each.node, each.where)

    def _pattern(
        self, part: str, number: int, pattern: Pattern, node: Node, where: Node | None
    ) -> Iterator[Point]:
        rule = pattern_rule(part, number, pattern.type, pattern.name)
        if pattern.where is None:
            yield self._point(node, rule, TRUE)
        else:
            yield from self._condition(where or node, rule, pattern.where.text)

    def _audience(self) -> Iterator[Point]:
        if self.journey.audience is not None:
            node = self.place.root.at("audience")
            yield from self._condition(node, AUDIENCE, self.journey.audience.text)

    def _of_journey(self) -> Iterator[Point]:
        """What a start or a trigger can come to, whatever the step."""
        root, journey = self.place.root, self.journey
        if journey.key:
            yield self._point(root.at("key"), "key", "missing_key")
        if journey.once:
            yield self._point(root.at("once"), "once", "once")
        if not journey.once or journey.repeat == "restart":
            repeat = root.at("repeat") if root.has("repeat") else root.at("start")
            reason = "restart" if journey.repeat == "restart" else "repeat"
            yield self._point(repeat, "repeat", reason)
        for reason in ("late_cancel", "cancelled_after_fire") if journey.unless else ():
            yield self._point(root.at("unless"), "retraction", reason)
        for reason in OF_ADDRESS:
            yield self._point(root.at("steps"), OF_JOURNEY[reason], reason)
        yield from self._chances()

    def _chances(self) -> Iterator[Point]:
        """What hangs on an id alone."""
        root, journey = self.place.root, self.journey
        if journey.holdout is not None and journey.holdout.percent > 0:
            yield self._point(root.at("holdout"), "holdout", "fail")
        if journey.holdout is not None and journey.holdout.percent < 100:  # noqa: PLR2004
            yield self._point(root.at("holdout"), "holdout", "pass")
        for name, _ in journey.experiment.variants if journey.experiment else ():
            yield self._point(root.at("experiment"), "variant", name)

    def _step(self, place: StepPlace) -> Iterator[Point]:
        step = self.journey.steps[place.numbers[0] - 1]

        def point(node: Node, what: str, branch: str) -> Point:
            rules = [step_rule(number, what) for number in place.numbers]
            keys = frozenset(Branch(self.journey.name, rule, branch) for rule in rules)
            return Point(node.file, node.line, self.journey.name, _shown(place, what), branch, keys)

        yield point(place.node, "", "fired")
        if self.journey.unless:
            yield point(place.node, "", "cancelled")
        expires = place.node.at("expires") if place.node.has("expires") else place.node
        yield point(expires, "", "expired")
        if step.until is not None:
            yield point(place.node.at("until"), "", "missing_date")
        if step.when is not None:
            for each in self._condition(place.node.at("when"), "when", step.when.text):
                yield point(place.node.at("when"), "when", each.branch)
        if any(_rivals(step, later) for later in self.journey.steps[place.numbers[-1] :]):
            yield point(place.node, "", "later_step")
        for node, gate, branches in self._gates(place.node, step):
            for branch in branches:
                yield point(node, gate, branch)

    def _gates(self, node: Node, step: Step) -> Iterator[tuple[Node, str, tuple[str, ...]]]:
        """Those that can close for a step, with their verdicts."""
        if step.cooldown:
            yield node.at("cooldown"), "cooldown", ("pass", "fail")
        if self.calling is None:
            return
        if any(step.channel in limit.applies.channels for limit in self.calling.limits):
            yield node, "limits", ("pass", "fail")
        if step.window is not None or _has_hours(self.calling, step):
            yield node.at("window") if step.window else node, "window", ("pass", "held")


def _rivals(step: Step, later: Step) -> bool:
    """Whether both can be due for one wait on one channel."""
    apart = None not in {step.variant, later.variant} and step.variant != later.variant
    return step.channel == later.channel and not apart


def _has_hours(calling: CallingRules, step: Step) -> bool:
    anywhere = any(each.channel == step.channel for each in calling.own)
    return anywhere or bool(calling.windows(Place(), step.channel))


def _shown(place: StepPlace, what: str) -> str:
    first, last = place.numbers[0], place.numbers[-1]
    number = str(first) if first == last else f"{first}-{last}"
    return f"step {number} {what}".rstrip()


def _consent_points(sources: Sources) -> Iterator[Point]:
    """Every rule of consent.yaml, for each of its channels."""
    root = sources.tops.get(CONSENT_FILE)
    for node in root.at("events").items() if root and root.has("events") else ():
        event = node.value["event"]
        for channel in dict.fromkeys(each.value for each in node.at("channels").list(single=True)):
            key = Branch(CONSENT_FILE, event, channel)
            yield Point(node.file, node.line, *key, frozenset({key}))
