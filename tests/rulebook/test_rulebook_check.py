"""`check` finds everything that is wrong with a folder at once, each with file, line and remedy."""

from pathlib import Path

import pytest

from pipeline.rulebook.check import Finding, check, errors

GOOD = """\
journey: j
version: 1
key: properties.loanId
start: {event: A}
unless:
  - event: B
steps:
  - {after: 24h, channel: voice}
"""


def folder(at: Path, **files: str) -> Path:
    (at / "journeys").mkdir()
    for name, text in files.items():
        path = at / name.replace("__", "/").replace("_yaml", ".yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return at


def found(at: Path, text: str) -> list[Finding]:
    return errors(check(folder(at, journeys__j_yaml=text)))


def test_a_good_folder_has_no_findings(tmp_path: Path) -> None:
    assert check(folder(tmp_path, journeys__j_yaml=GOOD)) == []


@pytest.mark.parametrize(
    ("text", "line", "message", "remedy"),
    [
        ("journey: j\n", 1, "`version` is missing", "add `version`"),
        ("- x\n", 1, "not a journey", "write a journey"),
        (GOOD + "lokback: 1h\n", 9, "unknown key `lokback`", "did you mean `lookback`?"),
        (GOOD + "colour: red\n", 9, "unknown key `colour`", "known are journey"),
        (GOOD.replace("version: 1", "version: 0"), 2, "`version` is `0`", "whole number from 1"),
        (GOOD.replace("version: 1", 'version: "1"'), 2, "`version` is `1`", "whole number"),
        (GOOD.replace("version: 1", "version: true"), 2, "`version` is true", "whole number"),
        (GOOD.replace("version: 1", "version: 1.5"), 2, "`version` is `1.5`", "whole number"),
        (GOOD.replace("journey: j", "journey: 7"), 1, "`journey` is `7`", 'quotes: "7"'),
        (GOOD.replace("journey: j", 'journey: " "'), 1, "blank", "readable text"),
        (GOOD.replace("journey: j", 'journey: "a\\0b"'), 1, "control", "readable text"),
        (GOOD.replace("journey: j", "journey: " + "x" * 101), 1, "longer than 100", "shorten"),
        (GOOD.replace("journey: j", "journey:"), 1, "`journey` is nothing", "write a text"),
        (GOOD.replace("{event: A}", "{event: ' A'}"), 4, "blanks at an end", "remove"),
        (GOOD.replace("{event: A}", "{event: 7}"), 4, "`event` is `7`, not a text", '"7"'),
        (GOOD.replace("{event: A}", "{event: []}"), 4, "`event` is empty", "at least one"),
        (GOOD.replace("{event: A}", "{event: }"), 4, "`event` is nothing", "write a text"),
        (GOOD.replace("{event: A}", "[]"), 4, "`start` is empty", "at least one"),
        (GOOD.replace("{event: A}", ""), 4, "`start` is nothing", "write a text"),
        (GOOD.replace("{event: A}", "{where: 'true'}"), 4, "names no event", "`event: NAME`"),
        (GOOD.replace("{event: A}", "{type: click}"), 4, "`type` is `click`", "one of track"),
        (GOOD.replace("{event: A}", "{type: page, event: A}"), 4, "beside another", "`name`"),
        (GOOD.replace("{event: A}", "{name: A}"), 4, "a track call has no `name`", "`event`"),
        (GOOD.replace("{event: A}", "{event: A, wher: x}"), 4, "key `wher`", "`where`?"),
        (GOOD.replace("{event: A}", "{event: {type: page, name: P, where: x}}"), 4, "`where`", ""),
        (GOOD.replace("{event: A}", "{event: A, where: }"), 4, "`where` is empty", "remove"),
        (GOOD.replace("{event: A}", "{event: A, where: true}"), 4, "`where` is true", '"true"'),
        (GOOD.replace("{event: A}", "{event: A, where: properties.x = 1}"), 4,
         "`where` `properties.x = 1`: `=` is no comparison: write `==`, at character 14", "mend"),
        (GOOD.replace("{event: A}", "{event: A, where: traits.x == 1}"), 4,
         "`traits` is not known here", "mend"),
        (GOOD.replace("{event: A}", "{event: A, where: start.event == 'x'}"), 4,
         "`start` is not known here", "mend"),
        (GOOD.replace("- event: B", "- event: B\n    where: events['x'].count == 1"), 7,
         "`events` is not known here", "mend"),
        (GOOD + "audience: properties.x == 1\n", 9, "`properties` is not known here", "mend"),
        (GOOD + "audience: |\n  traits.a == 1 &&\n  traits.b @ 2\n", 10, "not expected", "mend"),
        (GOOD.replace("- event: B", "- event: A"), 5, "`A` is both `start` and `unless`",
         "repeat: restart"),
        (GOOD.replace("- event: B", "- {type: track}"), 5, "`A` is both", "repeat: restart"),
        (GOOD.replace("- event: B", "- {event: [C, A], where: 'true'}"), 5, "`A` is both", ""),
        (GOOD.replace("key: properties.loanId", "match: key"), 3, "needs a `key`", "add `key"),
        (GOOD + "match: kee\n", 9, "`match` is `kee`", "did you mean `key`?"),
        (GOOD + "repeat: always\n", 9, "`repeat` is `always`", "keep_first, restart"),
        (GOOD + "once: 1\n", 9, "`once` is `1`", "true or false"),
        (GOOD + "once: yes\n", 9, "`yes` is a boolean to some", "true or false"),
        (GOOD + "lookback: 1 day\n", 9, "`lookback` is `1 day`", "as in 90s or 24h"),
        (GOOD + "lookback: 5\n", 9, "`lookback` is `5`", "as in 90s or 24h"),
        (GOOD + "lateness: 9999d\n", 9, "`lateness` is `9999d`", "at most 3650d"),
        (GOOD + "lateness:\n", 9, "`lateness` is empty", "remove"),
        (GOOD + "lateness: 24h\n", 8, "`expires` is 1d, not above `lateness` of 1d", "raise"),
        (GOOD.replace("properties.loanId", "loanId"), 3, "`key` is `loanId`", "properties.NAME"),
        (GOOD.replace("properties.loanId", "traits.x"), 3, "`key` is `traits.x`", "properties."),
        (GOOD.replace("properties.loanId", "properties."), 3, "`key` is", "properties.NAME"),
        (GOOD.replace("properties.loanId", "properties.a..b"), 3, "`key` is", "properties.NAME"),
        (GOOD + "holdout: 10\n", 9, "`holdout` is `10`, not a map", "write a map"),
        (GOOD + "holdout: {salt: x}\n", 9, "`percent` is missing", "add `percent`"),
        (GOOD + "holdout: {percent: 101}\n", 9, "`percent` is `101`", "from 0 to 100"),
        (GOOD + "holdout: {percent: -1}\n", 9, "`percent` is `-1`", "from 0 to 100"),
        (GOOD.replace("channel: voice", "channel: Voice"), 8, "is `Voice`", "mean `voice`?"),
        (GOOD.replace("channel: voice", "channel: fax"), 8, "is `fax`", "voice, sms, email"),
        (GOOD.replace("channel: voice", ""), 8, "`channel` is missing", "add `channel`"),
        (GOOD.replace("after: 24h", "after: -1h"), 8, "`after` is `-1h`", "as in 90s"),
        (GOOD + "  - {after: 24h, channel: sms}\n", 9, "not later than", "order the steps"),
        (GOOD + "  - {after: 1h, channel: sms}\n", 9, "not later than", "order the steps"),
        (GOOD + "  - x\n", 9, "not a step", "write a step"),
        (GOOD.replace("channel: voice", "channel: voice, include: [loanId]"), 8, "is `loanId`",
         "properties.NAME or traits.NAME"),
        (GOOD.replace("channel: voice", "channel: voice, include: x"), 8, "not a list", ""),
        ("journey: j\nversion: 1\nstart: A\nsteps: []\n", 4, "`steps` is empty", "at least one"),
        ("journey: j\nversion: 1\nstart: A\nsteps: 5\n", 4, "`steps` is `5`, not a list", ""),
    ],
)  # fmt: skip
def test_a_journey_that_cannot_be_meant_is_refused(
    tmp_path: Path, text: str, line: int, message: str, remedy: str
) -> None:
    for finding in found(tmp_path, text):
        if message in finding.message and remedy in finding.remedy and finding.line == line:
            assert finding.file == "journeys/j.yaml"
            return
    pytest.fail(str(check(tmp_path)))


def test_everything_is_found_at_once_in_the_order_of_files_and_lines(tmp_path: Path) -> None:
    at = folder(
        tmp_path,
        consent_yaml="events:\n  - {event: E, channels: [voice, fax], subscribed: yes}\n",
        identity_yaml="refuse: [x, 7]\nalias: join\n",
        calling_yaml="hours: 9-17\n",
        journeys__a_yaml="journey: j\nversion: 0\nstart: A\nsteps: [{after: 1, channel: fax}]\n",
        journeys__b_yaml="journey: [1",
        journeys__c_yaml=GOOD,
        tests__t_yaml="cases:\n  - {name: n, until: 2026-01-01, expect: [{trigger: k}]}\n",
    )
    findings = errors(check(at))
    assert [(finding.file, finding.line) for finding in findings] == [
        ("calling.yaml", 1),
        ("consent.yaml", 2), ("consent.yaml", 2), ("consent.yaml", 2),
        ("identity.yaml", 1), ("identity.yaml", 2),
        ("journeys/a.yaml", 2), ("journeys/a.yaml", 4), ("journeys/a.yaml", 4),
        ("journeys/b.yaml", 1),
        ("journeys/c.yaml", 1),
        ("tests/t.yaml", 2),
    ]  # fmt: skip
    said = " ".join(finding.message for finding in findings)
    assert "not a map of channels" in said
    assert "a journey `j` stands in journeys/a.yaml already" in said
    assert "there is no journey `k`" in said
    assert all(finding.remedy for finding in findings)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("journey__x_yaml", "did you mean journeys?"),
        ("consents_yaml", "did you mean consent.yaml?"),
        ("other_yaml", "known are"),
        ("journeys__deeper__x_yaml", "directly in journeys/"),
        ("journeys__x.yml", "name it x.yaml"),
    ],
)
def test_a_file_that_would_not_be_read_is_a_finding(tmp_path: Path, name: str, remedy: str) -> None:
    path = tmp_path / name.replace("__", "/").replace("_yaml", ".yaml")
    (tmp_path / "journeys").mkdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GOOD)
    (finding,) = check(tmp_path)
    assert "is not read" in finding.message
    assert remedy in finding.remedy


def test_other_files_in_the_folder_are_nobodys_business(tmp_path: Path) -> None:
    at = folder(tmp_path, journeys__j_yaml=GOOD)
    (at / "README.md").write_text("#")
    (at / ".git").mkdir()
    (at / "journeys" / ".j.yaml.swp").write_text("x")
    assert check(at) == []


def test_a_folder_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    assert "there is no folder" in check(tmp_path / "x")[0].message
    assert "`journeys`" in check(tmp_path)[0].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (("events:\n  - {event: E, channels: [voice], subscribed: true}\n"
          "  - {event: E, channels: [sms, voice], subscribed: false}"),
         "`E` stands twice for voice"),
        ("events: [{event: E, channels: [], subscribed: true}]", "`channels` is empty"),
        ("events: [{event: E, subscribed: true}]", "`channels` is missing"),
        ("events: [{event: E, channels: voice, subscribed: 'true'}]", "`subscribed` is `true`"),
        ("events: [{evnt: E, channels: voice, subscribed: true}]", "unknown key `evnt`"),
        ("event: []", "unknown key `event`"),
        ("[]", "not a map"),
    ],
)  # fmt: skip
def test_a_consent_rule_that_cannot_be_meant_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    findings = errors(check(folder(tmp_path, consent_yaml=text)))
    assert any(message in finding.message for finding in findings), findings


def test_fields_read_without_has_are_warned_of(tmp_path: Path) -> None:
    text = GOOD.replace("{event: A}", "{event: A, where: properties.amount > 1}").replace(
        "- event: B", "- {event: B, where: has(properties.x) && properties.x == 1}"
    )
    at = folder(tmp_path, journeys__j_yaml=text + 'audience: traits["a b"] != 1\n')
    assert [(f.line, f.severity, f.message, f.remedy) for f in check(at)] == [
        (4, "warning",
         "properties.amount is read without has(); where it is missing, nothing starts",
         "add has(properties.amount) if that is not meant"),
        (9, "warning",
         'traits["a b"] is read without has(); where it is missing, nobody is contacted',
         'add "a b" in traits if that is not meant'),
    ]  # fmt: skip
