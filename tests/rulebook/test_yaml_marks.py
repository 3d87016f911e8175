"""YAML is read as the plain values that its writer saw, with their lines, or refused."""

import json
from typing import Any

import pytest

from pipeline.rulebook.durations import format_duration, parse_duration
from pipeline.rulebook.yaml_marks import read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 2026-03-03T15:00:00Z", {"a": "2026-03-03T15:00:00Z"}),
        ("a: 2026-03-03", {"a": "2026-03-03"}),
        ("a: [1, -2, 0, 1.5, .5, true, False, null, ~, NULL]",
         {"a": [1, -2, 0, 1.5, 0.5, True, False, None, None, None]}),
        ("a:", {"a": None}),
        ('a: "no"\nb: \'123\'\nc: !!str 7', {"a": "no", "b": "123", "c": "7"}),
        ("a: 24h\nb: 1d", {"a": "24h", "b": "1d"}),
        ("1: x\ntrue: y\nnull: z", {"1": "x", "true": "y", "null": "z"}),
        ("a: 123456789012345678901234567890", {"a": 123456789012345678901234567890}),
        ("a: tRUE", {"a": "tRUE"}),
        ("a: {b: 'x', c: \"\\u00e9\"}", {"a": {"b": "x", "c": "é"}}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("a: L1-2_3", {"a": "L1-2_3"}),
    ],
)  # fmt: skip
def test_plain_values_are_what_they_look_like(text: str, value: Any) -> None:
    read, findings = read_yaml(text.encode(), "f.yaml")
    assert findings == []
    assert read == value
    assert json.dumps(read) == json.dumps(value)


@pytest.mark.parametrize(
    ("text", "line", "message", "remedy"),
    [
        ("a: 1\nb: no", 2, "`no` is a boolean to some", 'write "no" for the text'),
        ("a: On", 1, "`On` is a boolean to some", "true or false"),
        ("a: 02139", 1, "another number", 'write "02139"'),
        ("a: +12125550100", 1, "another number", 'write "+12125550100"'),
        ("a: 1_000", 1, "another number", "plain number"),
        ("a: 0x1F", 1, "another number", "plain number"),
        ("a: 15:30", 1, "another number", 'write "15:30"'),
        ("a: 12e5", 1, "another number", 'write "12e5"'),
        ("a: .inf", 1, "another number", "plain number"),
        ("a: 1.5e+999", 1, "too large", "quotes"),
        ("a: " + "9" * 5000, 1, "another number", "999..."),
        ("a: !has(properties.x)", 1, "`!has(properties.x)` is read as a tag", "quotes"),
        ("a: !!python/object:os.system x", 1, "tag", "quotes"),
        ("a: 1\nb: 2\na: 3", 3, "`a` stands twice, first in line 1", "remove one"),
        ("a: {b: 1, b: 2}", 1, "`b` stands twice", "remove one"),
        ("x: &x {a: 1}\ny:\n  <<: *x", 3, "merge keys", "write the keys out"),
        ("? [a]\n: b", 1, "a key is a list", "text as the key"),
        ("", 1, "empty", "remove it"),
        ("# nothing", 1, "empty", "remove it"),
        ("a: 1\n---\nb: 2", 2, "another document", "one document"),
        ("a:\n\tb: 1", 2, "not YAML", ""),
        ("a: 1\n  b: 2", 2, "not YAML", "quotes"),
        ("a: [1", 1, "not YAML", ""),
        ('a: "x" in properties.y', 1, "not YAML", "quotes"),
        ("a: *unknown", 1, "not YAML", "`*`"),
        ("a: x\x00y", 1, "not YAML", ""),
        ("a: &a [*a]", 1, "nested too deeply", "less"),
        ("[" * 100 + "]" * 100, 1, "nested too deeply", "less"),
        ("[" * 50_000, 1, "", ""),
    ],
)
def test_what_readers_of_yaml_see_differently_is_refused(
    text: str, line: int, message: str, remedy: str
) -> None:
    _, findings = read_yaml(text.encode(), "f.yaml")
    assert findings
    assert findings[0].file == "f.yaml"
    assert findings[0].line == line
    assert message in findings[0].message
    assert remedy in findings[0].remedy


def test_bytes_that_are_no_text_are_refused() -> None:
    assert read_yaml(b"a: \xff\xfe", "f.yaml")[1][0].message == "this is not UTF-8 text"


def test_aliases_of_aliases_do_not_explode() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    _, findings = read_yaml(text.encode(), "f.yaml")
    assert "too large" in findings[0].message


def test_lines_of_keys_and_elements_are_kept() -> None:
    read, _ = read_yaml(b"# first\na: 1\nb:\n  - x\n  -\n    c: 2\n", "f.yaml")
    assert read.lines == {"a": 2, "b": 3}
    assert read["b"].lines == [4, 6]
    assert read["b"][1].lines == {"c": 6}


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0s", 0), ("90s", 90_000), ("15m", 900_000), ("24h", 86_400_000), ("7d", 604_800_000),
        ("3650d", 315_360_000_000), ("3651d", None), ("", None), ("1", None), ("1.5h", None),
        ("-1s", None), ("1 h", None), ("1w", None), ("1H", None), ("h", None), ("1h30m", None),
        ("99999999999d", None), ("٣s", None), (5, None), (None, None), (True, None),
    ],
)  # fmt: skip
def test_a_duration_is_a_whole_number_and_a_unit(text: object, length: int | None) -> None:
    assert parse_duration(text) == length
    if length is not None:
        assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    ("length", "text"), [(0, "0s"), (86_400_000, "1d"), (5_400_000, "90m"), (61_000, "61s")]
)
def test_a_duration_is_written_in_the_largest_unit_that_fits(length: int, text: str) -> None:
    assert format_duration(length) == text
