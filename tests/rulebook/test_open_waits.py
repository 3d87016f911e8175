"""What an apply rules on open waits, and what differs between two rulebooks, in words."""

from typing import Any

import pytest

from pipeline.domain.versions import Ruling
from pipeline.rulebook.changes import compare
from pipeline.rulebook.compile import canonical_document, compile_rulebook
from pipeline.rulebook.load import document_digest
from pipeline.rulebook.open_waits import Policies, PolicyError, rulings


def journey(name: str = "j", version: int = 1, **more: Any) -> dict[str, Any]:
    steps = [{"after": "1h", "channel": "voice"}]
    return {"journey": name, "version": version, "start": "A", "steps": steps} | more


def document(*journeys: dict[str, Any], **more: Any) -> dict[str, Any]:
    return canonical_document({"journeys": list(journeys), **more})


OLD = document(journey("changed"), journey("gone", 3), journey("same"))
NEW = document(journey("changed", 2), journey("same"), journey("new"))


def test_the_policy_for_all_is_for_what_the_apply_touches() -> None:
    assert rulings([OLD], OLD, NEW, Policies("keep")) == {}
    assert rulings([OLD], OLD, NEW, Policies("drop")) == {
        "changed": Ruling(drop=2),
        "gone": Ruling(drop=4),
    }


def test_a_journey_has_its_own_policy_before_the_one_for_all() -> None:
    policies = Policies("drop", {"gone": "keep", "changed": "re-evaluate", "same": "drop"})

    assert rulings([OLD], OLD, NEW, policies) == {
        "changed": Ruling(move=2),
        "same": Ruling(drop=1),
    }


def test_a_removed_journey_is_dropped_with_every_version_it_ever_had() -> None:
    of_old = document(journey("gone", 7))

    assert rulings([of_old, OLD], OLD, NEW, Policies("keep", {"gone": "drop"})) == {
        "gone": Ruling(drop=8)
    }


def test_what_was_removed_long_ago_can_still_be_named() -> None:
    policies = Policies("keep", {"gone": "drop"})

    assert rulings([OLD, NEW], NEW, NEW, policies) == {"gone": Ruling(drop=4)}


def test_a_retired_journey_is_dropped_with_its_own_version() -> None:
    retired = document(journey("changed", status="retired"))

    assert rulings([OLD], document(journey("changed")), retired, Policies("drop")) == {
        "changed": Ruling(drop=2)
    }


def test_one_that_is_gone_can_not_be_re_evaluated() -> None:
    with pytest.raises(PolicyError, match="`gone` can't be re-evaluated, it opens no more waits"):
        rulings([OLD], OLD, NEW, Policies("re-evaluate"))


def test_a_status_is_no_part_of_the_digest_of_what_is_active() -> None:
    assert document_digest(document(journey())) == document_digest(
        document(journey(status="active"))
    )
    assert compile_rulebook(document(journey(status="retired"))).journeys[0].status == "retired"


def test_steps_lists_and_conditions_differ_in_words() -> None:
    one = journey(unless=[{"event": "B", "where": "properties.n > 1"}], audience="traits.a == 1")
    steps = [
        {"after": "2h", "channel": "sms", "include": ["traits.a", "traits.b"]},
        {"after": "3h", "channel": "voice"},
    ]
    other = journey(version=2, unless=["B"], steps=steps, key="properties.id")
    changed = {
        what: (old, new) for what, old, new in compare(document(one), document(other)).changed["j"]
    }

    assert changed == {
        "audience": ("traits.a == 1", "none"),
        "key": ("none", "properties.id"),
        "step 1, after": ("1h", "2h"),
        "step 1, channel": ("voice", "sms"),
        "step 1, include": ("none", "traits.a, traits.b"),
        "step 2": ("none", "after 3h, channel voice, expires 1d"),
        "unless": ("B where properties.n > 1", "B"),
        "version": ("1", "2"),
    }


def test_consent_identity_and_calling_differ_in_words() -> None:
    rule = {"event": "Stop", "channels": ["sms"], "subscribed": False}
    calling = {"hours": {"voice": "09:00-20:00"}}
    changes = compare(
        document(),
        document(consent={"events": [rule]}, identity={"refuse": ["x"]}, calling=calling),
    )

    assert changes.consent == (("Stop", "none", "opts out of sms"),)
    assert changes.identity == (("refuse", "none", "x"),)
    assert [each.what for each in changes.calling] == ["hours", "unknown"]
    assert "voice" in changes.calling[0].new
