"""`check` warns of what can be used and is hardly meant, each with a code that can be silenced."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.times import DAY
from pipeline.rulebook.check import Beside, check_sources
from pipeline.rulebook.codes import WARNINGS
from pipeline.rulebook.findings import Finding
from pipeline.rulebook.load import read

JOURNEY = """\
journey: {name}
version: 1
key: properties.loanId
start: {{event: Loan Approved{where}}}
unless: [Loan Signed]
steps:
"""


def journey(name: str = "j", steps: str = "", where: str = "", more: str = "") -> str:
    where = f", where: '{where}'" if where else ""
    steps = steps or "  - {after: 24h, channel: voice}\n"
    return JOURNEY.format(name=name, where=where) + steps + more


def found(at: Path, beside: Any = None, /, **files: str) -> list[Finding]:
    for name, text in files.items():
        path = at / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (at / "journeys").mkdir(exist_ok=True)
    return check_sources(read(at), beside or Beside())


def codes(findings: list[Finding]) -> list[tuple[int, str]]:
    assert all(each.severity == "warning" and each.code in WARNINGS for each in findings), findings
    return [(each.line, each.code) for each in findings]


def test_a_sound_rulebook_has_no_warning(tmp_path: Path) -> None:
    assert found(tmp_path, Beside(30 * DAY), journeys__j=journey()) == []


@pytest.mark.parametrize(
    ("text", "line", "code", "said"),
    [
        (journey(where="1 == 1"), 4, "constant-condition", "`where` is always true"),
        (journey(where="false"), 4, "constant-condition", "nothing starts"),
        (journey(where="has(properties.a) && false"), 4, "constant-condition", "never true"),
        (journey(more="audience: 'true || has(traits.a)'\n"), 8, "constant-condition", "always"),
        (journey(more="audience: 'false'\n"), 8, "unreachable-step", "no step of this journey"),
        (journey(more="audience: has(traits.a) && !has(traits.a)\n"), 8, "unreachable-step", ""),
        (journey(steps="  - {after: 1h, channel: sms, when: 'false'}\n"), 7, "unreachable-step",
         "this step is never sent"),
    ],
)  # fmt: skip
def test_a_condition_that_is_always_or_never_true_is_told(
    tmp_path: Path, text: str, line: int, code: str, said: str
) -> None:
    (finding,) = found(tmp_path, journeys__j=text)
    assert (finding.line, finding.code) == (line, code)
    assert said in finding.message


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("false", "it ends no wait"),
        ("has(properties.a) && !has(properties.a)", "only where it can't be judged"),
        ("has(properties.a) ? true : true", "is always true"),
    ],
)
def test_in_unless_what_cannot_be_judged_counts_as_true(
    tmp_path: Path, where: str, said: str
) -> None:
    text = journey().replace("[Loan Signed]", f"[{{event: Loan Signed, where: '{where}'}}]")
    (finding,) = found(tmp_path, journeys__j=text)
    assert (finding.line, finding.code) == (5, "constant-condition")
    assert said in finding.message


def test_of_two_steps_until_one_date_the_earlier_is_never_judged(tmp_path: Path) -> None:
    step = "  - {{until: properties.due, offset: {}, channel: {}}}\n"
    twice = step.format("-1d", "sms") + step.format("-1d", "sms")
    assert codes(found(tmp_path, journeys__j=journey(steps=twice))) == [(7, "unreachable-step")]
    apart = step.format("-1d", "sms") + step.format("-1d", "voice") + step.format("0s", "sms")
    assert found(tmp_path, journeys__j=journey(steps=apart)) == []


def test_a_wait_that_the_log_does_not_outlast_is_told(tmp_path: Path) -> None:
    text = journey(steps="  - {after: 24d, channel: sms}\n  - {after: 28d, channel: voice}\n")
    assert found(tmp_path, Beside(29 * DAY), journeys__j=text) == []
    long = text + "lookback: 1h\n"
    (finding,) = found(tmp_path, Beside(29 * DAY), journeys__j=long)
    assert (finding.line, finding.code) == (8, "beyond-retention")
    assert "up to 697h, the log is kept for 29d" in finding.message
    assert found(tmp_path, Beside(30 * DAY), journeys__j=long) == []
    assert found(tmp_path, journeys__j=long) == []


def test_repetitions_count_for_how_long_a_wait_lasts(tmp_path: Path) -> None:
    text = journey(steps="  - {after: 1d, every: 3d, times: 10, channel: sms}\n")
    (finding,) = found(tmp_path, Beside(28 * DAY), journeys__j=text)
    assert (finding.line, finding.code) == (7, "beyond-retention")
    assert found(tmp_path, Beside(29 * DAY), journeys__j=text) == []


def test_a_step_that_mostly_expires_before_its_window_opens_is_told(tmp_path: Path) -> None:
    window = "window: {{hours: 09:00-10:00, days: [sat]}}"
    step = f"  - {{{{after: 1h, channel: sms, expires: {{}}, {window}}}}}\n"
    short = journey(steps=step.format("1h"))
    (finding,) = found(tmp_path, journeys__j=short)
    assert (finding.line, finding.code) == (7, "mostly-expires")
    assert "99% of a week's deadlines expire before sms opens: step window" in finding.message
    assert found(tmp_path, journeys__j=journey(steps=step.format("7d"))) == []


def test_a_step_that_is_mostly_suppressed_by_its_window_is_told(tmp_path: Path) -> None:
    window = "window: {hours: 09:00-10:00}, closed: suppress"
    text = journey(steps=f"  - {{after: 1h, channel: sms, expires: 7d, {window}}}\n")
    (finding,) = found(tmp_path, journeys__j=text)
    assert finding.code == "mostly-expires"
    assert "96% of a week's deadlines find sms closed, and are suppressed" in finding.message


def test_hours_of_one_state_are_enough_for_a_warning_that_names_it(tmp_path: Path) -> None:
    calling = (
        "hours: {voice: 08:00-22:00}\n"
        "places: {US-FL: {voice: {hours: 09:00-10:00, days: [mon]}}, US-GA: {voice: 08:00-20:00}}\n"
    )
    text = journey(steps="  - {after: 1h, channel: voice, expires: 2h}\n")
    (finding,) = found(tmp_path, journeys__j=text, calling=calling)
    assert (finding.line, finding.code) == (7, "mostly-expires")
    assert "in US-FL" in finding.message


def test_lateness_uses_up_the_time_until_the_best_before(tmp_path: Path) -> None:
    window = "window: {hours: 00:00-24:00, days: [mon, tue]}"
    steps = f"  - {{after: 1h, channel: sms, expires: 48h, {window}}}\n"
    assert found(tmp_path, journeys__j=journey(steps=steps)) == []
    late = journey(steps=steps, more="lateness: 47h\n")
    # due two days before either day all the same, so only what is closed then is lost
    assert codes(found(tmp_path, journeys__j=late)) == []
    narrow = late.replace("[mon, tue]", "[mon]")
    assert codes(found(tmp_path, journeys__j=narrow)) == [(7, "mostly-expires")]


def test_a_step_that_its_successor_mostly_replaces_is_told(tmp_path: Path) -> None:
    window = "expires: 10d, window: {hours: 09:00-10:00, days: [mon]}"
    steps = (
        f"  - {{after: 1h, channel: sms, {window}}}\n  - {{after: 3h, channel: sms, {window}}}\n"
    )
    assert codes(found(tmp_path, journeys__j=journey(steps=steps))) == [(7, "mostly-superseded")]
    other = steps.replace("after: 3h, channel: sms", "after: 3h, channel: voice")
    assert found(tmp_path, journeys__j=journey(steps=other)) == []
    apart = steps.replace("after: 3h", "after: 8d")
    assert found(tmp_path, journeys__j=journey(steps=apart)) == []


def test_what_never_opens_is_told_once_and_not_as_expiring_too(tmp_path: Path) -> None:
    calling = "hours: {sms: {hours: 09:00-10:00, days: [mon]}}\n"
    steps = "  - {after: 1h, channel: sms, window: {hours: 09:00-10:00, days: [tue]}}\n"
    findings = found(tmp_path, journeys__j=journey(steps=steps), calling=calling)
    assert codes(findings) == [(7, "never-open")]


def test_a_window_that_never_meets_the_hours_of_one_place_is_told_for_that_place(
    tmp_path: Path,
) -> None:
    calling = (
        "hours: {voice: 09:00-20:00}\n"
        "places: {US-FL: {voice: {hours: 09:00-20:00, days: [mon]}}, GB: {voice: 08:00-09:00}}\n"
    )
    step = "  - {{after: 1h, channel: voice, expires: 9d, window: {{hours: 09:00-20:00{}}}}}\n"
    findings = found(
        tmp_path, journeys__j=journey(steps=step.format(", days: [tue, wed]")), calling=calling
    )
    assert codes(findings) == [(7, "never-open")] * 2
    assert ["never open in GB" in findings[0].message, "in US-FL" in findings[1].message] == [
        True, True,
    ]  # fmt: skip
    findings = found(tmp_path, journeys__j=journey(steps=step.format("")), calling=calling)
    assert [each.message.split(":")[0] for each in findings] == ["voice is never open in GB"]


TWO = "  - {after: 1h, channel: sms}\n  - {after: 2h, channel: voice}\n"


def test_two_journeys_that_can_contact_one_person_for_the_same_thing_are_told(
    tmp_path: Path,
) -> None:
    (finding,) = found(tmp_path, journeys__a=journey("a"), journeys__b=journey("b", TWO))
    assert (finding.file, finding.line, finding.code) == ("journeys/b.yaml", 4, "same-contact")
    assert "`Loan Approved` with the same `properties.loanId` also starts `a`" in finding.message
    assert "(journeys/a.yaml:4), and both contact by voice" in finding.message


@pytest.mark.parametrize(
    ("one", "other", "calling"),
    [
        (journey("a"), journey("b").replace("voice", "email"), ""),
        (journey("a"), journey("b").replace("loanId", "quoteId"), ""),
        (journey("a"), journey("b").replace("Loan Approved", "Loan Refused"), ""),
        (journey("a"), journey("b"), "limits: [{max: 1, per: 1d, channels: [voice]}]\n"),
        (journey("a", where="has(properties.n) && properties.n >= 5"),
         journey("b", where="has(properties.n) && properties.n < 5"), ""),
        (journey("a", where='has(properties.k) && properties.k == "x"'),
         journey("b", where='has(properties.k) && properties.k in ["y", "z"]'), ""),
        (journey("a", more="audience: has(traits.vip)\n"),
         journey("b", more="audience: '!has(traits.vip)'\n"), ""),
    ],
)  # fmt: skip
def test_journeys_that_exclude_each_other_or_share_a_limit_are_not(
    tmp_path: Path, one: str, other: str, calling: str
) -> None:
    files = {"journeys__a": one, "journeys__b": other} | ({"calling": calling} if calling else {})
    assert found(tmp_path, **files) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("properties.n >= 5", "properties.n <= 5"),
        ('properties.k != "x"', 'properties.k in ["x", "z"]'),
        ("properties.n >= 5 || properties.m == 1", "properties.n < 5"),
    ],
)
def test_conditions_that_can_both_be_true_exclude_nothing(
    tmp_path: Path, one: str, other: str
) -> None:
    texts = {"journeys__a": journey("a", where=one.replace("'", '"')),
             "journeys__b": journey("b", where=other)}  # fmt: skip
    findings = [each for each in found(tmp_path, **texts) if each.code != "read-without-has"]
    assert codes(findings) == [(4, "same-contact")]


def test_of_many_that_start_alike_the_first_is_named_and_the_rest_are_counted(
    tmp_path: Path,
) -> None:
    texts = {f"journeys__{name}": journey(name) for name in "abc"}
    first, second = found(tmp_path, **texts)
    assert "also starts `a`" in first.message
    assert first.message.endswith("contact by voice")
    assert "also starts `a`" in second.message
    assert second.message.endswith("contact by voice (and so with 1 more)")


def test_any_event_of_a_type_is_also_the_named_one(tmp_path: Path) -> None:
    wide = journey("b").replace("{event: Loan Approved}", "{type: track}")
    for one, other in ((journey("a"), wide), (wide, journey("c"))):
        texts = {"journeys__a": one, "journeys__z": other.replace("[Loan Signed]", "[]")}
        texts["journeys__a"] = texts["journeys__a"].replace("[Loan Signed]", "[]")
        (finding,) = found(tmp_path, **texts)
        assert (finding.file, finding.code) == ("journeys/z.yaml", "same-contact")
        assert "`Loan Approved`" in finding.message


@pytest.mark.parametrize("status", ["retired", "shadow"])
def test_a_journey_that_contacts_nobody_gets_in_no_others_way(tmp_path: Path, status: str) -> None:
    other = journey("b", more=f"status: {status}\n")
    assert found(tmp_path, journeys__a=journey("a"), journeys__b=other) == []


def test_a_limit_for_one_state_does_not_keep_two_journeys_apart(tmp_path: Path) -> None:
    calling = "limits: [{max: 1, per: 1d, channels: [voice], regions: [US-FL]}]\n"
    texts = {"journeys__a": journey("a"), "journeys__b": journey("b")}
    assert codes(found(tmp_path, calling=calling, **texts)) == [(4, "same-contact")]


def test_an_event_name_in_two_spellings_is_told_where_it_is_rarer(tmp_path: Path) -> None:
    consent = "events:\n  - {event: loan signed, channels: [voice], subscribed: false}\n"
    more = 'audience: events["Loan approved"].count < 3\n'
    (first, second) = found(tmp_path, consent=consent, journeys__j=journey(more=more))
    assert (first.file, first.line, first.code) == ("journeys/j.yaml", 5, "name-spelling")
    assert "`Loan Signed` is written `loan signed` in consent.yaml:2" in first.message
    assert (second.line, second.code) == (8, "name-spelling")
    assert "write `Loan Approved`" in second.remedy


def test_both_spellings_side_by_side_are_meant(tmp_path: Path) -> None:
    text = journey().replace("[Loan Signed]", "[Loan Signed, loan_signed]")
    assert found(tmp_path, journeys__j=text) == []


def test_a_comment_silences_its_own_line_and_the_one_below(tmp_path: Path) -> None:
    wrong = journey(where="1 == 1")
    above = wrong.replace("start:", "# check: ignore[constant-condition] for now\nstart:")
    assert found(tmp_path, journeys__j=above) == []
    beside = wrong.replace("unless:", "unless:   ").replace(
        "'1 == 1'}", "'1 == 1'}  # check:ignore[ read-without-has , constant-condition ]"
    )
    assert found(tmp_path, journeys__j=beside) == []
    far = "# check: ignore[constant-condition]\n" + wrong
    assert codes(found(tmp_path, journeys__j=far)) == [(5, "constant-condition")]


def test_another_code_silences_nothing_and_one_that_is_none_is_told(tmp_path: Path) -> None:
    wrong = journey(where="1 == 1")
    other = wrong.replace("start:", "# check: ignore[never-open]\nstart:")
    assert codes(found(tmp_path, journeys__j=other)) == [(5, "constant-condition")]
    none = wrong.replace("start:", "# check: ignore[constant-conditions]\nstart:")
    findings = found(tmp_path, journeys__j=none)
    assert codes(findings) == [(4, "unknown-code"), (5, "constant-condition")]
    assert findings[0].remedy == "did you mean `constant-condition`?"


def test_an_error_cannot_be_silenced(tmp_path: Path) -> None:
    text = journey().replace("version: 1", "version: one  # check: ignore[wrong-type]")
    findings = found(tmp_path, journeys__j=text)
    assert ("error", "wrong-type") in {(each.severity, each.code) for each in findings}
