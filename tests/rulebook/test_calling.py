"""calling.yaml: everything that is wrong is found at once, and what is right has one form."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.rulebook.calling import read_calling
from pipeline.rulebook.calling_check import never_open, unknown_holidays
from pipeline.rulebook.calling_compile import compile_calling, compile_step_window
from pipeline.rulebook.calling_data import known_sets, read_set
from pipeline.rulebook.calling_hours import DAYS, read_window
from pipeline.rulebook.findings import Finding
from pipeline.rulebook.load import read_file
from pipeline.rulebook.shape import Node
from tests.schemas.schema_documents import ROOT, faults, read_yaml, schema

SCHEMA = "rulebook/calling.schema.json"
SAMPLE = ROOT / "deploy" / "calling-example" / "calling.yaml"
LAW = {"name": "us-telemarketing", "date": "2025-11-01"}


def read(content: Any) -> tuple[dict[str, Any], list[Finding]]:
    findings: list[Finding] = []
    return read_calling(Node(copy.deepcopy(content), "calling.yaml", findings)), findings


def week(**days: list[str]) -> dict[str, list[str]]:
    return {day: days.get(day, []) for day in DAYS}


def test_the_sample_is_in_order() -> None:
    findings: list[Finding] = []
    root = read_file(SAMPLE, "calling.yaml", findings)
    assert root is not None
    made = read_calling(root)
    assert findings == []
    assert faults(SCHEMA, read_yaml(SAMPLE)) == []
    assert list(never_open(compile_calling(made), "voice")) == []


def test_the_canonical_form_gives_itself_and_stands_alone() -> None:
    made, _ = read(read_yaml(SAMPLE))
    again, findings = read(json.loads(json.dumps(made)))
    assert findings == []
    assert again == made
    assert faults(SCHEMA, made) == []
    rules = made["data"][0]["rules"]
    assert any(rule["regions"] == ["US-FL"] and rule["source"] for rule in rules)


def test_nothing_is_no_rule_at_all() -> None:
    made, findings = read({})
    assert findings == []
    assert made == {
        "hours": {},
        "places": {},
        "holidays": {},
        "data": [],
        "unknown": {"zone": "never", "region": "strictest"},
        "limits": [],
    }
    assert compile_calling(made) == compile_calling(None)


def test_defaults_are_those_of_the_schema() -> None:
    made, _ = read({"limits": [{"max": 1, "per": "1h"}]})
    content = schema(SCHEMA)
    for name, part in content["properties"].items():
        if name != "limits":
            assert made[name] == part["default"], name
    for name, part in content["$defs"]["limits"]["items"]["properties"].items():
        default = part.get("default", content["$defs"].get(part.get("$ref", "")[8:], {}))
        default = default.get("default") if isinstance(default, dict) else default
        if default is not None:
            assert made["limits"][0][name] == default, name


@pytest.mark.parametrize(
    ("hours", "made"),
    [
        ("09:00-20:00", {day: ["09:00-20:00"] for day in DAYS}),
        (["13:00-17:00", "09:00-12:00"], {day: ["09:00-12:00", "13:00-17:00"] for day in DAYS}),
        ({"days": "mon"}, week(mon=["00:00-24:00"])),
        ({"hours": "22:00-02:00", "days": ["fri-fri"]}, week(fri=["22:00-02:00"])),
        ({"days": ["sun..mon"]}, week(sun=["00:00-24:00"], mon=["00:00-24:00"])),
        (
            {"hours": {"mon..tue": "09:00-12:00", "sun": ["10:00-11:00"], "sat": []}},
            week(mon=["09:00-12:00"], tue=["09:00-12:00"], sun=["10:00-11:00"]),
        ),
    ],
)  # fmt: skip
def test_forms_of_hours(hours: Any, made: dict[str, list[str]]) -> None:
    content = {"hours": {"voice": hours}}
    assert faults(SCHEMA, content) == []
    found, findings = read(content)
    assert findings == []
    assert found["hours"]["voice"] == {"hours": made, "holidays": []}


def voice(**content: Any) -> dict[str, Any]:
    return {"hours": {"voice": content}}


BROKEN: list[tuple[Any, str, str]] = [
    ({"hour": {}}, "unknown key `hour`", "did you mean `hours`?"),
    ({"hours": {"fax": "09:00-10:00"}}, "unknown key `fax`", "known are voice"),
    ({"hours": "09:00-20:00"}, "not a map of channels", "write a map"),
    ({"hours": {"voice": "9-20"}}, "not a span of hours", "09:00-20:00"),
    ({"hours": {"voice": "09:00-25:00"}}, "not a span of hours", "24:00"),
    ({"hours": {"voice": "24:00-09:00"}}, "not a span of hours", "24:00"),
    ({"hours": {"voice": "09:00-24:30"}}, "not a span of hours", "24:00"),
    ({"hours": {"voice": 9}}, "not a span of hours", "09:00-20:00"),
    ({"hours": {"voice": []}}, "is empty", "at least one"),
    ({"hours": {"voice": {}}}, "says nothing", "write `hours"),
    (voice(days=["mon..fry"]), "not a day", "mon..fri"),
    (voice(days=[]), "`days` is empty", "at least one"),
    (voice(hours={"funday": "09:00-10:00"}), "`funday` is no day", "mon..fri"),
    (voice(holidays=7), "not a text", "in quotes"),
    ({"places": {"USA": {}}}, "not a country", "ISO 3166"),
    ({"holidays": {"h": ["13-01"]}}, "not a holiday", "12-25"),
    ({"holidays": {"h": []}}, "`h` is empty", "at least one"),
    ({"data": [{"name": "us-telemarketing"}]}, "`date` is missing", "add `date`"),
    ({"data": [{**LAW, "date": "soon"}]}, "not a date", "2025-11-01"),
    ({"data": [{**LAW, "rules": [{"regions": ["US"]}]}]}, "says nothing", "write `hours"),
    ({"unknown": {"zone": "always"}}, "`zone` is `always`", "never"),
    ({"unknown": {"zone": {}}}, "not one policy", "strictest"),
    ({"unknown": {"zone": {"assume": "UTC"}}}, "no time zone of a place", "IANA"),
    ({"unknown": {"zone": {"strictest": []}}}, "is empty", "at least one"),
    ({"unknown": {"region": "any"}}, "`region` is `any`", "strictest, ignore"),
    ({"limits": [{"max": 3}]}, "`per` is missing", "add `per`"),
    ({"limits": [{"per": "24h"}]}, "`max` is missing", "add `max`"),
    ({"limits": [{"max": 0, "per": "24h"}]}, "`max` is `0`", "whole number"),
    ({"limits": [{"max": 3, "per": "0s"}]}, "no time at all", "24h"),
    ({"limits": [{"max": 3, "per": "24h", "scope": "phone"}]}, "`scope` is", "address, person"),
    ({"limits": [{"max": 3, "per": "24h", "channels": []}]}, "is empty", "at least one"),
]
# what a schema can't see
WRONG: list[tuple[Any, str, str]] = [
    ({"hours": {"voice": "09:00-09:00"}}, "is empty", "00:00-24:00"),
    (voice(hours={"mon": []}), "never opens", "at least one day"),
    (voice(hours={"mon": "09:00-10:00", "mon..tue": "09:00-11:00"}), "mon stands twice", "once"),
    (voice(hours={"mon": "09:00-10:00"}, days=["mon"]), "`days` stands beside", "remove"),
    (voice(holidays=["us-fedral"]) | {"data": [LAW]}, "no holidays `us-fedral`", "`us-federal`"),
    (voice(holidays=["mine"]), "no holidays `mine`", "add them under"),
    ({"places": {"ZZ": {}}}, "no region `ZZ`", "ISO 3166"),
    ({"places": {"US-ZZ": {}}}, "no region `US-ZZ`", "ISO 3166"),
    ({"holidays": {"h": ["02-30"]}}, "not a holiday", "12-25"),
    ({"holidays": {"h": ["2026-02-29"]}}, "not a holiday", "12-25"),
    ({"holidays": {"us-al": ["12-24"]}, "data": [LAW]}, "in two places", "another name"),
    ({"data": [{**LAW, "date": "2025-11-02"}]}, "no data set", "us-telemarketing 2025-11-01"),
    ({"data": [LAW, {**LAW, "date": "2026-01-01", "rules": []}]}, "stands twice", "one date"),
    ({"data": [{**LAW, "without": ["US-NY"]}]}, "no rule for US-NY", "remove"),
    ({"unknown": {"zone": {"assume": "America/NewYork"}}}, "no time zone", "America/New_York"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "message", "remedy"), BROKEN + WRONG)
def test_what_is_wrong_is_found(content: Any, message: str, remedy: str) -> None:
    _, findings = read(content)
    assert any(message in each.message and remedy in each.remedy for each in findings), findings


@pytest.mark.parametrize("content", [each[0] for each in BROKEN], ids=json.dumps)
def test_the_schema_refuses_it_too(content: Any) -> None:
    assert faults(SCHEMA, content)


def test_findings_have_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "calling.yaml"
    path.write_text("hours:\n  voice: 9-20\n  sms:\n    days: [mun]\nlimits:\n  - max: 3\n")
    findings: list[Finding] = []
    root = read_file(path, "calling.yaml", findings)
    assert root is not None
    read_calling(root)
    assert sorted(each.line for each in findings) == [2, 4, 6]


def test_one_mistake_is_one_finding() -> None:
    for content in (voice(hours="9-20"), voice(days=["mun"]), {"places": {"ZZ": {"sms": "x"}}}):
        _, findings = read(content)
        assert len(findings) == (2 if "places" in content else 1), findings


def test_a_rule_that_is_taken_out() -> None:
    made, findings = read({"data": [{**LAW, "without": ["US-UT", "US-MD", "US-FL"]}]})
    assert findings == []
    regions = [region for rule in made["data"][0]["rules"] for region in rule["regions"]]
    assert "US-MA" in regions
    assert not {"US-UT", "US-MD", "US-FL"} & set(regions)
    assert [limit["regions"] for limit in made["data"][0]["limits"]] == [["US-OK"]]


def test_data_sets_are_in_order_and_name_their_sources() -> None:
    assert known_sets() == ["us-holidays 2021-06-17", "us-telemarketing 2025-11-01"]
    for known in known_sets():
        name, date = known.split()
        content = read_set(name, date)
        assert content is not None
        _, findings = read({"data": [{"name": name, "date": date}]})
        assert findings == []
        assert faults(SCHEMA, {"data": [{"name": name, "date": date, **content}]}) == []
        for rule in content.get("rules", []) + content.get("limits", []):
            assert rule["source"]
            assert rule["regions"]


def test_both_data_sets_have_the_same_federal_holidays() -> None:
    _, findings = read({"data": [LAW, {"name": "us-holidays", "date": "2021-06-17"}]})
    assert findings == []


def test_names_of_rules_say_what_they_are() -> None:
    made, _ = read(
        {
            "hours": {"voice": {"hours": {"mon..fri": "09:00-20:00", "sun": "12:00-13:00"}}},
            "places": {"GB": {"sms": {"holidays": ["h"]}}},
            "holidays": {"h": ["12-25"]},
            "data": [LAW],
        }
    )
    calling = compile_calling(made)
    assert [each.window.name for each in calling.own] == [
        "voice hours 09:00-20:00 mon..fri, 12:00-13:00 sun",
        "sms in GB hours 00:00-24:00, closed on h",
    ]
    assert "US-FL hours 08:00-20:00" in [rule.window.name for rule in calling.rules]


def test_a_window_of_a_step() -> None:
    findings: list[Finding] = []
    hours = read_window(Node({"hours": "10:00-18:00", "holidays": ["h", "x"]}, "j", findings))
    assert findings == []
    assert hours is not None
    made, _ = read({"holidays": {"h": ["12-25"]}})
    assert unknown_holidays(hours, made) == ["x"]
    assert unknown_holidays(hours, None) == ["h", "x"]
    window = compile_step_window(hours | {"holidays": ["h"]}, made)
    assert window is not None
    assert window.name == "step window 10:00-18:00, closed on h"
    assert compile_step_window(None, made) is None


def test_windows_that_never_open_are_named_with_their_region() -> None:
    law = {"regions": "GB", "hours": "08:00-20:00"}
    made, _ = read(
        {
            "hours": {"voice": "09:00-20:00"},
            "places": {"GB": {"voice": "20:00-21:00"}},
            "data": [{"name": "d", "date": "2026-01-01", "rules": [law]}],
        }
    )
    calling = compile_calling(made)
    assert [region for region, _ in never_open(calling, "voice")] == ["GB"]
    step, _ = read({"hours": {"voice": "21:00-22:00"}})
    late = compile_calling(step).own[0].window
    assert {region for region, _ in never_open(calling, "voice", late)} == {"", "GB"}
