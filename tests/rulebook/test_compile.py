"""A document compiles to the rulebook that its files mean, and is the same for the same meaning."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.rules import Holdout, Journey, Pattern, Step
from pipeline.domain.times import DAY, HOUR
from pipeline.rulebook.changes import compare, needs_version_bump
from pipeline.rulebook.compile import canonical_document, compile_rulebook
from pipeline.rulebook.conditions import START_NAMES, compile_condition
from pipeline.rulebook.load import RulebookError, document_digest, load_document, read

STEPS = [{"after": "24h", "channel": "voice"}]


def journey(**more: Any) -> dict[str, Any]:
    return {"journey": "j", "version": 1, "start": "A", "steps": STEPS, **more}


def compiled(**more: Any) -> Journey:
    return compile_rulebook({"journeys": [journey(**more)]}).journeys[0]


def test_what_is_left_out_has_the_defaults_of_the_contract() -> None:
    assert compiled() == Journey(
        name="j",
        version=1,
        start=(Pattern("track", "A"),),
        steps=(Step(number=1, after=DAY, channel="voice", expires=DAY, cooldown=0, include=()),),
        unless=(),
        key=(),
        match="person",
        lookback=0,
        lateness=0,
        repeat="keep_first",
        once=False,
        audience=None,
        holdout=None,
        description="",
    )


def test_what_is_written_is_what_counts() -> None:
    made = compiled(
        description="d",
        key="properties.loan.id",
        match="key",
        lookback="1h",
        lateness="2h",
        repeat="restart",
        once=True,
        audience='traits.state != "TX"',
        holdout={"percent": 12.5, "salt": "s"},
        steps=[
            {"after": "0s", "channel": "sms", "expires": "72h", "cooldown": "7d"},
            {"after": "1d", "channel": "email", "include": ["properties.a", "traits.b.c"]},
        ],
    )
    assert made.key == ("properties", "loan", "id")
    assert (made.match, made.repeat, made.once) == ("key", "restart", True)
    assert (made.lookback, made.lateness) == (HOUR, 2 * HOUR)
    assert made.holdout == Holdout(12.5, "s")
    assert made.audience is not None
    assert made.audience({"traits": {"state": "NY"}}) is True
    assert made.steps == (
        Step(1, 0, "sms", 3 * DAY, 7 * DAY),
        Step(2, DAY, "email", DAY, 0, ("properties.a", "traits.b.c")),
    )


WHERE = compile_condition("properties.x == 1", START_NAMES)
CONDITION = {"where": "properties.x == 1"}


@pytest.mark.parametrize(
    ("start", "patterns"),
    [
        ("A", [Pattern("track", "A")]),
        (["A", "B"], [Pattern("track", "A"), Pattern("track", "B")]),
        ({"event": "A"}, [Pattern("track", "A")]),
        ({"event": ["A", "B"]}, [Pattern("track", "A"), Pattern("track", "B")]),
        ({"type": "track", "event": "A"}, [Pattern("track", "A")]),
        ({"type": "track"}, [Pattern("track", None)]),
        ({"type": "page", "name": "P"}, [Pattern("page", "P")]),
        ({"type": "screen", "name": ["P", "Q"]}, [Pattern("screen", "P"), Pattern("screen", "Q")]),
        ({"type": "page"}, [Pattern("page", None)]),
        ({"type": "identify"}, [Pattern("identify", None)]),
        ({"event": {"type": "page", "name": "P"}}, [Pattern("page", "P")]),
        ({"event": "A", **CONDITION}, [Pattern("track", "A", WHERE)]),
        ({"event": ["A", {"type": "page", "name": "P"}], **CONDITION},
         [Pattern("track", "A", WHERE), Pattern("page", "P", WHERE)]),
        (["A", {"event": "B", **CONDITION}, {"type": "page", "name": "P"}],
         [Pattern("track", "A"), Pattern("track", "B", WHERE), Pattern("page", "P")]),
    ],
)  # fmt: skip
def test_every_way_to_name_events_is_read(start: Any, patterns: list[Pattern]) -> None:
    assert compiled(start=start).start == tuple(patterns)
    cancels = compiled(start={"type": "group"}, unless=start).unless
    assert [str(pattern) for pattern in cancels] == [str(pattern) for pattern in patterns]


def test_policies_are_compiled() -> None:
    made = compile_rulebook(
        {
            "consent": {
                "events": [{"event": "E", "channels": ["sms", "voice"], "subscribed": True}]
            },
            "identity": {"refuse": ["Test-User ".strip(), "X"], "alias": "ignore"},
        }
    )
    assert [(rule.event, rule.channels, rule.subscribed) for rule in made.consent] == [
        ("E", ("voice", "sms"), True)
    ]
    assert made.refused == {"test-user", "x"}
    assert made.merge_known is False
    assert compile_rulebook({}).merge_known is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"start": "A"}, {"start": [{"type": "track", "event": "A"}]}),
        ({"steps": STEPS}, {"steps": [{"after": "1d", "channel": "voice", "expires": "1440m"}]}),
        ({}, {"match": "person", "lookback": "0h", "once": False, "description": "", "unless": []}),
    ],
)
def test_the_same_meaning_has_the_same_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    digests = {
        compile_rulebook({"journeys": [journey(**each)]}).digest
        for each in (one, dict(reversed(other.items())))
    }
    assert len(digests) == 1


def test_another_meaning_has_another_digest() -> None:
    books: list[dict[str, Any]] = [
        {},
        {"once": True},
        {"start": "B"},
        {"version": 2},
        {"unless": ["C"]},
    ]
    assert len({compile_rulebook({"journeys": [journey(**m)]}).digest for m in books}) == len(books)


def test_a_canonical_document_is_its_own_canonical_form_also_through_json() -> None:
    made = canonical_document(
        {"journeys": [journey(key="properties.a", audience="1 == 1", holdout={"percent": 5})]}
    )
    assert canonical_document(json.loads(json.dumps(made))) == made
    assert compile_rulebook(made).digest == document_digest(made)


@pytest.mark.parametrize(
    "document",
    [
        {"journeys": [journey(version=0)]},
        {"journeys": [journey(), journey()]},
        {"journeys": [{}]},
        {"journeys": "x"},
        {"journeys": [journey(where="x")]},
        {"format": 2},
        {"colour": 1},
    ],
)
def test_a_document_that_check_would_refuse_does_not_compile(document: dict[str, Any]) -> None:
    with pytest.raises(RulebookError) as caught:
        compile_rulebook(document)
    assert caught.value.findings


def write(at: Path, name: str, text: str) -> None:
    (at / "journeys").mkdir(exist_ok=True)
    (at / "journeys" / name).write_text(text)


def test_file_names_comments_and_order_make_no_difference(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    first = "journey: a\nversion: 1\nstart: A\nsteps: [{after: 1h, channel: sms}]\n"
    second = first.replace("journey: a", "journey: b")
    for folder, names in ((one, ("1.yaml", "2.yaml")), (other, ("z.yaml", "y.yaml"))):
        folder.mkdir()
        write(folder, names[0], first)
        write(folder, names[1], second)
    write(other, "z.yaml", f"# a comment\n{first}")
    assert load_document(one) == load_document(other)
    assert [made["journey"] for made in load_document(one)["journeys"]] == ["a", "b"]


def test_a_folder_with_errors_has_no_document(tmp_path: Path) -> None:
    write(tmp_path, "j.yaml", "journey: a\n")
    with pytest.raises(RulebookError, match=r"journeys/j.yaml:1: .* \(and 2 more\)"):
        load_document(tmp_path)
    assert len(read(tmp_path).findings) == 3


def test_a_changed_journey_needs_a_higher_version() -> None:
    def document(*journeys: dict[str, Any], **more: Any) -> dict[str, Any]:
        return canonical_document({"journeys": list(journeys), **more})

    old = document(journey(), journey(journey="k"), journey(journey="gone"))
    new = document(
        journey(once=True, lookback="1h"),
        journey(journey="k", version=2, once=True),
        journey(journey="new"),
        identity={"alias": "ignore"},
    )
    changes = compare(old, new)
    assert (changes.added, changes.removed) == (("new",), ("gone",))
    assert changes.changed == {
        "j": (("lookback", "0s", "1h"), ("once", "false", "true")),
        "k": (("once", "false", "true"), ("version", "1", "2")),
    }
    assert changes.consent == ()
    assert changes.identity == (("alias", "merge", "ignore"),)
    assert needs_version_bump(old, new) == ["j"]
    assert needs_version_bump(new, old) == ["j", "k"]
    assert not compare(old, old)
    described = document(journey(description="d"), journey(journey="k"), journey(journey="gone"))
    assert compare(old, described).changed == {"j": (("description", "none", "d"),)}
    assert needs_version_bump(old, described) == []
