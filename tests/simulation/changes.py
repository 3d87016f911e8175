"""Changes of a rulebook in the middle of a course, from a seed: what is put in force, and when.

Each goes on from the rulebook before: journeys get other versions, with a policy for open waits,
go, are paused and resumed, run beside a shadow. What is ruled is worked out by the code of `apply`.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from pipeline.domain.shadow import slot
from pipeline.domain.times import MINUTE, SECOND
from pipeline.domain.versions import Ruling
from pipeline.rulebook.durations import format_duration, parse_duration
from pipeline.rulebook.load import Document
from pipeline.rulebook.open_waits import Policies, Policy, rulings
from tests.simulation.rulebooks import canonical

Json = dict[str, Any]
CHANGED = 0.3
"""Share of the seeds that have changes."""
LIMITED = {False: 0.15, True: 0.5}
"""Share of the others, and of these, that have a limit."""
MEETING = 0.5
"""Share of the changes that meet a tick."""
LIMIT: Json = {"max": 1000, "per": "7d", "scope": "person"}
"""One that nobody reaches: it must change nothing that comes out."""
HOURS: Json = {"voice": [f"{hour:02}:15-{hour:02}:45" for hour in range(24)]}
"""The same minutes of every hour, so that it is of no matter in which time zone somebody is."""
WITH_HOURS = 0.5
"""Share of the seeds whose outcome is not for the oracle to say: it knows nothing of hours."""
AT_ONCE = 0.6
"""Share of the pauses that are over within seconds."""
ALIKE = 48
"""So many courses of changes take turns for one rulebook."""


@dataclass(frozen=True)
class Change:
    """One apply: `after` ms from the lattice instant of a half step."""

    after: int
    rulebook: Json
    rulings: Mapping[str, Ruling]
    kind: str
    meets: bool = False
    """Whether it is given once a tick stands in the log, to meet what the tick sends out."""


@dataclass
class Course:
    """The changes of a seed, by half lattice step.

    `shadows_only`: what is live must be as it would be without them.
    """

    by_half: dict[int, list[Change]] = field(default_factory=dict)
    shadows_only: bool = True

    @property
    def changes(self) -> list[Change]:
        """In order."""
        return [change for half in sorted(self.by_half) for change in self.by_half[half]]


def limits(seed: int) -> Json:
    """What a share of the seeds has of `calling.yaml`."""
    rng = Random(f"change:{seed}")
    share = LIMITED[rng.random() < CHANGED]
    return {"calling": {"limits": [LIMIT]}} if rng.random() < share else {}


def with_hours(seed: int, rulebook: Json, course: Course) -> None:
    """Calling hours for a share of the seeds, in all of its rulebooks."""
    if Random(f"hours:{seed}").random() < WITH_HOURS:
        for each in (rulebook, *(change.rulebook for change in course.changes)):
            each["calling"] = each.get("calling", {}) | {"hours": HOURS}


def draw(seed: int, rulebook: Json, halves: int) -> Course:
    """Of this seed; none for most. `halves`: during which something arrives."""
    rng = Random(f"change:{seed}")
    if rng.random() >= CHANGED:
        return Course()
    rng.random()  # whether there is a limit
    maker = _Maker(Random(f"changes:{rng.randrange(ALIKE)}"), rulebook)
    course = Course(shadows_only=rng.random() < 0.2)
    # the very last ones come when everything that is due in time has been decided
    most = min(rng.choice([1, 2, 2, 3, 4]), halves)
    for half in sorted(rng.sample(range(1, halves + 4), most)):
        after = rng.choice([-5 * SECOND, -SECOND, -50, -1, 0, 1, 50, SECOND, 20 * SECOND])
        made = maker.next(after, shadows_only=course.shadows_only)
        if rng.random() < MEETING:
            made = replace(made, after=-6 * SECOND, meets=True)
        course.by_half.setdefault(half, []).append(made)
        if made.kind == "pause" and maker.rng.random() < AT_ONCE:
            shortly = made.after + maker.rng.choice([1, 50, 500, 5000])
            course.by_half[half].append(maker.next(shortly, shadows_only=False, kind="resume"))
    return course


class _Maker:
    def __init__(self, rng: Random, rulebook: Json) -> None:
        self.rng = rng
        self.book = deepcopy(rulebook)
        self.known: list[Document] = [canonical(rulebook)[0]]
        self.highest = {each["journey"]: each["version"] for each in rulebook["journeys"]}

    def next(self, after: int, *, shadows_only: bool, kind: str = "") -> Change:
        """The rulebook goes on in one of these ways, or in this one."""
        rng = self.rng
        live = [each for each in self.book["journeys"] if each.get("status") != "shadow"]
        shadows = [each for each in self.book["journeys"] if each.get("status") == "shadow"]
        paused = [each for each in live if each.get("status") == "paused"]
        kinds = ["shadow"] if live and not shadows else []
        kinds += ["end_shadow"] if shadows else []
        if not shadows_only:
            kinds += ["pause", "remove"] if live else []
            kinds += ["versions"] * 3 if self._free(live, shadows) else []
            kinds += ["bring_back"] if not live and not shadows else []
            kinds += ["resume"] * 4 if paused else []
            kinds += ["promote"] if shadows else []
        kind = kind or rng.choice(kinds)
        named: dict[str, Policy] = getattr(self, f"_{kind}")(rng, live, shadows)
        before, document = self.known[-1], canonical(self.book)[0]
        ruled = rulings(self.known, before, document, Policies("keep", named))
        self.known.append(document)
        return Change(after, deepcopy(self.book), ruled, kind)

    def _altered(self, journey: Json) -> Json:
        """A higher version that decides by something else."""
        rng = self.rng
        made = deepcopy(journey)
        self.highest[made["journey"]] += 1
        made["version"] = self.highest[made["journey"]]
        if made.get("status") == "retired":
            del made["status"]
        for change in rng.sample([_shifted, _late, _audience, _condition, _repeat, _fewer], 2):
            change(rng, made)
        return made

    @staticmethod
    def _free(live: list[Json], shadows: list[Json]) -> list[Json]:
        """A shadow has a higher version than the live one: those without a shadow."""
        names = {each["journey"] for each in shadows}
        return [each for each in live if each["journey"] not in names]

    def _versions(self, rng: Random, live: list[Json], shadows: list[Json]) -> dict[str, Policy]:
        named: dict[str, Policy] = {}
        free = self._free(live, shadows)
        policies: list[Policy] = ["drop", "drop", "re-evaluate", "re-evaluate", "keep"]
        for journey in rng.sample(free, rng.randint(1, len(free))):
            self.book["journeys"][self.book["journeys"].index(journey)] = self._altered(journey)
            named[journey["journey"]] = rng.choice(policies)
        return named

    def _pause(self, rng: Random, live: list[Json], _: list[Json]) -> dict[str, Policy]:
        rng.choice(live)["status"] = "paused"
        return {}

    def _resume(self, rng: Random, live: list[Json], _: list[Json]) -> dict[str, Policy]:
        del rng.choice([each for each in live if each.get("status") == "paused"])["status"]
        return {}

    def _remove(self, rng: Random, live: list[Json], _: list[Json]) -> dict[str, Policy]:
        gone = rng.choice(live)
        if rng.random() < 0.5:
            self.book["journeys"].remove(gone)
        else:
            gone["status"] = "retired"
        policy: Policy = rng.choice(["drop", "keep"])
        return {gone["journey"]: policy}

    def _bring_back(self, rng: Random, _: list[Json], __: list[Json]) -> dict[str, Policy]:
        """Where none is left."""
        first = next(iter(self.known[0]["journeys"]))
        self.book["journeys"].append(self._altered(first))
        del rng
        return {}

    def _shadow(self, rng: Random, live: list[Json], _: list[Json]) -> dict[str, Policy]:
        made = self._altered(rng.choice(live)) | {"status": "shadow"}
        self.book["journeys"].append(made)
        return {}

    def _end_shadow(self, rng: Random, _: list[Json], shadows: list[Json]) -> dict[str, Policy]:
        self.book["journeys"].remove(shadows[0])
        policy: Policy = rng.choice(["drop", "keep"])
        return {slot(shadows[0]["journey"]): policy}

    def _promote(self, rng: Random, live: list[Json], shadows: list[Json]) -> dict[str, Policy]:
        """It takes the place of the live one."""
        (shadow,) = shadows
        self.book["journeys"] = [
            each for each in self.book["journeys"] if each["journey"] != shadow["journey"]
        ] + [{name: value for name, value in shadow.items() if name != "status"}]
        was_live = any(each["journey"] == shadow["journey"] for each in live)
        policies: list[Policy] = ["drop", "re-evaluate", "keep"]
        named: dict[str, Policy] = {slot(shadow["journey"]): "drop"}
        return named | ({shadow["journey"]: rng.choice(policies)} if was_live else {})


# what a higher version may change; start, `unless`, key and match stay


def _shifted(rng: Random, journey: Json) -> None:
    by = rng.choice([10, 20])
    for step in journey["steps"]:
        if "after" in step:
            step["after"] = format_duration((parse_duration(step["after"]) or 0) + by * MINUTE)


def _late(rng: Random, journey: Json) -> None:
    journey["lateness"] = rng.choice(["0s", "10m", "20m"])


def _audience(rng: Random, journey: Json) -> None:
    journey["audience"] = rng.choice(['traits.state != "TX"', 'events["Signed"].count == 0'])


def _condition(rng: Random, journey: Json) -> None:
    journey["steps"][-1]["when"] = rng.choice(['traits.state == "NY"', "has(traits.state)"])


def _repeat(rng: Random, journey: Json) -> None:
    journey["repeat"] = rng.choice(["keep_first", "restart"])


def _fewer(_: Random, journey: Json) -> None:
    if len(journey["steps"]) > 1 and "experiment" not in journey:
        del journey["steps"][-1]
