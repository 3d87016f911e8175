"""What is written of a case is read as it was, whatever texts and numbers it holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rulebook.case_writer import quoted, write_cases
from pipeline.rulebook.yaml_marks import read_yaml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ODD = st.sampled_from(
    "yes No NULL ~ 0123 +1 1e5 .inf <<  2026-03-03 - ? : # & * ! | > % @ ` ' \" \\ [ ] { } ,".split(
        " "
    )
)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS | ODD
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | ODD, inner, max_size=4),
    max_leaves=20,
)


def read(text: str) -> Any:
    value, findings = read_yaml(text.encode(), "t.yaml")
    assert findings == []
    return value


@given(VALUES)
def test_any_json_value_is_read_as_it_was(value: object) -> None:
    case = {"name": "n", "events": [{"raw": value}], "expect": []}
    assert read(write_cases([case])) == {"cases": [case]}


@given(TEXTS)
def test_a_quoted_text_is_one_printable_line(text: str) -> None:
    assert quoted(text).isprintable()
    assert read(f"a: {quoted(text)}") == {"a": text}


def test_times_and_words_are_plain_so_that_people_can_read_them() -> None:
    case = {"name": "n", "events": [{"at": "2026-03-03T15:00:00.000Z", "track": "Signed"}]}
    assert "- {at: 2026-03-03T15:00:00.000Z, track: Signed}\n" in write_cases([case])


@pytest.mark.parametrize("comment", [["a", ""], []])
def test_comments_stand_above_and_change_nothing(comment: list[str]) -> None:
    text = write_cases([{"name": "n"}], comment)
    assert read(text) == {"cases": [{"name": "n"}]}
    assert text.startswith("# a\n#\n") == bool(comment)
