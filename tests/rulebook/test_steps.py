"""Steps as files have them: conditions, repetitions, dates, variants; and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.rules import Experiment, Journey, Step, Until
from pipeline.domain.times import DAY, HOUR
from pipeline.rulebook.check import check, errors
from pipeline.rulebook.compile import canonical_document, compile_rulebook
from pipeline.rulebook.durations import format_offset, parse_offset
from pipeline.rulebook.findings import Finding
from pipeline.rulebook.load import RulebookError, document_digest
from pipeline.rulebook.steps import STEP_KEYS

HALVES = {"salt": "x", "variants": {"short": 50, "long": 50}}


def journey(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    own = [{"channel": "sms", **step} for step in steps]
    return {"journey": "j", "version": 1, "start": "A", "steps": own, **more}


def compiled(*steps: dict[str, Any], **more: Any) -> Journey:
    return compile_rulebook({"journeys": [journey(*steps, **more)]}).journeys[0]


def test_repetitions_are_steps_of_their_own_and_numbers_run_on() -> None:
    made = compiled({"after": "1h", "every": "24h", "times": 3}, {"after": "50h"})
    assert made.steps == (
        Step(1, HOUR, "sms", DAY),
        Step(2, 25 * HOUR, "sms", DAY),
        Step(3, 49 * HOUR, "sms", DAY),
        Step(4, 50 * HOUR, "sms", DAY),
    )


def test_a_date_is_a_path_an_offset_and_how_far_it_may_lie() -> None:
    plain, full = compiled(
        {"until": "properties.due"},
        {"until": "context.trial.end", "offset": "-36h", "within": "400d"},
    ).steps
    assert (plain.until, plain.after) == (Until(("properties", "due"), 0), 90 * DAY)
    assert (full.until, full.after) == (Until(("context", "trial", "end"), -36 * HOUR), 400 * DAY)


def test_a_step_that_reads_the_start_makes_its_journey_do_so() -> None:
    assert compiled({"after": "1h", "when": "start.properties.a == 1"}).reads_start
    assert not compiled({"after": "1h", "when": "traits.a == 1"}).reads_start


def test_variants_keep_the_order_of_the_file() -> None:
    steps = {"after": "1h"}, {"after": "2h", "variant": "b"}
    shares = {"b": 0.5, "a": 99.5}
    made = compiled(*steps, experiment={"salt": "x", "variants": shares})
    assert made.experiment == Experiment("x", (("b", 0.5), ("a", 99.5)))
    assert [step.variant for step in made.steps] == [None, "b"]
    turned = dict(reversed(shares.items()))
    one, other = (
        canonical_document({"journeys": [journey(*steps, experiment=experiment)]})
        for experiment in ({"salt": "x", "variants": each} for each in (shares, turned))
    )
    assert document_digest(one) != document_digest(other)


def test_percentages_with_fractions_make_a_hundred_exactly() -> None:
    thirds = {"a": 33.3, "b": 33.3, "c": 33.4}
    assert compiled({"after": "1h"}, experiment={"salt": "x", "variants": thirds}).experiment


FORMS: list[list[dict[str, Any]]] = [
    [{"after": "60m", "every": "1440m", "times": 3, "when": " traits.a == 1 "}],
    [{"until": "properties.due", "offset": "+48h"}, {"until": "properties.due", "within": "24h"}],
    [{"after": "1h", "variant": "short"}, {"after": "1h", "variant": "long"}],
]


@pytest.mark.parametrize("steps", FORMS, ids=str)
def test_reading_the_canonical_form_gives_itself(steps: list[dict[str, Any]]) -> None:
    once = canonical_document({"journeys": [journey(*steps, experiment=HALVES)]})
    assert canonical_document(once) == once


def test_documents_from_before_these_keys_keep_their_digest() -> None:
    old = journey(
        {"after": "1h", "cooldown": "1d"},
        {"after": "2h", "window": {"hours": "10:00-18:00"}, "include": ["traits.a"]},
        unless="B",
        holdout={"percent": 10, "salt": "s"},
        audience="traits.a == 1",
    )
    document = canonical_document({"journeys": [old]})
    assert document_digest(document) == "7d70d779d7d4d5df89d2d2152220477b"


@pytest.mark.parametrize(
    ("text", "length"),
    [("-2d", -2 * DAY), ("+2h", 2 * HOUR), ("0s", 0), ("-0s", 0), ("24h", DAY), ("--1h", None),
     ("- 1h", None), ("", None), ("-", None), (-2, None), (None, None), ("-9999d", None)],
)  # fmt: skip
def test_an_offset_is_a_duration_with_or_without_a_sign(text: object, length: int | None) -> None:
    assert parse_offset(text) == length
    if length is not None:
        assert parse_offset(format_offset(length)) == length


HEAD = "journey: j\nversion: 1\nstart: {event: A}\nlateness: 1h\n"
STEPS = HEAD + "steps:\n"
OFTEN = "channel: sms, every: 1h, times: 20"
TWO = "{short: 50, long: 50}"
VARIANTS = HEAD + "experiment: {salt: x, variants: {short: 50, long: 50}}\nsteps:\n"


def step(text: str) -> str:
    return f"{STEPS}  - {{channel: sms, {text}}}\n"


def found(at: Path, text: str) -> list[Finding]:
    (at / "journeys").mkdir()
    (at / "journeys" / "j.yaml").write_text(text)
    return errors(check(at))


@pytest.mark.parametrize(
    ("text", "line", "message", "remedy"),
    [
        (step("after: 1h, every: 1h"), 6, "`every` needs `times`", "add"),
        (step("after: 1h, times: 2"), 6, "`times` needs `every`", "add"),
        (step("after: 1h, every: 1h, times: 1"), 6, "`times` is `1`", "2 to"),
        (step("after: 1h, every: 0s, times: 2"), 6, "no time", "above 0s"),
        (step("after: 1h, every: 3650d, times: 2"), 6,
         "the last of 2 times is", "at most 3650d"),
        (step("after: 1h, every: 1h, times: 3") + "  - {after: 3h, channel: sms}\n", 7,
         "`after` is 3h, not later than 3h of a step before it", "order the steps"),
        (step("after: 1h, until: properties.due"), 6, "exclude", "remove"),
        (step("until: properties.due, every: 1h, times: 2"), 6,
         "`times` and `until` exclude", "remove one"),
        (step("after: 1h, offset: -1d"), 6, "belongs to `until`", "add"),
        (step("after: 1h, within: 1d"), 6, "belongs to `until`", "add"),
        (step("until: due"), 6, "`until` is `due`", "properties.NAME or"),
        (step("until: "), 6, "`until` is nothing", "write a text"),
        (step("until: properties.d, offset: 2 days"), 6, "`2 days`", "-2d"),
        (step("until: properties.d, offset: [1h]"), 6, "a list", "-2d"),
        (step("until: properties.d, within: 401d"), 6, "above 400d", "most"),
        (step("until: properties.d, expires: 1h"), 6, "not above", "raise"),
        (step("after: 1h, when: properties.a == 1"), 6,
         "`properties` is not known here", "mend"),
        (step("after: 1h, when: traits.a + 1"), 6, "neither true", "mend"),
        (step("after: 1h, when: "), 6, "`when` is nothing", "a text"),
        (step("after: 1h, when: {a: 1}"), 6, "`when` is a map", "a text"),
        (step("after: 1h, variant: a"), 6, "needs an `experiment`", "add"),
        (VARIANTS + "  - {after: 1h, channel: sms, variant: shrt}\n", 7, "no variant `shrt`",
         "did you mean `short`?"),
        (VARIANTS + "  - {after: 1h, channel: sms, variant: short}\n", 5,
         "no step is for variant `long`", "add a step with `variant: long`"),
        (VARIANTS + "  - {after: 2h, channel: sms}\n  - {after: 2h, channel: sms, variant: long}\n",
         8, "`after` is 2h, not later", "order"),
        (VARIANTS + "  - {after: 2h, channel: sms, variant: long}\n  - {after: 1h, channel: sms}\n",
         8, "`after` is 1h, not later", "order"),
        (VARIANTS + "  - {after: 1h, channel: sms, variant: 7}\n", 7, "`variant` is `7`", '"7"'),
        (VARIANTS.replace("long: 50", "long: 51"), 5, "make 101, not 100", "exactly 100"),
        (VARIANTS.replace("50, long: 50", "33.3, b: 33.3, c: 33.3"), 5, "make 99.9, not", "100"),
        (VARIANTS.replace("long: 50", "long: 0"), 5, "`long` has no share", "above 0"),
        (VARIANTS.replace("long: 50", "long: -5"), 5, "`long` is `-5`", "from 0 to 100"),
        (VARIANTS.replace("long: 50", "long: half"), 5, "`long` is `half`", "a number"),
        (VARIANTS.replace("long: 50", "long: 1e99"), 5, "another number", "in quotes|plain"),
        (VARIANTS.replace("short: 50, long: 50", "all: 100"), 5, "has 1 of them", "2 to 10"),
        (VARIANTS.replace("short: 50, long: 50", ""), 5, "has 0 of them", "2 to 10"),
        (VARIANTS.replace("long: 50", "läng: 50"), 5, "variant is `läng`", "letters"),
        (VARIANTS.replace("long: 50", "long-one: 50"), 5, "variant is `long-one`", "letters"),
        (VARIANTS.replace(TWO, "50"), 5, "`variants` is `50`", "percentages"),
        (VARIANTS.replace(TWO, "[{name: a, percent: 50}, {name: a, percent: 50}]"), 5,
         "a name twice", "its own name"),
        (VARIANTS.replace(TWO, "[a, b]"), 5, "not a map", "a map"),
        (VARIANTS.replace("salt: x, ", ""), 5, "`salt` is missing", "add `salt`"),
        (VARIANTS.replace("salt: x", "salt: ''"), 5, "`salt` is blank", "readable"),
        (VARIANTS + "  - {after: 1h, channel: sms}\nholdout: {percent: 10, salt: x}\n", 5,
         "`salt` is that of `holdout`", "another salt"),
        (HEAD + "experiment: true\nsteps: [{after: 1h, channel: sms}]\n", 5, "is true", "a map"),
        (STEPS + "".join(f"  - {{after: {n}d, {OFTEN}}}\n" for n in range(16)), 5,
         "320 steps of this journey, above 300", "less often"),
    ],
)  # fmt: skip
def test_a_step_that_cannot_be_meant_is_refused(
    tmp_path: Path, text: str, line: int, message: str, remedy: str
) -> None:
    findings = found(tmp_path, text)
    assert any(
        finding.line == line
        and message in finding.message
        and any(part in finding.remedy for part in remedy.split("|"))
        for finding in findings
    ), findings


def test_steps_of_two_variants_may_be_due_at_the_same_time(tmp_path: Path) -> None:
    text = VARIANTS + (
        "  - {after: 1h, channel: sms, variant: short}\n"
        "  - {after: 3h, channel: sms, variant: short}\n"
        "  - {after: 1h, channel: voice, variant: long}\n"
        "  - {until: properties.due, channel: sms}\n"
        "  - {after: 4h, channel: voice}\n"
    )
    assert found(tmp_path, text.replace("lateness: 1h\n", "")) == []


def test_a_field_that_a_step_reads_without_has_is_warned_of(tmp_path: Path) -> None:
    text = step("after: 1h, when: traits.plan == 'gold'")
    assert found(tmp_path, text) == []
    (warning,) = check(tmp_path)
    assert (warning.line, warning.severity) == (6, "warning")
    assert warning.message == (
        "traits.plan is read without has(); where it is missing, the step is not sent"
    )


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from(["1h", "-2d", "properties.due", "true", "a", "sms", "1=1"]),
)  # fmt: skip
THINGS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.lists(st.one_of(THINGS, st.dictionaries(st.sampled_from(STEP_KEYS), THINGS)), max_size=3),
    st.one_of(THINGS, st.fixed_dictionaries({"salt": THINGS, "variants": THINGS})),
)
def test_whatever_is_written_is_compiled_or_refused_in_words(steps: Any, experiment: Any) -> None:
    made = {"journey": "j", "version": 1, "start": "A", "steps": steps, "experiment": experiment}
    findings: list[Finding] = []
    try:
        compile_rulebook({"journeys": [made]})
    except RulebookError as error:
        findings = error.findings
    assert all(finding.message and finding.remedy for finding in findings)
