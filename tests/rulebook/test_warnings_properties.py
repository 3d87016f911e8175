"""Whatever a rulebook says that can be used: checking it and counting its branches never fails."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.domain.times import DAY
from pipeline.rulebook.check import Beside, check_sources
from pipeline.rulebook.checks.observed import Observed, SeenCall
from pipeline.rulebook.codes import WARNINGS
from pipeline.rulebook.compile import compile_rulebook
from pipeline.rulebook.coverage import Coverage, points_of
from pipeline.rulebook.findings import errors
from pipeline.rulebook.load import read

NAMES = st.sampled_from(["A", "a", "B b", "B_b", "Z", "é ü"])
WHERES = st.sampled_from(
    ["true", "false", "properties.x == 1", "has(properties.x)", 'event == "a"', "properties.x",
     '!("k" in context)', "properties.l.all(e, e > 1)", "context.page.url.startsWith('x')"]
)  # fmt: skip
ASKED = st.sampled_from(
    ["true", 'events["A"].count == 0', "has(traits.x)", 'start.event == "b b"', "traits.x != 1"]
)
VIEWS = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["page", "screen"])}, optional={"name": NAMES}),
    st.fixed_dictionaries(
        {"type": st.just("page"), "name": st.lists(NAMES, min_size=1, max_size=3)}
    ),
)
PATTERNS = st.one_of(
    NAMES,
    VIEWS,
    st.fixed_dictionaries(
        {"event": st.one_of(NAMES, st.lists(st.one_of(NAMES, VIEWS), min_size=1, max_size=3))},
        optional={"where": WHERES},
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["track", "identify", "group"])}, optional={"where": WHERES}
    ),
)
MAYBE_MANY = st.one_of(PATTERNS, st.lists(PATTERNS, min_size=1, max_size=3))
WINDOWS = st.sampled_from(
    ["09:00-10:00", {"days": "sat"}, {"hours": {"mon..fri": "22:00-02:00"}}, ["00:00-24:00"]]
)
MORE_OF_STEP: dict[str, Any] = {
    "when": ASKED,
    "expires": st.sampled_from(["1m", "1h", "9d"]),
    "cooldown": st.sampled_from(["0s", "1d"]),
    "window": WINDOWS,
    "variant": st.sampled_from(["one", "two"]),
    "include": st.lists(
        st.sampled_from(["properties.x", "traits.firstName", "properties.a.b.c.d.e.f.g.h.i.j"])
    ),
}
CHANNELS = st.sampled_from(["voice", "sms", "email"])
LENGTHS = st.just("0s")
STEPS = st.one_of(
    st.fixed_dictionaries({"after": LENGTHS, "channel": CHANNELS}, optional=MORE_OF_STEP),
    st.fixed_dictionaries(
        {"after": LENGTHS, "every": st.just("1h"), "times": st.integers(2, 4), "channel": CHANNELS},
        optional=MORE_OF_STEP,
    ),
    st.fixed_dictionaries({"until": st.just("properties.due"), "channel": CHANNELS}),
)
JOURNEYS = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "start": MAYBE_MANY,
        "steps": st.lists(STEPS, min_size=1, max_size=3),
    },
    optional={
        "unless": MAYBE_MANY,
        "key": st.sampled_from(["properties.x", "context.page.url"]),
        "audience": ASKED,
        "once": st.booleans(),
        "repeat": st.sampled_from(["keep_first", "restart"]),
        "holdout": st.sampled_from(
            [{"percent": 0}, {"percent": 50, "salt": "h"}, {"percent": 100}]
        ),
        "experiment": st.just({"salt": "s", "variants": {"one": 50, "two": 50}}),
        "lateness": st.sampled_from(["0s", "30s"]),
        "status": st.sampled_from(["active", "paused", "retired", "shadow"]),
    },
)


def growing(journey: dict[str, Any]) -> dict[str, Any]:
    """With steps whose `after` grows, and variants only where there are some."""
    steps = []
    for after, step in zip(("1h", "3d", "40d"), journey["steps"], strict=False):
        made = step | ({"after": after} if "after" in step else {})
        if "experiment" not in journey:
            made.pop("variant", None)
        steps.append(made)
    return {**journey, "steps": steps}


CALLINGS = st.sampled_from(
    [
        {},
        {"hours": {"voice": "09:00-20:00"}, "limits": [{"max": 1, "per": "1d"}]},
        {"hours": {"sms": {"days": "sat"}}, "places": {"US-FL": {"voice": {"days": "sun"}}}},
    ]
)
SEEN = Observed(
    records=9,
    calls={
        ("track", "A"): SeenCall(3, {("properties", "X"), ("context", "page")}),
        ("page", ""): SeenCall(1, cut=True),
        ("identify", ""): SeenCall(1),
    },
)


@given(st.lists(JOURNEYS.map(growing), min_size=1, max_size=3), CALLINGS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_checking_never_fails_and_gives_known_codes_at_lines_that_there_are(
    journeys: list[dict[str, Any]], calling: dict[str, Any]
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "journeys").mkdir()
        for number, made in enumerate(journeys):
            text = yaml.safe_dump({"journey": f"j{number}", **made}, allow_unicode=True)
            (folder / "journeys" / f"j{number}.yaml").write_text(text)
        (folder / "calling.yaml").write_text(yaml.safe_dump(calling))
        sources = read(folder)
        findings = check_sources(sources, Beside(30 * DAY, SEEN))
        for each in findings:
            lines = (folder / each.file).read_text().splitlines()
            assert 1 <= each.line <= len(lines)
            assert each.severity == "error" or each.code in WARNINGS
        if not errors(findings):
            points = points_of(sources, compile_rulebook(sources.document))
            assert Coverage(points, frozenset()).missing == points
            told = [(point.file, point.rule, point.branch) for point in points]
            assert len(told) == len(set(told))
